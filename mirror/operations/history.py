"""What was answered, served and fetched over the last hour and the last day: in memory, step by step."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from mirror.counters import OUTCOMES, Count, Counters
from mirror.ports import Clock

Span = Literal["hour", "day"]

STEPS: dict[Span, tuple[float, int]] = {"hour": (10.0, 360), "day": (300.0, 288)}
"""Seconds of a step, and how many steps are kept."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What came in one step, which ended `at` (POSIX seconds), over all mirrors and processes."""

    at: float
    count: Count


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one span, the oldest first, `step` seconds each; `began` in POSIX seconds."""

    step: float
    began: float
    samples: list[Sample]


class _Ring:
    """One span's samples. `due`: when the next one is taken, by the monotonic clock."""

    def __init__(self, step: float, most: int, total: Count, now: float) -> None:
        self.step = step
        self.due = now + step
        self.samples: deque[Sample] = deque(maxlen=most)
        self._last = total

    def look(self, total: Count, now: float, at: float) -> None:
        if now < self.due:
            return
        self.samples.append(Sample(at, _difference(total, self._last)))
        self._last = total
        self.due += self.step * (1 + (now - self.due) // self.step)  # what was slept through is one sample


class History:
    """Looks at the counters step by step, while it runs. `wall` dates the samples, `clock` (monotonic) times them."""

    def __init__(
        self,
        counters: Counters,
        wall: Clock,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._counters = counters
        self._wall = wall
        self._clock = clock
        self._sleep = sleep
        self._began = wall()
        total = self._total()
        self._rings = {span: _Ring(step, most, total, clock()) for span, (step, most) in STEPS.items()}
        self._task: asyncio.Task[None] | None = None

    def series(self, span: Span) -> Series:
        """The samples of that span."""
        ring = self._rings[span]
        return Series(ring.step, self._began, list(ring.samples))

    def start(self) -> None:
        """Look from now on, until `close`."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Look no more; idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            due = min(ring.due for ring in self._rings.values())
            await self._sleep(max(0.0, due - self._clock()))
            total, now = self._total(), self._clock()
            for ring in self._rings.values():
                ring.look(total, now, self._wall())

    def _total(self) -> Count:
        each = list(self._counters.totals().values())
        requests = {outcome: sum(count.requests[outcome] for count in each) for outcome in OUTCOMES}
        sums = [sum(getattr(count, name) for count in each) for name in ("served", "saved", "fetched")]
        return Count(requests, *sums)


def _difference(now: Count, before: Count) -> Count:
    requests = {outcome: now.requests[outcome] - before.requests[outcome] for outcome in OUTCOMES}
    return Count(requests, now.served - before.served, now.saved - before.saved, now.fetched - before.fetched)
