"""Dates that the origin does not state: added where that is wanted, with a policy and without, and marked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from mirror.ecosystems.instants import written
from mirror.ecosystems.views import FIRST_SEEN
from mirror.lookup import Lookups
from mirror.model import Mirror
from tests.conftest import World
from tests.instruments.gated import DAY, SHORT, SIMPLE, House, house_of

MAKE = Callable[..., World]


@pytest.fixture(params=["pypi", "npm"])
async def house(request: pytest.FixtureRequest, make_world: MAKE) -> AsyncIterator[House]:
    async with house_of(make_world(ecosystem=request.param)) as opened:
        opened.publish({"1.16.0": None, "1.17.0": None})
        yield opened


def dated(house: House, *, dated: bool = True) -> None:
    house.world.mirror = replace(house.world.mirror, dated=dated)


async def body(house: House, accept: str = "") -> bytes:
    accept = accept or (SIMPLE if house.pypi else "application/json")
    return (await house.world.get(house.page, "", accept=accept)).body


async def dates(house: House) -> dict[str, str | None]:
    """By version."""
    told: Any = json.loads(await body(house))
    if not house.pypi:
        return {version: told.get("time", {}).get(version) for version in told["versions"]}
    return {file["filename"].split("-")[1]: file.get("upload-time") for file in told["files"]}


async def marked(house: House) -> list[str]:
    told: Any = json.loads(await body(house))
    found: list[str] = told.get(FIRST_SEEN, []) if house.pypi else told.get("_mirror", {}).get("first-seen", [])
    return found


async def test_they_are_added_without_any_rule_and_marked(house: House) -> None:
    dated(house)
    first = house.world.clock()
    assert await dates(house) == dict.fromkeys(["1.16.0", "1.17.0"], written(first))
    assert await marked(house) == [house.file(version).rpartition("/")[2] if house.pypi else version
                                   for version in ("1.16.0", "1.17.0")]  # fmt: skip


async def test_what_comes_later_has_a_later_date_and_what_was_seen_keeps_its_own(house: House) -> None:
    dated(house)
    first = house.world.clock()
    await dates(house)
    await house.world.settled()
    house.world.clock.wind(3 * DAY)
    house.publish({"1.16.0": None, "1.17.0": None, "1.18.0": None})
    await dates(house)  # stale, and asked for behind
    await house.world.settled()
    assert await dates(house) == {
        "1.16.0": written(first),
        "1.17.0": written(first),
        "1.18.0": written(first + 3 * DAY),
    }


async def test_where_the_origin_states_all_of_them_not_a_byte_is_another(house: House) -> None:
    house.publish({"1.16.0": 400.0, "1.17.0": 2.0})
    before = await body(house)
    dated(house)
    assert await body(house) == before


async def test_unless_it_is_wanted_nothing_is_added_or_looked_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lookups, "seen", None)
    assert await dates(house) == {"1.16.0": None, "1.17.0": None}
    assert await marked(house) == []


async def test_they_are_looked_up_once_for_many_who_ask(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, seen = [], Lookups.seen

    def counted(lookups: Lookups, mirror: Mirror, *more: Any) -> Awaitable[dict[str, float]]:
        asked.append(mirror.name)
        return seen(lookups, mirror, *more)

    monkeypatch.setattr(Lookups, "seen", counted)
    dated(house)
    for _ in range(4):
        await body(house)
    assert len(asked) == 1


async def test_a_rule_about_something_else_adds_none(house: House) -> None:
    house.become(min_age=DAY, unknown="pass")
    assert await dates(house) == {"1.16.0": None, "1.17.0": None}
    first = house.world.clock()
    house.become(min_age=DAY, unknown="pass", dates="first-seen")
    house.world.clock.wind(DAY)
    assert await dates(house) == dict.fromkeys(["1.16.0", "1.17.0"], written(first))


async def test_forms_that_have_no_dates_stay_without(house: House) -> None:
    form = "text/html" if house.pypi else SHORT
    if not house.pypi:
        packument = await body(house)
        house.world.origin.route("/six", headers=[("content-type", SHORT)], body=packument)
    before = await body(house, form)
    dated(house)
    assert await body(house, form) == before
