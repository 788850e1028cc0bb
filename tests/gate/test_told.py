"""What is told of the policy: in the log, in the record, in numbers, and by explain."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from mirror.counters import Counters
from mirror.foreseeing import Foreseen
from mirror.measures import OF_A_MIRROR
from mirror.model import Request
from mirror.mounts import Mounts
from mirror.policy.gatekeeper import Gatekeeper
from mirror.policy.rules import Policy
from mirror.server.hot import Hot
from mirror.web import access
from mirror.web.proxy import Proxy
from tests.instruments.both import NAMES, ask
from tests.instruments.gated import DAY, WEEK, House
from tests.instruments.listening import listening
from tests.policy.builders import exemption


@pytest.fixture
def house(house: House) -> House:
    house.become(min_age=WEEK)
    return house


class TestExplain:
    async def _foreseen(self, house: House, path: str) -> Foreseen:
        return await house.world.engine.foresee(house.world.mirror, Request("GET", path, base="http://mirror.test/o"))

    async def test_the_verdict_of_what_would_be_refused(self, house: House) -> None:
        await house.versions()
        await house.world.settled()
        asked = house.world.origin.requests()
        found = await self._foreseen(house, house.file("1.17.0"))
        assert found.verdict is not None
        assert (found.verdict.rule, found.verdict.dated, found.verdict.allowed) == ("cooldown", "origin", False)
        assert found.verdict.until == house.world.clock() + 5 * DAY
        assert str(found.error) == found.verdict.reason
        assert house.world.origin.requests() == asked

    async def test_of_what_would_be_given(self, house: House) -> None:
        await house.given([house.file("1.16.0")])
        found = await self._foreseen(house, house.file("1.16.0"))
        assert found.verdict is not None
        assert (found.verdict.rule, found.error, found.outcome is not None) == ("none", None, True)

    async def test_where_nothing_is_known_the_index_would_be_read_first(self, house: House) -> None:
        found = await self._foreseen(house, house.file("1.16.0"))
        assert (found.verdict, found.error, found.learns) == (None, None, (f"/o{house.page}",))

    async def test_while_the_advisories_are_read(self, house: House) -> None:
        keeper = Gatekeeper(Policy(house.world.ecosystem, advised=True))
        house.world.mirror = replace(house.world.mirror, gate=keeper)
        assert "still being read" in str((await self._foreseen(house, house.page)).error)


class Door:
    """A listener whose log, numbers and records are looked at."""

    def __init__(self, house: House) -> None:
        self.counters = Counters(["o"])
        self.records: list[str] = []
        gathered = access.Gathered()
        gathered.record = lambda events: self.records.extend(text for _, text in events)
        self.house, self.gathered = house, gathered
        mirrors = (house.world.mirror,)
        self.proxy = Proxy(
            house.world.engine, mirrors, NAMES, Mounts(mirrors), house.world.clock, self.counters, gathered=gathered
        )

    async def ask(self, version: str, times: int = 1) -> None:
        async with listening(self.proxy, Hot(wall=self.house.world.clock)) as listener:
            for _ in range(times):
                await listener.talk(ask(f"/o{self.house.file(version)}"))
                await self.house.world.settled()

    def withheld(self, rule: str) -> int:
        return self.counters.sums()["o"][OF_A_MIRROR["withheld"].place(rule)]


async def test_a_refusal_is_counted_by_its_rule_and_told_in_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    door = Door(house)
    await door.ask("1.17.0", 2)
    door.proxy.close()
    assert (door.withheld("cooldown"), door.withheld("deny")) == (2, 0)
    assert "detail=policy/cooldown" in caplog.text
    assert "refused (rule cooldown): six 1.17.0 is 2 days old" in caplog.text


@pytest.mark.parametrize("times", [1, 5])
async def test_the_record_has_the_rule_by_which_it_got_through_hot_or_not(house: House, times: int) -> None:
    """PROTOCOLS G.7."""
    house.become(min_age=WEEK, exempt=(exemption("six", until=house.world.clock() + DAY),))
    door = Door(house)
    await door.ask("1.17.0", times)
    door.proxy.close()
    told = [json.loads(f"{{{members}}}") for members in door.records]
    assert len(told) == times
    for each in told:
        assert each["policy"] == {"rule": "exempt", "allowed": True}
        assert each["first_seen"] is not None
