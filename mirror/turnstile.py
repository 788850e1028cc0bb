"""Where downloads begin, a few in each turn of the event loop, so that a storm of them leaves some of it to all others.

What runs shares the loop with the hits, which wait as long as one turn of it takes. A thousand downloads that begin at
once make turns of hundreds of milliseconds; in line they take as long altogether, and whoever leaves the line before
its turn has cost nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

CALM = 0.005
"""Seconds of processor time that a turn of the event loop takes at most while there is time for more."""

AT_ONCE = 8
"""So many begin in a turn after one that was calm."""

PATIENCE = 2
"""Turns after which the next one may begin although the loop is behind: what makes it so may be hits alone."""


class Turnstile:
    """One for each event loop. `clock` gives seconds of the thread's processor time: that the machine has given it to
    others is no reason to wait."""

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._line: deque[asyncio.Future[None]] = deque()
        self._began = 0.0  # this turn of the loop
        self._counting = False
        self._busy = 0  # turns that were, one after the other

    async def turn(self) -> None:
        """Until the one who waits may begin: first come, first served."""
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        self._line.append(waiting)
        if not self._counting:
            self._counting, self._began = True, self._clock()
            loop.call_soon(self._next, loop)
        await waiting

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        """A turn is over."""
        before, self._began = self._began, self._clock()
        self._busy = 0 if self._began - before < CALM else self._busy + 1
        may = 1 if self._busy and self._busy % PATIENCE == 0 else 0 if self._busy else AT_ONCE
        while may and self._line:
            waiting = self._line.popleft()
            if not waiting.done():  # it has left
                waiting.set_result(None)
                may -= 1
        self._counting = bool(self._line)
        if self._counting:
            loop.call_soon(self._next, loop)
