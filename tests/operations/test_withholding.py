"""What the policy keeps back: page by page, until when, and of which files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from mirror.errors import RequestError
from mirror.model import Fact
from mirror.operations import withholding
from mirror.operations.places import Places
from mirror.operations.withholding import Holding
from tests.conftest import World
from tests.instruments.gated import DAY, House, house_of
from tests.policy.builders import rule

MAKE = Callable[..., World]
WEEK = 7 * DAY


@pytest.fixture(params=["pypi", "npm"])
async def house(request: pytest.FixtureRequest, make_world: MAKE) -> AsyncIterator[House]:
    async with house_of(make_world(ecosystem=request.param)) as opened:
        opened.publish({"1.15.0": None, "1.16.0": 400.0, "1.17.0": 2.0})
        opened.become(min_age=WEEK)
        await opened.versions()
        await opened.world.settled()
        yield opened


def holding(house: House) -> Holding:
    world = house.world
    return Holding(world.facts, Places((world.mirror,)), world.clock)


async def test_what_is_too_young_and_what_has_no_date_with_where_and_until_when(house: House) -> None:
    page = await holding(house).held("o")
    assert (page.cursor, page.complete) == (None, True)
    told = {each.artifact.version: each for each in page.held}
    assert sorted(told) == ["1.15.0", "1.17.0"]
    assert (told["1.15.0"].verdict.rule, told["1.17.0"].verdict.rule) == ("unknown", "cooldown")
    assert told["1.17.0"].verdict.until == house.world.clock() + 5 * DAY
    assert told["1.17.0"].address == f"/o{house.file('1.17.0')}"


async def test_what_matures_is_listed_no_more(house: House) -> None:
    house.world.clock.wind(5 * DAY)
    assert [each.artifact.version for each in (await holding(house).held("o")).held] == ["1.15.0"]


async def test_what_a_policy_in_audit_would_keep_back_is_listed_as_that(house: House) -> None:
    house.become(min_age=WEEK, mode="audit")
    assert [each.verdict.enforced for each in (await holding(house).held("o")).held] == [False, False]


async def test_without_a_policy_nothing_is(house: House) -> None:
    house.world.mirror = replace(house.world.mirror, gate=type(house.world.mirror)("x", "pypi").gate)
    assert (await holding(house).held("o")).held == []


async def test_pages_of_any_size_make_one_list(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = "simple/{}" if house.pypi else "{}"
    for number in range(5):
        facts = [Fact(f"/f/{number}-{n}", package=f"p{number}", version=str(n)) for n in range(number)]
        await house.world.facts.put("o", slot.format(f"p{number}"), "1", facts, 1.0)
    house.become(deny=(rule("p*"),))
    whole = [each.address for each in (await holding(house).held("o", limit=1000)).held]
    assert len(whole) == len(set(whole)) == 10
    for most in (50_000, 1):
        monkeypatch.setattr(withholding, "_MOST", most)
        for limit in (1, 2, 3, 10, 11):
            listed, cursor = [], ""
            for _ in range(40):
                page = await holding(house).held("o", cursor, limit)
                assert len(page.held) <= limit
                listed += [each.address for each in page.held]
                if page.cursor is None:
                    break
                cursor = page.cursor
            assert listed == whole


async def test_what_is_asked_for_wrongly(house: House) -> None:
    with pytest.raises(RequestError, match="there is no mirror"):
        await holding(house).held("other")
    with pytest.raises(RequestError, match="cursor"):
        await holding(house).held("o", "nonsense")
