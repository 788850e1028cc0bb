"""The collector's search through all objects, which everybody waits for: when there is nobody, as far as can be."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

YOUNG = 1000
"""New objects after which these are looked at, every other time with those before them. What both find stays is old."""

LEAST = 30
"""Searches among the younger ones after which one among all is due."""

REST = 10.0
"""Seconds between two of them where nobody waits."""

PATIENCE = 60.0
"""Seconds after which it is due although somebody does."""


_NEVER = 2**31 - 1


def leave_the_old() -> None:
    """Have Python search among the young only, a few at a time, which takes 1 or 2 ms: requests leave nothing behind
    that has to be searched for (tests/test_garbage.py), but for those that fail: their tracebacks know them. A search
    among a million objects takes a second."""
    gc.set_threshold(YOUNG, 0, _NEVER)


class Garbage:
    """Searches among all. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def look(self, waited_for: Callable[[], bool]) -> None:
        """Search, where that is due; to be called now and then. `waited_for`: whether somebody waits for an answer."""
        if gc.get_count()[2] < LEAST:
            return
        since = self._clock() - self._last
        if since >= PATIENCE or (since >= REST and not waited_for()):
            gc.collect()
            self._last = self._clock()
