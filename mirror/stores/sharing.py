"""Finds out what is stored of the mirrors that have a share of the cache."""

from __future__ import annotations

from mirror.evict import Room
from mirror.shares import Share
from mirror.stores.counting import Pace
from mirror.stores.disk import DiskStore
from mirror.stores.sqlite import DiskcacheIndex
from mirror.stores.sweeping import gathered

PORTION = 2000


async def learn(store: DiskStore, index: DiskcacheIndex, room: Room, pace: Pace) -> None:
    """Tell each share that does not know it yet what is stored of its mirror, from the keys in the index. All must be
    counted, and what had no entry adopted. StoreError when the index cannot be read."""
    for mirror, share in room.shares.unknown().items():
        await _learn(store, index, room, mirror, share, pace)


async def _learn(store: DiskStore, index: DiskcacheIndex, room: Room, mirror: str, share: Share, pace: Pace) -> None:
    ids = await gathered(index, f"/{mirror}/", pace)
    # What was stored a moment ago, before there was this share, may be put into the index behind this look at it.
    others = {*share.begin(), *room.shares.latest(mirror), *store.kept(f"/{mirror}/")}
    names = room.recency()
    for start in range(0, len(names), PORTION):
        theirs = [name for name in names[start : start + PORTION] if name in ids or name in others]
        share.found((name, size, room.used_again(name)) for name in theirs if (size := room.size(name)))
        await pace.rest()
    share.end()
