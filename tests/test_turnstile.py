"""Downloads begin a few in each turn of the event loop, and fewer while turns are long."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise

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
    """Seen red: a thousand requests that come together keep a hit waiting for a tenth of a second."""
    line = Line(3 * AT_ONCE)
    seen = [len(await line.turn()) for _ in range(8)]
    assert max(after - before for before, after in pairwise(seen)) == AT_ONCE
    assert line.begun == list(range(3 * AT_ONCE))


async def test_after_long_turns_one_begins_now_and_then() -> None:
    """Seen red: a storm of downloads makes each hit wait for seconds."""
    line = Line(4 * AT_ONCE)
    seen = [len(await line.turn(2 * CALM)) for _ in range(12)]
    assert AT_ONCE + 3 <= seen[-1] <= AT_ONCE + 6
    assert all(after - before <= 1 for before, after in pairwise(seen[2:]))
    for _ in range(10):
        await line.turn()
    assert line.begun == list(range(4 * AT_ONCE))


async def test_who_has_left_has_cost_nothing() -> None:
    line = Line(4 * AT_ONCE)
    await line.turn()
    for task in line.tasks[: 3 * AT_ONCE]:
        task.cancel()
    for _ in range(8):
        await line.turn()
    assert set(range(3 * AT_ONCE, 4 * AT_ONCE)) <= set(line.begun)
    assert len(line.begun) <= 2 * AT_ONCE


async def test_one_alone_need_not_wait() -> None:
    line, begun = Line(0), []
    for n in range(3):
        line.turnstile.enter(partial(begun.append, n))
        assert begun == list(range(n + 1))
        for _ in range(3):
            await line.turn(2 * CALM if n else 0.0)
        for _ in range(2):
            await line.turn()
