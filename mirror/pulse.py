"""How a process does: whether it is alive, how late its event loop is, how many connections it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from mirror.measures import MICRO, OF_A_PROCESS

WINDOW = 30.0
"""Seconds; the largest lag of the last one to two of these is told."""

ALIVE = 5.0
"""Seconds after which a process that has said nothing counts as gone."""

_LAG = OF_A_PROCESS["lag"]
_NOW, _BEFORE, _TURNED, _SEEN, _CONNECTIONS = (
    OF_A_PROCESS[name].at for name in ("lag_now", "lag_before", "turned", "alive", "connections")
)


class Pulse:
    """One process's own row. `clock` is monotonic, and the same for all processes of this machine."""

    def __init__(self, slots: memoryview, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = slots
        self._clock = clock
        for stale in (_NOW, _BEFORE, _CONNECTIONS):  # of a process that was here before
            slots[stale] = 0
        slots[_TURNED] = slots[_SEEN] = int(clock() * MICRO)

    def __call__(self, lag: float, connections: int) -> None:
        """It is alive: its event loop was so many seconds late, and it has so many connections."""
        slots, now = self._slots, int(self._clock() * MICRO)
        _LAG.observe(slots, _LAG.at, max(0.0, lag))
        if now - slots[_TURNED] >= WINDOW * MICRO:
            slots[_BEFORE], slots[_NOW], slots[_TURNED] = slots[_NOW], 0, now
        slots[_NOW] = max(slots[_NOW], int(max(0.0, lag) * MICRO))
        slots[_SEEN], slots[_CONNECTIONS] = now, connections


@dataclass(frozen=True, slots=True)
class Vital:
    """Of the processes at one place: how many there are, their connections, the largest lag lately in seconds; `row`:
    the lags of all that have been there, see `measures.OF_A_PROCESS`."""

    alive: int
    connections: int
    lag: float
    row: list[int]


def vital(rows: list[list[int]], clock: Callable[[], float] = time.monotonic) -> Vital:
    """From the rows of those that are, or were, at one place."""
    now = clock() * MICRO
    living = [row for row in rows if row[_SEEN] and now - row[_SEEN] < ALIVE * MICRO]
    return Vital(
        len(living),
        sum(row[_CONNECTIONS] for row in living),
        max((max(row[_NOW], row[_BEFORE]) for row in living), default=0) / MICRO,
        [sum(slot) for slot in zip(*rows, strict=True)],
    )
