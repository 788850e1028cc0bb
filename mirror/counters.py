"""What was answered, served, fetched and saved for each mirror: counted in memory that the processes of a server share.

Each process has rows of its own, which it alone writes and nobody locks; the sum over all processes is what is told. A
process that takes the place of another goes on with its rows.
"""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

log = logging.getLogger("mirror")

OUTCOMES = ("HIT", "STALE", "REVALIDATED", "MISS", "BYPASS", "ERROR")
"""What became of a request: as X-Cache says it, or an error of ours."""

_SERVED, _SAVED, _FETCHED = range(len(OUTCOMES), len(OUTCOMES) + 3)
_WIDTH = len(OUTCOMES) + 3
_FROM_STORE = frozenset({"HIT", "STALE", "REVALIDATED"})

NOBODY = ""
"""The name under which requests for no mirror are counted."""

SPARE = 100
"""Rows for mirrors that come while the server runs."""


@dataclass(frozen=True, slots=True)
class Count:
    """`requests` by outcome; bytes of bodies: served to clients, of these saved (not fetched for them), and fetched."""

    requests: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    served: int = 0
    saved: int = 0
    fetched: int = 0

    def __add__(self, other: Count) -> Count:
        requests = {outcome: count + other.requests[outcome] for outcome, count in self.requests.items()}
        return Count(requests, self.served + other.served, self.saved + other.saved, self.fetched + other.fetched)


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

    `memory` has `size` bytes, all zero at first. A mirror's row is its place in the order in which mirrors came, in all
    processes the same; one that goes leaves it to none but the next of its name.
    """

    def __init__(
        self, mirrors: Sequence[str], memory: bytearray | mmap.mmap | None = None, worker: int = 0, workers: int = 1
    ) -> None:
        self._names = [NOBODY]
        self._workers = workers
        self._slots = memoryview(bytearray(self.size(mirrors, workers)) if memory is None else memory).cast("Q")
        self._most = len(self._slots) // (workers * _WIDTH)
        self._begin = worker * self._most * _WIDTH
        self._rows = {NOBODY: Counted(self._slots, self._begin)}
        self.know(mirrors)

    @staticmethod
    def size(mirrors: Sequence[str], workers: int) -> int:
        """Bytes of memory that all rows take, if these mirrors are the first."""
        return 8 * workers * (1 + len(mirrors) + SPARE) * _WIDTH

    def know(self, mirrors: Sequence[str]) -> None:
        """All that there have been, in the order in which they came. Those for which there is no row are counted as
        NOBODY."""
        for name in mirrors:
            if name not in self._rows and len(self._names) < self._most:
                self._rows[name] = Counted(self._slots, self._begin + len(self._names) * _WIDTH)
                self._names.append(name)
            elif name not in self._rows:
                log.warning("what is asked of /%s/ is not counted apart before the server is started again", name)

    def of(self, mirror: str) -> Counted:
        """The row of a mirror, or of none."""
        return self._rows.get(mirror) or self._rows[NOBODY]

    def fetched(self, mirror: str, count: int) -> None:
        """See `Counted.fetched`."""
        self.of(mirror).fetched(count)

    def totals(self) -> dict[str, Count]:
        """By mirror, also those that have gone, over all processes."""
        return {name: self._total(n) for n, name in enumerate(self._names)}

    def _total(self, row: int) -> Count:
        each = [(worker * self._most + row) * _WIDTH for worker in range(self._workers)]
        sums = [sum(self._slots[at + slot] for at in each) for slot in range(_WIDTH)]
        return Count(dict(zip(OUTCOMES, sums, strict=False)), sums[_SERVED], sums[_SAVED], sums[_FETCHED])
