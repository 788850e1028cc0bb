"""Time in tests: a clock that moves only when it is wound, and waiting for what happens on real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Stands for `time.time` and for `time.monotonic`: `clock()` is the time in seconds, `clock.wind(60)` moves it on.

    Winding by a negative number is what a stepped wall clock does; do not do that to a monotonic one.
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now

    def wind(self, seconds: float) -> float:
        """Moves the time on by `seconds` and returns it."""
        self.now += seconds
        return self.now


async def eventually(holds: Callable[[], object], within: float = 30.0) -> None:
    """Waits until `holds()` is true; TimeoutError where it is not within so many (real) seconds."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110  the other end of a socket tells nobody when it is done
            await asyncio.sleep(0.002)


def until(holds: Callable[[], object], within: float = 30.0) -> None:
    """The same where no loop runs; AssertionError where it is not."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.01)  # other processes: they tell nobody, they can only be looked at
