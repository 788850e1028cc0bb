"""The collector's search through all objects, which everybody waits for: when there is nobody, as far as can be."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

LEAST = 10
"""Searches among the younger ones after which one among all is due, as it is for Python itself."""

REST = 60.0
"""Seconds between two of them where nobody waits."""

PATIENCE = 3600.0
"""Seconds after which it is due although somebody does."""


_NEVER = 2**31 - 1


def leave_the_old() -> None:
    """Have Python search among the young only, for milliseconds: requests leave nothing behind that has to be searched
    for (tests/test_garbage.py), and a search among a million objects takes a second."""
    young, younger, _ = gc.get_threshold()
    gc.set_threshold(young, younger, _NEVER)


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
