"""Downloads begin a few in each turn of the event loop, and fewer while turns are long."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from mirror.turnstile import AT_ONCE, CALM, Turnstile
from tests.instruments.clock import Clock


class Line:
    """So many who wait; `turn` lets the loop go round once, which takes so long."""

    def __init__(self, count: int) -> None:
        self.clock = Clock(0.0)
        self.turnstile = Turnstile(self.clock)
        self.begun: list[int] = []
        self.tasks = [asyncio.create_task(self._wait(n)) for n in range(count)]

    async def _wait(self, n: int) -> None:
        await self.turnstile.turn()
        self.begun.append(n)

    async def turn(self, seconds: float = 0.0) -> list[int]:
        """Who has begun by now."""
        self.clock.wind(seconds)
        await asyncio.sleep(0)
        return self.begun


async def test_in_calm_turns_a_few_begin_in_each_one_in_their_order() -> None:
    line = Line(3 * AT_ONCE)
    seen = [len(await line.turn()) for _ in range(6)]
    assert sorted(set(seen)) == [0, AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE]
    assert line.begun == sorted(line.begun)


async def test_after_long_turns_one_begins_now_and_then() -> None:
    """Seen red: a storm of downloads makes each hit wait for seconds."""
    line = Line(AT_ONCE)
    seen = [len(await line.turn(2 * CALM)) for _ in range(10)]
    assert 3 <= seen[-1] <= 5
    assert all(after - before <= 1 for before, after in pairwise(seen))
    for _ in range(5):
        await line.turn()
    assert len(line.begun) == AT_ONCE


async def test_who_has_left_takes_nobodys_turn() -> None:
    line = Line(2 * AT_ONCE)
    await line.turn()
    for task in line.tasks[:AT_ONCE]:
        task.cancel()
    for _ in range(3):
        await line.turn()
    assert line.begun == list(range(AT_ONCE, 2 * AT_ONCE))


@pytest.mark.parametrize("pause", [0, 3])
async def test_one_alone_need_not_wait(pause: int) -> None:
    line = Line(0)
    for n in range(3):
        for _ in range(pause):
            await line.turn(1.0)  # nobody waits: that turns are long is not looked at
        await asyncio.wait_for(line._wait(n), 1)
    assert line.begun == [0, 1, 2]
