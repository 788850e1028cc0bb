"""Where bytes and entries are kept: one file per technology, and here all of them together below one path.

cache/
├── blobs.v1/ partial/      stores/disk.py
├── index.v1/               stores/sqlite.py
├── facts.v1/               stores/facts.py
├── taken                   stores/taken.py: bytes that blobs and partials take at most
├── recent                  stores/recent.py
├── lock                    held while a server uses this path; its process id
└── clean                   stands while no server does, if the last one stopped as it should
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mirror.alarm import Alarm
from mirror.changes import Changes
from mirror.counters import Counters
from mirror.errors import StoreError
from mirror.evict import Limits, Room, evict
from mirror.stores.counting import Pace
from mirror.stores.disk import DiskStore
from mirror.stores.facts import FileFacts
from mirror.stores.files import REFUSALS
from mirror.stores.leasing import locked, taken_away
from mirror.stores.sharing import learn
from mirror.stores.shelf import Durability
from mirror.stores.sqlite import DiskcacheIndex
from mirror.stores.sweeping import orphans, sweep
from mirror.stores.taken import Taken
from mirror.stores.volume import Volume

log = logging.getLogger("mirror.stores")

FOLDERS = 1_200_000
"""Bytes by which the folders themselves may grow before they are weighed again: 256 new ones, or 30,000 names."""

LOOK_EVERY = 0.02
"""Seconds between looks whether the server before has let the path go."""

USE_NOTED_EVERY = 60.0
"""Seconds; what a killed server forgets of the order in which blobs were used."""


def open_stores(
    path: Path,
    limits: Limits,
    durability: Durability = "full",
    changes: Changes | None = None,
    patience: float = 0.0,
    counters: Counters | None = None,
) -> Stores:
    """All stores below `path`, within `limits`; nothing is touched before `start`, which waits up to `patience` seconds
    for a server that lets the path go. What is evicted is counted in `counters`."""
    changes, counters = changes or Changes(), counters or Counters(())
    index = DiskcacheIndex(path / "index.v1", changes=changes)
    facts = FileFacts(path / "facts.v1", changes)
    volume = Volume(path)
    room = Room(
        limits,
        free=volume.free,
        files=volume.files,
        overhead=lambda: index.bytes_on_disk() + facts.bytes_on_disk() + FOLDERS + store.folders,
    )
    store = DiskStore(path, room, durability, changes=changes, alarm=Alarm(counters))

    async def leave(name: str) -> None:
        size = room.size(name) or 0
        key = await evict(store, index, name)
        counters.of(key[1:].partition("/")[0]).evicted(size)

    room.evict = leave
    taken = Taken(path / "taken", limits.max_size, store.run, sync=durability != "none")
    room.promise = taken.promise
    return Stores(store, index, facts, room, taken, path, changes, patience)


@dataclass(slots=True)
class Stores:
    """The stores of one cache path, which no other server may use at the same time."""

    store: DiskStore
    index: DiskcacheIndex
    facts: FileFacts
    room: Room
    taken: Taken
    path: Path
    changes: Changes
    patience: float = 0.0
    _lock: int = field(default=-1, init=False)
    _clean: bool = field(default=False, init=False)  # index and blobs are known to agree
    _marked: bool = field(default=False, init=False)  # the disk did not let the marker of a clean stop be taken away
    _limited: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    async def start(self) -> None:
        """Lock the path and open all; counting what is there goes on behind. StoreError when the path is not to be
        trusted or used by another server, or when nothing can be made there; nothing is left open then. A disk that
        takes no writes keeps nobody from what is stored there."""
        try:
            try:
                _make_private(self.path)
                self._lock = await self._lease()
                self._clean = self._unmark()
            except OSError as exc:
                raise StoreError(f"cannot use the cache at {self.path}: {exc.strerror or exc}") from exc
            await self.store.start()
            await self.facts.start()
            await self.index.start()
            self._clean = self._clean and not self.index.rebuilt
            # Whoever reads beside this server: what the last one did not come to tell, and the database may be another.
            self.changes.all_changed()
            if not self._clean:
                self.store.purged = []
                await self._find_recent()
        except BaseException:
            await self._close()
            raise
        self._task = asyncio.get_running_loop().create_task(self._attend())

    def _unmark(self) -> bool:
        """Whether the last server stopped as it should: nothing may say so of this one until it does."""
        try:
            clean = taken_away(self.path / "clean")
        except OSError as exc:
            if exc.errno not in REFUSALS:
                raise
            self._marked = True
            return False
        self._marked = False
        return clean

    async def _lease(self) -> int:
        """See `locked`."""
        waited = 0.0
        while True:
            try:
                return locked(self.path / "lock")
            except StoreError:
                if waited >= self.patience:
                    raise
            await asyncio.sleep(LOOK_EVERY)
            waited += LOOK_EVERY

    async def _find_recent(self) -> None:
        """What was stored in the last moment before a kill may have no row yet: it is found before anybody asks."""
        with contextlib.suppress(StoreError):
            entries = await self.store.entries(await self.store.recent())
            await self.index.adopt([entry for entry in entries if entry is not None])

    async def _attend(self) -> None:
        try:
            await self.facts.count()
            if (taken := await self.store.run(self.taken.read)) is not None:
                self.room.assume(taken)
            await self.index.survey()
            blobs = await self.store.count()
            if not self._clean:
                await self._mend(blobs)
            self.store.purged = None
            self._clean = True
        except Exception:
            log.exception("cannot count what is stored")
            self._clean = False
            self.room.counted(whole=False)  # whoever wants to store waits for it
        while True:
            if self._marked:
                with contextlib.suppress(OSError):
                    self._unmark()
            await self._hold_limits()
            await self.room.note()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(USE_NOTED_EVERY):
                    await self._limited.wait()
            await self.store.note_use()

    def become(self, limits: Limits, shares: Mapping[str, int]) -> None:
        """From now on these hold, for mirrors by name the `shares`, in bytes; what is more goes soon, behind the
        requests."""
        self.taken.become(limits.max_size)
        self.room.become(limits, shares)
        self._limited.set()

    async def _hold_limits(self) -> None:
        """Evict what is more than limits and shares allow."""
        changed = self._limited.is_set()
        self._limited.clear()
        if not self.room.whole:
            return
        try:
            await learn(self.store, self.index, self.room, Pace())
        except StoreError as exc:
            log.warning("it is not known what is stored of the mirrors with a share: %s", exc)
        await self.room.fit(free=changed)

    async def _mend(self, blobs: list[str]) -> None:
        """Until it is done, what is wrong with the index is a miss, and a blob that nothing points at is not found."""
        pace = Pace()
        if not self.index.rebuilt:
            await self.index.check()
        if not self.index.rebuilt:
            blobs = await orphans(self.index, blobs, pace)
        # What is not adopted yet is fetched again: that costs more than the longer wait of a hit.
        adopted, removed = await sweep(self.store, self.index, blobs, Pace(rest=1))
        if adopted or removed:
            log.info("after an unclean stop: %d blobs adopted, %d removed", adopted, removed)

    async def close(self) -> None:
        """Write down what is only in memory and let the path go; idempotent. All fills have ended before."""
        started = self._task is not None
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._close(clean=started and self._clean)

    async def _close(self, *, clean: bool = False) -> None:
        if self._lock >= 0:
            await self.store.close()
        await self.facts.close()
        await self.index.close()
        clean = clean and not self.index.suspect
        if self._lock >= 0:
            if self._marked:
                with contextlib.suppress(OSError):
                    self._unmark()
            if clean and self.room.ready:
                self.taken.write(self.room.taken)
            if clean:
                with contextlib.suppress(OSError):
                    (self.path / "clean").touch(mode=0o600)
            os.close(self._lock)
            self._lock = -1


def _make_private(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = path.stat().st_mode
    if mode & stat.S_IWOTH:
        raise StoreError(f"everybody may write to the cache at {path}: what is there cannot be trusted")
    if mode & 0o077:
        path.chmod(0o700)
