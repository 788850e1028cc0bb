"""Keeps the cache below its size: who may take how many bytes, and who goes first when there are too few."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from mirror.errors import NoRoom, StoreError
from mirror.limits import FILES, Limits, on_disk
from mirror.ports import BlobStore, Index
from mirror.recency import Recency
from mirror.reservation import Reservation
from mirror.shares import Share, Shares

__all__ = ["Limits", "Reservation", "Room", "evict", "on_disk"]

log = logging.getLogger("mirror.evict")

MiB = 1024 * 1024


class Room:
    """The bytes below the cache's path, and the order in which they were last used.

    Blobs and kept partials stand in one list, the next to go first (see `Recency`: what was used once, then what was
    used again, each the least recently used first); what is being filled is reserved in full before its first byte is
    written, so that the limit holds at all times and not only between two clean-ups.
    `free` tells the free bytes of the file system to who needs so many, `files` how many more it can take, `overhead`
    what index and facts take; `evict` removes one id; `promise` is told how much will be taken, before it is.

    While what stood on disk is still being found, the oldest of those found so far goes: ids are random, a sample.

    A mirror that has a share of its own evicts within it: its own, in the same order. While it is not known
    what is stored of it, all that is stored counts, and nothing is evicted for it.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        free: Callable[[int], int],
        overhead: Callable[[], int] = lambda: 0,
        files: Callable[[], int] = lambda: 1 << 62,
    ) -> None:
        self.limits = limits
        self.evict: Callable[[str], Awaitable[object]] | None = None
        self.evicted = 0
        self._free = free
        self._files = files
        self._overhead = overhead
        self.promise: Callable[[int], Awaitable[None]] | None = None
        self.shares = Shares()
        self._recency = Recency()
        self._unseen = 0  # bytes that stand on disk, at most, and were not found yet
        self._gone: set[str] = set()  # removed while others are being found
        self._reservations: set[Reservation] = set()
        self._ready = asyncio.Event()  # how much is taken is known, or an upper bound of it
        self._counted = self._whole = False
        self._told = asyncio.Event()  # more was found
        self._lock = asyncio.Lock()

    @property
    def stored(self) -> int:
        """Bytes that stand on disk, blobs and kept partials; until all is counted: at most."""
        return self._recency.size + self._unseen

    @property
    def taken(self) -> int:
        """Bytes that blobs and partials take, or are promised to."""
        return self.stored + sum(r.count for r in self._reservations)

    @property
    def used(self) -> int:
        """Bytes that are taken or promised now."""
        return self.taken + self._overhead()

    @property
    def ready(self) -> bool:
        """Reservations do not wait."""
        return self._ready.is_set()

    @property
    def whole(self) -> bool:
        """All that stood on disk at the start was found."""
        return self._whole

    def become(self, limits: Limits, shares: Mapping[str, int]) -> None:
        """From now on these hold, for mirrors by name the `shares`, in bytes. What is more goes with `fit`, or for what
        comes next."""
        self.limits = limits
        self.shares.become(shares)

    def assume(self, stored: int) -> None:
        """No more than `stored` bytes stood on disk at the start: reservations need not wait until all is counted."""
        self._unseen = max(0, stored - self._recency.size)
        self._ready.set()

    def count(self, found: Iterable[tuple[str, int]]) -> None:
        """What stood on disk at the start, least recently used first: all of it."""
        self.found(found)
        self.counted()

    def found(self, some: Iterable[tuple[str, int]]) -> None:
        """Some of what stood on disk at the start, least recently used first."""
        before = self._recency.size
        for name, size in some:
            if name not in self._gone:
                self._recency.find(name, size)
        self._unseen = max(0, self._unseen - (self._recency.size - before))
        self._told.set()

    def arrange(self, names: Iterable[str], *, again: bool = False) -> None:
        """Of what was found, those names are newer than all others, in this order; `again`: and were used again."""
        self._recency.arrange(names, again=again)

    def counted(self, *, whole: bool = True) -> None:
        """All that stood on disk at the start was found; not `whole`: no more of it will be."""
        if whole:
            self._unseen = 0
        elif not self.ready:
            self.promise = None  # it would be told too little
        self._gone.clear()
        self._counted, self._whole = True, whole
        self._ready.set()
        self._told.set()

    def add(self, name: str, size: int, mirror: str = "") -> None:
        """A blob or a kept partial of `size` bytes on disk stands now, most recently used."""
        self._recency.add(name, size)
        self.shares.add(name, size, mirror)

    def remove(self, name: str) -> None:
        """It does not stand any more."""
        self._recency.remove(name)
        self.shares.remove(name)
        if not self._counted:
            self._gone.add(name)

    def touch(self, name: str) -> None:
        """It was used now, again."""
        self._recency.touch(name)
        self.shares.touch(name)

    def size(self, name: str) -> int:
        """Bytes on disk of what stands by that name; 0 when nothing does."""
        return self._recency.of(name) or 0

    def told(self) -> tuple[int, int, int]:
        """Bytes that are taken or promised, that may be, and that are free on the file system."""
        return self.used, self.limits.max_size, self._free(0)

    def used_since(self, name: str) -> bool:
        """It was added or touched since the start, and is none of the next to go."""
        return self._recency.used_since(name)

    def used_again(self, name: str) -> bool:
        """It goes after all that was used once."""
        return self._recency.used_again(name)

    def recency(self) -> list[str]:
        """All names, the next to go first."""
        return self._recency.names()

    def reservation(self, mirror: str = "") -> Reservation:
        return Reservation(self, mirror)

    def reopen(self, name: str, mirror: str = "") -> Reservation:
        """A reservation that takes over the bytes of a kept partial, which is thereby no longer up for eviction."""
        reservation = Reservation(self, mirror)
        reservation.count = reservation.written = self._recency.of(name) or 0
        self.remove(name)
        self._reservations.add(reservation)
        return reservation

    async def take(self, reservation: Reservation, count: int) -> None:
        """See `Reservation.grow`."""
        await self._ready.wait()
        share = self.shares.all.get(reservation.mirror)
        if share is not None and self._over(share, reservation.mirror, count - reservation.count) > 0:
            await share.settled()
        # One at a time: two that saw the same free bytes would both take them.
        async with self._lock:
            more = count - reservation.count
            await self._make_room(reservation.mirror, more)
            if self.promise is not None:
                await self.promise(self.taken + more)
            if reservation.released:
                raise StoreError("the partial was given up")
            reservation.count = count
            self._reservations.add(reservation)

    async def _make_room(self, mirror: str, more: int) -> None:
        """Evict until `more` bytes fit; NoRoom where evicting all would not do: then nothing is evicted for it."""
        short = self._short(more)
        if short > self.stored:
            raise self._no_room(more, short)
        share = self.shares.all.get(mirror)
        while share is not None and (over := self._over(share, mirror, more)) > 0:
            if not share.known:
                raise NoRoom(f"it is not known yet what is stored of {mirror}")
            if over > share.recency.size:
                raise NoRoom(f"no room for {more} bytes more in the share of {mirror}: {over} bytes short")
            if not await self._evict(share.recency.oldest()):
                raise self._no_room(more, over)
            short = self._short(more)
        while short > 0:
            if short > self.stored or not await self._evict_oldest():
                raise self._no_room(more, short)
            short = self._short(more)

    def give_back(self, reservation: Reservation) -> None:
        self._reservations.discard(reservation)
        reservation.released = True
        reservation.count = reservation.written = 0

    def _short(self, more: int) -> int:
        """Bytes that are missing before `more` bytes could be reserved; zero or less when they are there."""
        return max(self._above(more), self._lacking(more))

    def _above(self, more: int) -> int:
        """The same, by our own limit."""
        return self.used + more - self.limits.max_size

    def _lacking(self, more: int) -> int:
        """The same, by what the file system has. A lack of files counts as a byte, so that one goes after the other, or
        as more than there is where all of them are too few."""
        promised = sum(r.count - r.written for r in self._reservations)
        need = self.limits.min_free + promised + more
        short = need - self._free(need)
        files = FILES + 2 * len(self._reservations) - self._files()  # of each its own, and maybe a folder
        if files > 0 and self._recency.size < files * MiB and len(self._recency.names()) < files:
            return max(short, self.stored + 1)
        return max(short, int(files > 0))

    def _no_room(self, more: int, short: int) -> NoRoom:
        if self._lacking(more) > max(0, self._above(more)):
            text = f"the file system is full: {short} bytes, or {FILES} files, short for {more} bytes more"
            return NoRoom(text, errno.ENOSPC)
        return NoRoom(f"no room for {more} bytes more: {short} bytes short, nothing left to evict")

    def _over(self, share: Share, mirror: str, more: int = 0) -> int:
        """Bytes by which that mirror would have more than its share, with `more` bytes; zero or less when not."""
        stored = share.recency.size if share.known else self.stored
        return stored + sum(r.count for r in self._reservations if r.mirror == mirror) + more - share.limit

    async def fit(self, *, free: bool = False) -> None:
        """Evict what is above `max_size` and the shares that are known, `free`: below `min_free` too."""
        evicting = self._whole
        while evicting:
            async with self._lock:  # let go in between: others need not wait for all of it
                evicting = await self._evict_above(free=free)

    async def _evict_above(self, *, free: bool) -> bool:
        for mirror, share in self.shares.all.items():
            if share.known and self._over(share, mirror) > 0 and share.recency.size:
                return await self._evict(share.recency.oldest())
        above = self._short(0) if free else self.used - self.limits.max_size
        return above > 0 and await self._evict(self._recency.oldest())

    async def note(self) -> None:
        """Tell how much is taken now, where that may be less than was promised."""
        async with self._lock:
            if self.promise is not None and self._counted:
                await self.promise(self.taken)

    async def _evict_oldest(self) -> bool:
        """True when there is less to store than before, or more is known of it."""
        if not self._counted and not self._recency.has_found:
            self._told.clear()  # what is used now must not go before what nobody has found yet
            await self._told.wait()
            return True
        return await self._evict(self._recency.oldest())

    async def _evict(self, name: str | None) -> bool:
        if name is None or self.evict is None:
            return False
        try:
            await self.evict(name)
        except StoreError as exc:
            log.warning("cannot evict %s: %s", name, exc)
        self.remove(name)
        self.evicted += 1
        return True


async def evict(store: BlobStore, index: Index, blob: str) -> str:
    """Remove a blob and the entry that points at it: the entry first, so that nobody finds it without its bytes. The
    entry's key, "" where there is none."""
    key, stored = "", (await store.entries([blob]))[0]
    if stored is not None:
        key = stored.key
        entry = await index.get(key)
        if entry is not None and entry.blob == blob:
            await index.delete(key)
    await store.delete(blob)
    return key
