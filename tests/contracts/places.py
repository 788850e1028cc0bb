"""Every blob store, each in a place of its own, for the tests that all of them pass."""

from __future__ import annotations

from pathlib import Path

from mirror.evict import Limits, Room
from mirror.ports import BlobStore
from mirror.stores.disk import DiskStore
from mirror.stores.memory import MemoryStore


class OnDisk:
    """A DiskStore in a folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def open(self, most: int) -> BlobStore:
        room = Room(Limits(1 << 40, max_object=most), free=lambda _: 1 << 50)
        self.store = DiskStore(self.path, room, "none", threads=2)
        await self.store.start()
        await self.store.count()
        return self.store

    def left(self) -> list[str]:
        return sorted(path.name for path in self.path.rglob("*") if path.is_file())

    async def close(self) -> None:
        await self.store.close()


class InMemory:
    """A MemoryStore."""

    def __init__(self, _path: Path) -> None:
        self.store = MemoryStore()

    async def open(self, most: int) -> BlobStore:
        self.store.max_object = most
        return self.store

    def left(self) -> list[str]:
        return sorted([*self.store.blobs, *self.store.kept])

    async def close(self) -> None:
        pass


Place = OnDisk | InMemory
MOST = 1_000_000
