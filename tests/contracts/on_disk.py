"""A DiskStore as a server that starts finds it, for the tests of what only a disk can do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mirror.evict import Limits, Room, evict
from mirror.stores.disk import DiskStore
from mirror.stores.memory import MemoryIndex
from mirror.stores.shelf import Durability
from tests.contracts.samples import BODY, note

MB = 1_000_000


@asynccontextmanager
async def disk(
    path: Path, limits: Limits | None = None, durability: Durability = "none"
) -> AsyncIterator[tuple[DiskStore, Room]]:
    """A store at `path`, as a server that starts finds it, that evicts."""
    room = Room(limits or Limits(1 << 40), free=lambda _: 1 << 50)
    store, index = DiskStore(path, room, durability, threads=2), MemoryIndex()
    room.evict = lambda name: evict(store, index, name)
    await store.start()
    await store.count()
    try:
        yield store, room
    finally:
        await store.close()


def files(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir())


async def keep(store: DiskStore, key: str = "/m/a", count: int = 5000) -> None:
    """A partial that has `count` bytes and waits for the rest."""
    partial = store.create(note(key, total=len(BODY)))
    writer = partial.writer(0)
    writer.add(BODY[:count])
    await writer.close()
    await partial.keep()
    await partial.close()
