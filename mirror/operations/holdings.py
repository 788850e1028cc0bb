"""What was counted of each mirror, and what is stored of it."""

from __future__ import annotations

from dataclasses import dataclass

from mirror.counters import NOBODY, Count, Counters
from mirror.operations.places import Places
from mirror.ports import Clock, Index

RECENT = 5.0
"""Seconds for which sums over all that is stored are not made again."""


@dataclass(frozen=True, slots=True)
class Held:
    """What was counted of a mirror, and what is stored of it: `entries`, and the bytes of their bodies."""

    count: Count
    entries: int
    size: int


class Holdings:
    """The sums, which cost a walk over all entries, and the counts."""

    def __init__(self, index: Index, counters: Counters, places: Places, wall: Clock) -> None:
        self._index = index
        self._counters = counters
        self._places = places
        self._wall = wall
        self._sums: dict[str, tuple[int, int]] = {}
        self._summed_at = float("-inf")

    async def stats(self) -> dict[str, Held]:
        """By mirror (NOBODY: requests for none, or for mirrors that there were). What is stored was summed up at most
        RECENT seconds ago."""
        now, names = self._wall(), tuple(self._places.mirrors)
        if not 0 <= now - self._summed_at < RECENT or names != tuple(self._sums):
            self._sums = {name: await self._index.sums(f"/{name}/") for name in names}
            self._summed_at = now
        totals = self._counters.totals()
        nobody = sum((count for name, count in totals.items() if name not in names), Count())
        return {
            **{name: Held(totals.get(name, Count()), *self._sums.get(name, (0, 0))) for name in names},
            NOBODY: Held(nobody, 0, 0),
        }
