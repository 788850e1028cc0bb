"""Where work begins, a little in each turn of the event loop, so that a storm of it leaves some of it to all others.

What runs shares the loop with the hits, which wait as long as one turn of it takes. A thousand requests that begin at
once make turns of hundreds of milliseconds; in line they take as long altogether, and whoever leaves the line before
its turn has cost nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

CALM = 0.002
"""Seconds of processor time that a turn of the event loop takes at most while there is time for more."""

AT_ONCE = 4
"""So many begin in a turn after one that was calm."""

PATIENCE = 2
"""Turns after which the next one may begin although the loop is behind: what makes it so may be hits alone."""


class Turnstile:
    """One for each event loop and kind of work. `clock` gives seconds of the thread's processor time: that the machine
    has given it to others is no reason to wait."""

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._line: deque[Callable[[], object]] = deque()
        self._began = 0.0  # this turn of the loop
        self._counting = False
        self._may = AT_ONCE  # begin in this turn
        self._busy = 0  # turns that were, one after the other

    def enter(self, begin: Callable[[], object]) -> None:
        """Call `begin` when its turn has come, which may be now: first come, first served."""
        if not self._counting:
            self._counting, self._began = True, self._clock()
            asyncio.get_running_loop().call_soon(self._next)
        if self._may > 0 and not self._line:
            self._may -= 1
            begin()
        else:
            self._line.append(begin)

    async def turn(self) -> None:
        """Until the one who waits may begin."""
        waiting = asyncio.get_running_loop().create_future()

        def begin() -> None:
            if not waiting.done():  # it has left
                waiting.set_result(None)

        self.enter(begin)
        await waiting

    def _next(self) -> None:
        """A turn is over."""
        before, self._began = self._began, self._clock()
        self._busy = 0 if self._began - before < CALM else self._busy + 1
        self._may = 1 if self._busy and self._busy % PATIENCE == 0 else 0 if self._busy else AT_ONCE
        while self._may > 0 and self._line:
            self._may -= 1
            self._line.popleft()()
        # A turn more, when all have begun: what they do in it is looked at before the next ones come.
        self._counting = bool(self._line or self._may < AT_ONCE)
        if self._counting:
            asyncio.get_running_loop().call_soon(self._next)
