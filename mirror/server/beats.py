"""Whether the event loops of other processes still turn: each counts in memory that all share."""

from __future__ import annotations

import mmap
from collections.abc import Callable


class Beats:
    """One count for each of so many rows. A process beats once a second; the supervisor looks no more often."""

    def __init__(self, rows: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 8 * rows)).cast("Q")
        self._seen: dict[int, tuple[int, int]] = {}  # row -> the count, and how often it was the same

    def of(self, row: int) -> Callable[[], None]:
        """What the process of that row calls."""
        counts = self._counts

        def beat() -> None:
            counts[row] += 1

        return beat

    def missed(self, row: int) -> int:
        """A look: how many before it, one after the other, found the same count. Looks are counted and not seconds: a
        machine that stood still for an hour has made nobody late."""
        count, (before, times) = self._counts[row], self._seen.get(row, (-1, 0))
        times = times + 1 if count == before else 0
        self._seen[row] = (count, times)
        return times

    def forget(self, row: int) -> None:
        """Another process has the row."""
        self._seen.pop(row, None)
