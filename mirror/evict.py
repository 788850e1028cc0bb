"""Keeps the cache below its size: who may take how many bytes, and who goes first when there are too few."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from mirror.errors import NoRoom, StoreError
from mirror.ports import BlobStore, Index

log = logging.getLogger("mirror.evict")

BLOCK = 4096
"""File systems give whole blocks; a file counts as what it takes."""


def on_disk(size: int) -> int:
    """What a file of `size` bytes takes on disk, in bytes."""
    return -(-size // BLOCK) * BLOCK


@dataclass(frozen=True, slots=True)
class Limits:
    """All in bytes. `max_size` holds for everything below the cache's path, partials included; `min_free` is what must
    stay free on the file system; larger objects than `max_object` are not stored."""

    max_size: int
    min_free: int = 0
    max_object: int = 1 << 62


class Reservation:
    """Bytes that one partial may write."""

    __slots__ = ("_room", "count", "released", "written")

    def __init__(self, room: Room) -> None:
        self._room = room
        self.count = 0
        self.written = 0
        self.released = False

    async def grow(self, count: int, body: int | None = None) -> None:
        """Reserve up to `count` bytes in all, for an object whose body has `body` of them (None: all).

        NoRoom when even evicting would not make them free, or the body is larger than `max_object`.
        """
        size, most = count if body is None else body, self._room.limits.max_object
        if size > most:
            raise NoRoom(f"{size} bytes are more than max_object ({most})")
        if count > self.count:
            await self._room.take(self, count)

    def release(self) -> None:
        """Give back what was reserved; idempotent."""
        self._room.give_back(self)


class Room:
    """The bytes below the cache's path, and the order in which they were last used.

    Blobs and kept partials stand in one list, least recently used first; what is being filled is reserved in full
    before its first byte is written, so that the limit holds at all times and not only between two clean-ups.
    `free` tells the free bytes of the file system, `overhead` what index and facts take; `evict` removes one id.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        free: Callable[[], int],
        overhead: Callable[[], int] = lambda: 0,
    ) -> None:
        self.limits = limits
        self.evict: Callable[[str], Awaitable[None]] | None = None
        self.evicted = 0
        self._free = free
        self._overhead = overhead
        self._sizes: dict[str, int] = {}  # least recently used first
        self._stored = 0
        self._reservations: set[Reservation] = set()
        self._counted = asyncio.Event()
        self._lock = asyncio.Lock()

    @property
    def used(self) -> int:
        """Bytes that are taken or promised now."""
        return self._stored + sum(r.count for r in self._reservations) + self._overhead()

    def count(self, found: Iterable[tuple[str, int]]) -> None:
        """What stood on disk at the start, least recently used first. Reservations wait until this was called."""
        newer, self._sizes, self._stored = self._sizes, {}, 0
        for name, size in (*found, *newer.items()):
            self.add(name, size)
        self._counted.set()

    def add(self, name: str, size: int) -> None:
        """A blob or a kept partial of `size` bytes on disk stands now, most recently used."""
        self.remove(name)
        self._sizes[name] = size
        self._stored += size

    def remove(self, name: str) -> None:
        """It does not stand any more."""
        self._stored -= self._sizes.pop(name, 0)

    def touch(self, name: str) -> None:
        """It was used now."""
        size = self._sizes.pop(name, None)
        if size is not None:
            self._sizes[name] = size

    def recency(self) -> list[str]:
        """All names, least recently used first."""
        return list(self._sizes)

    def reservation(self) -> Reservation:
        return Reservation(self)

    def reopen(self, name: str) -> Reservation:
        """A reservation that takes over the bytes of a kept partial, which is thereby no longer up for eviction."""
        reservation = Reservation(self)
        reservation.count = reservation.written = self._sizes.get(name, 0)
        self.remove(name)
        self._reservations.add(reservation)
        return reservation

    async def take(self, reservation: Reservation, count: int) -> None:
        """See `Reservation.grow`."""
        await self._counted.wait()
        # One at a time: two that saw the same free bytes would both take them.
        async with self._lock:
            more = count - reservation.count
            while (short := self._short(more)) > 0:
                # Evicting all would not do: then nothing is evicted for it.
                if short > self._stored or not await self._evict_oldest():
                    raise NoRoom(f"no room for {more} bytes more: {short} bytes short, nothing left to evict")
            if reservation.released:
                raise StoreError("the partial was given up")
            reservation.count = count
            self._reservations.add(reservation)

    def give_back(self, reservation: Reservation) -> None:
        self._reservations.discard(reservation)
        reservation.released = True
        reservation.count = reservation.written = 0

    def _short(self, more: int) -> int:
        """Bytes that are missing before `more` bytes could be reserved; zero or less when they are there."""
        promised = sum(r.count - r.written for r in self._reservations)
        return max(
            self.used + more - self.limits.max_size,
            self.limits.min_free + promised + more - self._free(),
        )

    async def _evict_oldest(self) -> bool:
        name = next(iter(self._sizes), None)
        if name is None or self.evict is None:
            return False
        try:
            await self.evict(name)
        except StoreError as exc:
            log.warning("cannot evict %s: %s", name, exc)
        self.remove(name)
        self.evicted += 1
        return True


async def evict(store: BlobStore, index: Index, blob: str) -> None:
    """Remove a blob and the entry that points at it: the entry first, so that nobody finds it without its bytes."""
    opened = await store.open(blob)
    if opened is not None:
        key = opened.entry.key
        await opened.close()
        entry = await index.get(key)
        if entry is not None and entry.blob == blob:
            await index.delete(key)
    await store.delete(blob)


async def sweep(store: BlobStore, index: Index, blobs: Iterable[str]) -> tuple[int, int]:
    """After an unclean stop, or a lost index: adopt blobs that no entry points at, remove those that were replaced.

    Returns how many were adopted and how many removed. Runs behind the requests: what is asked meanwhile and not yet
    adopted is fetched again, and the older copy is then the one that goes.
    """
    adopted = removed = 0
    for blob in blobs:
        opened = await store.open(blob)
        if opened is None:
            await store.delete(blob)
            removed += 1
            continue
        entry = opened.entry
        await opened.close()
        known = await index.get(entry.key)
        # The row of an entry that replaced another one may not have been written: then the other one's is there still.
        if known is None or (known.blob != blob and known.head.received_at < entry.head.received_at):
            await index.put(entry)
            adopted += 1
        elif known.blob != blob:
            await store.delete(blob)
            removed += 1
    return adopted, removed
