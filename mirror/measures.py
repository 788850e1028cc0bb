"""What is counted and measured, and where each number stands in a row of memory: a declared list, which grows at will.

A counter is one slot for each value of its label. A histogram is, for each, a slot for each of its buckets (each
request in one of them, the last one without end), and one for the sum, in whole microseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace

OUTCOMES = ("HIT", "STALE", "REVALIDATED", "MISS", "BYPASS", "ERROR")
"""What became of a request: as X-Cache says it, or an error of ours."""

KINDS = ("unreachable", "timeout", "refused", "status_5xx", "invalid", "broken_off", "mismatch")
"""What an upstream does wrong: no connection; silence; a reset before the head; a head of 5xx, or one that means
nothing; a body that ends before its end; a body that is not what was announced."""

REFUSALS = ("no_space", "read_only", "io_error", "descriptors", "no_room", "other")
"""Why something is not stored: the file system is full (of bytes or files), cannot be written, is broken; the process
has no descriptors; what is larger than the limits allow; another error of the system."""

RULES = ("malicious", "private", "deny", "allow", "unknown", "cooldown", "frozen")
"""Rules of the policy that refuse something."""

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Measure:
    """A counter, or with `bounds` (seconds, rising) a histogram, for each of the `values` of its label. It stands from
    slot `at` of a row on."""

    name: str
    values: tuple[str, ...] = ("",)
    bounds: tuple[float, ...] = ()
    at: int = 0

    @property
    def each(self) -> int:
        """Slots for one value of the label."""
        return len(self.bounds) + 2 if self.bounds else 1

    @property
    def end(self) -> int:
        """The slot behind the last one."""
        return self.at + self.each * len(self.values)

    def place(self, value: str = "") -> int:
        """The first slot of that value."""
        return self.at + self.each * self.values.index(value)

    def observe(self, slots: memoryview, place: int, seconds: float) -> None:
        """Put a duration into the histogram that begins at `place`."""
        slots[place + bisect_left(self.bounds, seconds)] += 1
        slots[place + self.each - 1] += max(0, int(seconds * MICRO))

    def buckets(self, row: list[int], value: str = "") -> list[int]:
        """How many durations are in each bucket, the endless one last."""
        place = self.place(value)
        return row[place : place + self.each - 1]

    def seconds(self, row: list[int], value: str = "") -> float:
        """The sum of all durations."""
        return row[self.place(value) + self.each - 1] / MICRO


def laid_out(measures: Iterable[Measure]) -> dict[str, Measure]:
    """The measures by name, one behind the other."""
    found: dict[str, Measure] = {}
    at = 0
    for measure in measures:
        found[measure.name] = placed = replace(measure, at=at)
        at = placed.end
    return found


def width(layout: dict[str, Measure]) -> int:
    """Slots of a row."""
    return max(measure.end for measure in layout.values())


OF_A_MIRROR = laid_out(
    (
        # A request is counted by its bucket: their sum is the number of requests, so that the two always agree.
        Measure("first_byte", OUTCOMES, (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)),
        Measure("served"),
        Measure("saved"),
        Measure("fetched"),
        Measure("head", bounds=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)),
        Measure("failed", KINDS),
        Measure("refuted"),
        Measure("evicted"),
        Measure("evicted_bytes"),
        Measure("unstored", REFUSALS),
        Measure("withheld", RULES),
    )
)

OF_A_PROCESS = laid_out(
    (
        Measure("lag", bounds=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
        Measure("lag_now"),  # microseconds: the largest in the half minute that runs, and in the one before it
        Measure("lag_before"),
        Measure("turned"),  # when that half minute began, and when the process was alive last: a clock that all share
        Measure("alive"),
        Measure("connections"),
    )
)
