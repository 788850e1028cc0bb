"""The collector's search through all objects, which everybody waits for: when there is nobody, as far as can be."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

YOUNG = 10_000
"""New objects after which these are looked at, which takes some 10 ms, most of it for requests that are not answered
yet: the seldomer, the less of all time it takes. What is found to stay is old."""

LEAST = 30_000
"""New objects after which a search among all is due."""

REST = 10.0
"""Seconds between two of them where nobody waits."""

PATIENCE = 60.0
"""Seconds after which it is due although somebody does."""

_NEVER = 2**31 - 1


def leave_the_old() -> None:
    """Have Python search among the young only: requests leave nothing behind that has to be searched for
    (tests/test_garbage.py). A search among a million objects takes a second."""
    gc.set_threshold(YOUNG, _NEVER, _NEVER)


class Garbage:
    """Searches among all. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def look(self, waited_for: Callable[[], bool]) -> None:
        """Search, where that is due; to be called now and then. `waited_for`: whether somebody waits for an answer."""
        new, searches, _ = gc.get_count()  # since the last search among the young, and since the last among all
        if new + YOUNG * searches < LEAST:
            return
        since = self._clock() - self._last
        if since >= PATIENCE or (since >= REST and not waited_for()):
            gc.collect()
            self._last = self._clock()
