"""What was answered, served, fetched and saved for each mirror: counted in memory that the processes of a server share.

Each process has rows of its own, which it alone writes and nobody locks; the sum over all processes is what is told. A
process that takes the place of another goes on with its rows.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

OUTCOMES = ("HIT", "STALE", "REVALIDATED", "MISS", "BYPASS", "ERROR")
"""What became of a request: as X-Cache says it, or an error of ours."""

_SERVED, _SAVED, _FETCHED = range(len(OUTCOMES), len(OUTCOMES) + 3)
_WIDTH = len(OUTCOMES) + 3
_FROM_STORE = frozenset({"HIT", "STALE", "REVALIDATED"})

NOBODY = ""
"""The name under which requests for no mirror are counted."""


@dataclass(frozen=True, slots=True)
class Count:
    """`requests` by outcome; bytes of bodies: served to clients, of these saved (not fetched for them), and fetched."""

    requests: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    served: int = 0
    saved: int = 0
    fetched: int = 0


class Counted:
    """One mirror's row in this process."""

    __slots__ = ("_at", "_slots")

    def __init__(self, slots: memoryview, at: int) -> None:
        self._slots = slots
        self._at = at

    def answered(self, outcome: str, count: int) -> None:
        """A request has ended with that outcome, and so many bytes of the body went out."""
        self.answers(outcome)(count)

    def answers(self, outcome: str) -> Callable[[int], None]:
        """The same, for an outcome that comes again and again: to be called with the bytes."""
        slots, which, served = self._slots, self._at + OUTCOMES.index(outcome), self._at + _SERVED
        saved = self._at + _SAVED if outcome in _FROM_STORE else None

        def answered(count: int) -> None:
            slots[which] += 1
            slots[served] += count
            if saved is not None:
                slots[saved] += count

        return answered

    def fetched(self, count: int) -> None:
        """So many bytes of a body came from an origin."""
        self._slots[self._at + _FETCHED] += count


class Counters:
    """The rows of all mirrors, in as many processes as there are `workers`, of which this is number `worker`.

    `memory` has `size` bytes, all zero at first.
    """

    def __init__(
        self, mirrors: Sequence[str], memory: bytearray | mmap.mmap | None = None, worker: int = 0, workers: int = 1
    ) -> None:
        self._names = (*mirrors, NOBODY)
        self._workers = workers
        self._slots = memoryview(bytearray(self.size(mirrors, workers)) if memory is None else memory).cast("Q")
        begin = worker * len(self._names) * _WIDTH
        self._rows = {name: Counted(self._slots, begin + n * _WIDTH) for n, name in enumerate(self._names)}

    @staticmethod
    def size(mirrors: Sequence[str], workers: int) -> int:
        """Bytes of memory that all rows take."""
        return 8 * workers * (len(mirrors) + 1) * _WIDTH

    def of(self, mirror: str) -> Counted:
        """The row of a mirror, or of none."""
        return self._rows.get(mirror) or self._rows[NOBODY]

    def fetched(self, mirror: str, count: int) -> None:
        """See `Counted.fetched`."""
        self.of(mirror).fetched(count)

    def totals(self) -> dict[str, Count]:
        """By mirror, over all processes."""
        return {name: self._total(n) for n, name in enumerate(self._names)}

    def _total(self, row: int) -> Count:
        each = [(worker * len(self._names) + row) * _WIDTH for worker in range(self._workers)]
        sums = [sum(self._slots[at + slot] for at in each) for slot in range(_WIDTH)]
        return Count(dict(zip(OUTCOMES, sums, strict=False)), sums[_SERVED], sums[_SAVED], sums[_FETCHED])
