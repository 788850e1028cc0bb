"""The largest, the oldest and the most used entries, found by looking at all of them, once a minute at most."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import defaultdict
from typing import Literal

from mirror.ports import Clock, Index, Outline
from mirror.uses import Uses

MOST = 100
"""Entries of each order."""

EVERY = 60.0
"""Seconds for which an order is not made again."""

PAUSE = 0.005
"""Seconds for which others have their turn, between portions."""

Order = Literal["largest", "oldest", "used"]

ORDERS: tuple[Order, ...] = ("largest", "oldest", "used")

Rank = tuple[float, float, str]
"""What counts, what counts among equals, the key."""


class Tops:
    """The MOST first of each order, of all entries and of each mirror (`/name/`)."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        self._heaps: dict[tuple[Order, str], list[Rank]] = defaultdict(list)

    def add(self, row: Outline) -> None:
        """One more entry."""
        mount = row.key[: row.key.find("/", 1) + 1]
        use = self._uses.get(row.blob)
        self._push("largest", mount, (row.size, 0.0, row.key))
        self._push("oldest", mount, (-row.received_at, 0.0, row.key))
        if use is not None:
            self._push("used", mount, (use.hits, use.last, row.key))

    def _push(self, order: Order, mount: str, rank: Rank) -> None:
        for place in ("", mount):
            heap = self._heaps[order, place]
            if len(heap) < MOST:
                heapq.heappush(heap, rank)
            elif rank > heap[0]:
                heapq.heapreplace(heap, rank)

    def keys(self, order: Order, mount: str, limit: int) -> list[str]:
        """The first ones."""
        ranks = self._heaps.get((order, mount), [])
        return [key for *_, key in sorted(ranks, key=lambda rank: (-rank[0], -rank[1], rank[2]))[:limit]]


class Ranking:
    """See the module. `wall`: POSIX seconds; `clock`: monotonic ones."""

    def __init__(self, index: Index, uses: Uses, wall: Clock, clock: Clock) -> None:
        self._index = index
        self._uses = uses
        self._wall = wall
        self._clock = clock
        self._tops: Tops | None = None
        self._as_of = 0.0
        self._made_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def first(self, order: Order, mount: str, limit: int, patience: float) -> tuple[list[str], float | None]:
        """The keys of the first ones, and when that was found out; None where it never was, and is not within
        `patience` seconds. An older order is told while the next one is made. StoreError as `Index.scan`."""
        if self._task is None and self._clock() - self._made_at >= EVERY:
            self._task = asyncio.get_running_loop().create_task(self._walk())
            self._task.add_done_callback(_looked_at)
        if self._tops is None and (task := self._task) is not None:
            await asyncio.wait([task], timeout=patience)
            if task.done() and not task.cancelled():
                task.result()
        return (self._tops.keys(order, mount, limit), self._as_of) if self._tops else ([], None)

    async def _walk(self) -> None:
        try:
            as_of, tops, after = self._wall(), Tops(self._uses), ""
            while rows := await self._index.outline(after):
                for row in rows:
                    tops.add(row)
                after = rows[-1].key
                await asyncio.sleep(PAUSE)
            self._tops, self._as_of, self._made_at = tops, as_of, self._clock()
        finally:
            self._task = None

    async def close(self) -> None:
        """Look no further."""
        if (task := self._task) is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _looked_at(task: asyncio.Task[None]) -> None:
    """What is wrong is told to who waits for it; to nobody, where an older order stands in."""
    if not task.cancelled():
        task.exception()
