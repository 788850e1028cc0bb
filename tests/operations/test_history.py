"""What is remembered of the counters: differences by steps, so many, by a hand-wound clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mirror.counters import Counters
from mirror.operations.history import STEPS, History
from tests.instruments.clock import Clock, eventually


class Wound:
    """A clock whose `sleep` ends when it was wound so far."""

    def __init__(self) -> None:
        self.clock = Clock(1000.0)
        self.until: asyncio.Future[None] | None = None
        self.asked = 0.0

    async def sleep(self, seconds: float) -> None:
        self.asked, self.until = seconds, asyncio.get_running_loop().create_future()
        await self.until

    async def wind(self, seconds: float) -> None:
        """On by so much; then until the history has looked and sleeps again."""
        await eventually(lambda: self.until is not None)
        self.clock.wind(seconds)
        until, self.until = self.until, None
        assert until is not None
        until.set_result(None)
        await eventually(lambda: self.until is not None)


@pytest.fixture
def wound() -> Wound:
    return Wound()


@pytest.fixture
def counters() -> Counters:
    return Counters(["o", "p"])


@pytest.fixture
async def history(wound: Wound, counters: Counters) -> AsyncIterator[History]:
    counters.of("o").answered("MISS", 7)  # before it began
    history = History(counters, Clock(5000.0), wound.clock, wound.sleep)
    history.start()
    yield history
    await history.close()


async def test_a_sample_is_what_came_since_the_one_before_over_all_mirrors(
    history: History, wound: Wound, counters: Counters
) -> None:
    counters.of("o").answered("HIT", 100)
    counters.of("p").answered("MISS", 50)
    counters.fetched("p", 50)
    counters.of("").answered("ERROR", 9)
    await wound.wind(10.0)
    counters.of("o").answered("HIT", 1)
    await wound.wind(10.0)
    first, second = history.series("hour").samples
    assert {outcome: n for outcome, n in first.count.requests.items() if n} == {"HIT": 1, "MISS": 1, "ERROR": 1}
    assert (first.count.served, first.count.saved, first.count.fetched) == (159, 100, 50)
    assert (second.count.served, second.count.requests["MISS"]) == (1, 0)
    assert (history.series("hour").step, history.series("hour").began, first.at) == (10.0, 5000.0, 5000.0)
    assert history.series("day").samples == []


async def test_a_day_has_longer_steps_than_an_hour(history: History, wound: Wound, counters: Counters) -> None:
    for _ in range(30):
        counters.of("o").answered("HIT", 1)
        await wound.wind(10.0)
    (day,) = history.series("day").samples
    assert day.count.served == 30
    assert len(history.series("hour").samples) == 30


async def test_no_more_is_kept_than_a_span_has(history: History, wound: Wound, counters: Counters) -> None:
    for n in range(STEPS["hour"][1] + 5):
        counters.of("o").answered("HIT", n)
        await wound.wind(10.0)
    samples = history.series("hour").samples
    assert [sample.count.served for sample in samples] == list(range(5, 365))


async def test_what_was_slept_through_is_one_sample_and_the_steps_go_on(history: History, wound: Wound) -> None:
    await wound.wind(47.0)  # the machine stood still
    assert len(history.series("hour").samples) == 1
    assert wound.asked == pytest.approx(3.0)


async def test_it_ends_when_it_is_closed(history: History) -> None:
    await history.close()
    await history.close()
    assert len(asyncio.all_tasks()) == 1
