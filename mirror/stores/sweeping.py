"""After an unclean stop: what stands on disk and in no entry is adopted or removed."""

from __future__ import annotations

from mirror.stores.counting import Pace
from mirror.stores.disk import DiskStore
from mirror.stores.ids import Ids
from mirror.stores.sqlite import DiskcacheIndex

PORTION = 500

OPENED = 20
"""Blobs that are opened in one go; a millisecond or two."""


async def gathered(index: DiskcacheIndex, prefix: str, pace: Pace) -> Ids:
    """The blobs of all entries whose keys begin with `prefix`. StoreError when the index cannot be read."""
    referenced = Ids()
    async for some in index.blobs(prefix):
        for blob in some:
            referenced.add(blob)
        await pace.rest()
    for first in range(256):
        referenced.sort(first)
        await pace.rest()
    return referenced


async def orphans(index: DiskcacheIndex, blobs: list[str], pace: Pace) -> list[str]:
    """Those of `blobs` that no entry of the index points at. StoreError when the index cannot be read."""
    referenced = await gathered(index, "", pace)
    found: list[str] = []
    for start in range(0, len(blobs), PORTION):
        found += [blob for blob in blobs[start : start + PORTION] if blob not in referenced]
        await pace.rest()
    return found


async def sweep(store: DiskStore, index: DiskcacheIndex, blobs: list[str], pace: Pace) -> tuple[int, int]:
    """Adopt of `blobs` (least recently used first) those whose key has no entry, remove those that were replaced or
    are not whole.

    Returns how many were adopted and how many removed. Runs behind the requests: what is asked meanwhile and not yet
    adopted is fetched again, and the older copy is then the one that goes.
    """
    adopted = removed = 0
    for end in range(len(blobs), 0, -OPENED):
        some = blobs[max(0, end - OPENED) : end][::-1]  # what was used last is asked for first
        entries = [entry for entry in await store.entries(some) if entry and not store.was_purged(entry.key)]
        standing = await index.adopt(entries)
        kept = {entry.blob for entry, blob in zip(entries, standing, strict=True) if entry.blob == blob}
        for entry in entries:
            # 1. This finds a blob. 2. A purge goes through the index, and finds nothing. 3. This puts the entry.
            if store.was_purged(entry.key) and not store.used_since(entry.blob):
                kept.discard(entry.blob)
                if (known := await index.get(entry.key)) is not None and known.blob == entry.blob:
                    await index.delete(entry.key)
        # 1. A fill stores a blob. 2. This finds the older entry. 3. The fill puts its own.
        gone = [blob for blob in some if blob not in kept and not store.used_since(blob)]
        removed += sum([await store.delete(blob) > 0 for blob in gone])
        adopted += len(kept)
        await pace.rest()
    return adopted, removed
