"""What was answered, served, fetched and saved for each mirror: counted in memory that the processes of a server share.

Each process has rows of its own, which it alone writes and nobody locks; the sum over all processes is what is told. A
process that takes the place of another goes on with its rows.

memory
├── when the server was started       one slot, microseconds since 1970
└── for each process                  `measures.OF_A_PROCESS`
    └── for no mirror, and for each   `measures.OF_A_MIRROR`; and for SPARE more
"""

from __future__ import annotations

import logging
import mmap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mirror.measures import MICRO, OF_A_MIRROR, OF_A_PROCESS, OUTCOMES, width
from mirror.pulse import Pulse, Vital, vital

__all__ = ["NOBODY", "OUTCOMES", "Count", "Counted", "Counters"]

log = logging.getLogger("mirror")

_FROM_STORE = frozenset({"HIT", "STALE", "REVALIDATED"})
_HEADER = 1
_WIDTH, _PROCESS = width(OF_A_MIRROR), width(OF_A_PROCESS)
_FIRST_BYTE, _HEAD, _FAILED = OF_A_MIRROR["first_byte"], OF_A_MIRROR["head"], OF_A_MIRROR["failed"]
_UNSTORED, _WITHHELD = OF_A_MIRROR["unstored"], OF_A_MIRROR["withheld"]
_SERVED, _SAVED, _FETCHED = (OF_A_MIRROR[name].at for name in ("served", "saved", "fetched"))
_REFUTED, _EVICTED, _EVICTED_BYTES = (OF_A_MIRROR[name].at for name in ("refuted", "evicted", "evicted_bytes"))

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

    @classmethod
    def of(cls, row: list[int]) -> Count:
        """The same, of a mirror's row or a sum of such rows."""
        requests = {outcome: sum(_FIRST_BYTE.buckets(row, outcome)) for outcome in OUTCOMES}
        return cls(requests, row[_SERVED], row[_SAVED], row[_FETCHED])

    def __add__(self, other: Count) -> Count:
        requests = {outcome: count + other.requests[outcome] for outcome, count in self.requests.items()}
        return Count(requests, self.served + other.served, self.saved + other.saved, self.fetched + other.fetched)


class Counted:
    """One mirror's row in this process."""

    __slots__ = ("_at", "_slots", "mirror")

    def __init__(self, mirror: str, slots: memoryview, at: int) -> None:
        self.mirror = mirror
        self._slots = slots
        self._at = at

    def answered(self, outcome: str, count: int, seconds: float = 0.0) -> None:
        """A request has ended with that outcome, and so many bytes of the body went out, the first of them (or the
        head, or nothing at all) after so many seconds."""
        _FIRST_BYTE.observe(self._slots, self._at + _FIRST_BYTE.place(outcome), seconds)
        self._slots[self._at + _SERVED] += count
        if outcome in _FROM_STORE:
            self._slots[self._at + _SAVED] += count

    def answers(self, outcome: str) -> Callable[[int], None]:
        """The same, for an outcome that comes again and again without a delay that is worth measuring: to be called
        with the bytes. Such a request counts in the first bucket, and adds no seconds."""
        slots, which = self._slots, self._at + _FIRST_BYTE.place(outcome)
        served = self._at + _SERVED
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

    def told(self, seconds: float) -> None:
        """An origin's head came after so many seconds."""
        _HEAD.observe(self._slots, self._at + _HEAD.at, seconds)

    def failed(self, kind: str) -> None:
        """An origin did something wrong: one of KINDS."""
        self._slots[self._at + _FAILED.place(kind)] += 1

    def refuted(self) -> None:
        """A body was not what was announced."""
        self._slots[self._at + _REFUTED] += 1
        self.failed("mismatch")

    def unstored(self, reason: str) -> None:
        """A body is not stored: one of REFUSALS."""
        self._slots[self._at + _UNSTORED.place(reason)] += 1

    def withheld(self, rule: str) -> None:
        """The policy refused something: one of RULES."""
        self._slots[self._at + _WITHHELD.place(rule)] += 1

    def evicted(self, count: int) -> None:
        """Something of so many bytes had to go."""
        self._slots[self._at + _EVICTED] += 1
        self._slots[self._at + _EVICTED_BYTES] += count


class Counters:
    """The rows of all mirrors, in as many processes as there are `workers`, of which this is number `worker`.

    `memory` has `size` bytes, all zero at first. `generations`: so many processes, one after the other, are at one
    place; their rows stand together. A mirror's row is its place in the order in which mirrors came, in all processes
    the same; one that goes leaves it to none but the next of its name.
    """

    def __init__(
        self,
        mirrors: Sequence[str],
        memory: bytearray | mmap.mmap | None = None,
        worker: int = 0,
        workers: int = 1,
        *,
        generations: int = 1,
    ) -> None:
        self._names = [NOBODY]
        self._workers = workers
        self._generations = generations
        self._slots = memoryview(bytearray(self.size(mirrors, workers)) if memory is None else memory).cast("Q")
        self._slots[0] = self._slots[0] or int(time.time() * MICRO)
        self._width = (len(self._slots) - _HEADER) // workers
        self._most = (self._width - _PROCESS) // _WIDTH
        begin = self._begin(worker)
        self._first = begin + _PROCESS
        self._rows = {NOBODY: Counted(NOBODY, self._slots, self._first)}
        self.know(mirrors)
        self.pulse = Pulse(self._slots[begin : begin + _PROCESS])

    @staticmethod
    def size(mirrors: Sequence[str], workers: int) -> int:
        """Bytes of memory that all rows take, if these mirrors are the first."""
        return 8 * (_HEADER + workers * (_PROCESS + (1 + len(mirrors) + SPARE) * _WIDTH))

    def know(self, mirrors: Sequence[str]) -> None:
        """All that there have been, in the order in which they came. Those for which there is no row are counted as
        NOBODY."""
        for name in mirrors:
            if name not in self._rows and len(self._names) < self._most:
                self._rows[name] = Counted(name, self._slots, self._first + len(self._names) * _WIDTH)
                self._names.append(name)
            elif name not in self._rows:
                log.warning("what is asked of /%s/ is not counted apart before the server is started again", name)

    @property
    def began(self) -> float:
        """When the server was started, POSIX seconds: the first of its processes."""
        return self._slots[0] / MICRO

    def of(self, mirror: str) -> Counted:
        """The row of a mirror, or of none."""
        return self._rows.get(mirror) or self._rows[NOBODY]

    def fetched(self, mirror: str, count: int) -> None:
        """See `Counted.fetched`."""
        self.of(mirror).fetched(count)

    def totals(self) -> dict[str, Count]:
        """By mirror, also those that have gone, over all processes."""
        return {name: Count.of(row) for name, row in self.sums().items()}

    def sums(self) -> dict[str, list[int]]:
        """The rows of all processes added up, by mirror: see `measures.OF_A_MIRROR`."""
        return {name: self._sum(_PROCESS + n * _WIDTH) for n, name in enumerate(self._names)}

    def vitals(self) -> dict[int, Vital]:
        """How the processes do, by worker: those at one place together."""
        rows = [self._slots[begin : begin + _PROCESS].tolist() for begin in map(self._begin, range(self._workers))]
        each = self._generations
        return {at // each: vital(rows[at : at + each]) for at in range(0, self._workers, each)}

    def _begin(self, worker: int) -> int:
        return _HEADER + worker * self._width

    def _sum(self, within: int) -> list[int]:
        begins = [self._begin(worker) + within for worker in range(self._workers)]
        rows = [self._slots[begin : begin + _WIDTH].tolist() for begin in begins]
        return rows[0] if len(rows) == 1 else [sum(slot) for slot in zip(*rows, strict=True)]
