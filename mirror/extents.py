"""Which bytes of a body are there: a set of disjoint half-open intervals. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Extents:
    """Byte intervals `[start, end)`, kept sorted, disjoint and merged where they touch.

    >>> there = Extents([(0, 10), (20, 30)])
    >>> there.add(10, 20)
    >>> list(there)
    [(0, 30)]
    """

    __slots__ = ("_ends", "_starts")

    def __init__(self, intervals: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in intervals:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Bytes `[start, end)` are there now. An empty interval adds nothing; ValueError when it is none."""
        if not 0 <= start <= end:
            raise ValueError(f"not an interval: [{start}, {end})")
        if start == end:
            return
        first = bisect_left(self._ends, start)  # the first run that touches or follows `start`
        last = bisect_right(self._starts, end)  # one past the last run that begins at or before `end`
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def end_of_run(self, offset: int) -> int:
        """Where the run of present bytes that holds `offset` ends; `offset` itself when that byte is missing."""
        run = bisect_right(self._starts, offset) - 1
        return self._ends[run] if run >= 0 and self._ends[run] > offset else offset

    def next_start(self, offset: int) -> int | None:
        """The first present byte at or behind `offset`, or None when there is none."""
        if self.end_of_run(offset) > offset:
            return offset
        run = bisect_left(self._starts, offset)
        return self._starts[run] if run < len(self._starts) else None

    def holes(self, total: int) -> Iterator[tuple[int, int]]:
        """The missing intervals of a body of `total` bytes, in order."""
        at = 0
        for start, end in self:
            if start >= total:
                break
            if at < start:
                yield at, start
            at = end
        if at < total:
            yield at, total

    def covers(self, start: int, end: int) -> bool:
        """True when every byte of `[start, end)` is there."""
        return start >= end or self.end_of_run(start) >= end

    @property
    def size(self) -> int:
        """The number of bytes that are there."""
        return sum(self._ends) - sum(self._starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._ends, strict=True)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extents) and self._starts == other._starts and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Extents({list(self)})"
