"""The index in SQLite, by way of diskcache: text only, one thread, and the hot entries in memory before it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial as bind
from pathlib import Path
from typing import Any, TypeVar

import diskcache

from mirror.changes import Changes, of_key
from mirror.errors import StoreError
from mirror.model import Entry
from mirror.stores.addresses import Addresses, Known, Stored
from mirror.stores.codec import blob_of, dump_entry, load_entry
from mirror.stores.damage import damage
from mirror.stores.files import aside, move_aside

log = logging.getLogger("mirror.index")

TIMEOUT = 1.0
"""Seconds that a statement waits for a database that another process has locked."""

BATCH = 500

HOT = 50_000
"""Addresses that are known in memory."""

PAUSE = 0.005
"""Seconds for which others have their turn at the thread, between portions of what takes long."""

BEHIND = 0.25
"""Seconds for which new rows are gathered, up to `BATCH`, before they are written together."""

NEVER = 1 << 62

BROKEN = (sqlite3.Error, diskcache.Timeout, OSError, ValueError, TypeError, AttributeError, StoreError)
"""What a broken, locked or planted database raises out of diskcache."""

WAL_PAGES = 256
"""Pages after which SQLite moves its log into the database, so that the log stays small."""

WAL_SIZE = 2 * WAL_PAGES * 4096
"""Bytes that the log is counted as, at least."""

SETTINGS = {
    "eviction_policy": "none",
    "cull_limit": 0,
    "statistics": 0,
    "size_limit": NEVER,
    "disk_min_file_size": NEVER,
    "sqlite_mmap_size": 0,  # mapped, a read error would be a SIGBUS of the process (sqlite.org/mmap.html)
    "sqlite_wal_autocheckpoint": WAL_PAGES,
    "sqlite_synchronous": 1,  # NORMAL: a crash of the process loses nothing, and no fsync for each put
}

T = TypeVar("T")


class TextDisk(diskcache.Disk):  # type: ignore[misc]
    """Keys and values as TEXT. What is anything else is not read: unpickling a planted row would run code
    (CVE-2025-69872)."""

    def put(self, key: str) -> tuple[str, bool]:
        return key, True

    def get(self, key: Any, raw: Any) -> str | None:
        return key if isinstance(key, str) else None

    def store(self, value: str, read: bool, key: Any = None) -> tuple[int, int, None, str]:
        return 0, diskcache.core.MODE_RAW, None, value

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> str | None:
        return value if mode == diskcache.core.MODE_RAW and isinstance(value, str) else None


class DiskcacheIndex:
    """Entries by key in the database below the folder `path`; the `hot` last used ones in memory, too.

    An index that cannot be read is a miss, one that cannot be written is logged: neither is an error for a client.
    `rebuilt` is True where `start` found no database, or none that could be used: the entries must then be found again
    from the blobs. `suspect` is True once the database was found damaged while it ran.
    """

    def __init__(self, path: Path, *, timeout: float = TIMEOUT, hot: int = HOT, changes: Changes | None = None) -> None:
        self.rebuilt = False
        self.suspect = False
        self._path = path
        self._timeout = timeout
        self.changes = changes or Changes()
        # What was deleted stands there until its row is gone, and stays where the database refuses.
        self._hot = Addresses(hot)
        self._stored = Stored()
        self._pending: dict[str, Entry | None] = {}  # what the thread was not given yet to write
        self._timer: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, "mirror-index")
        self._cache: Any = None
        self._aside = 0  # bytes in databases that were moved aside
        self._quiet_until = 0.0  # monotonic seconds

    async def start(self) -> None:
        """Open the database; how long that takes does not depend on its size. StoreError when the folder cannot be used
        at all."""
        try:
            self.rebuilt = await self._run(self._open_some)
        except BROKEN as exc:
            raise StoreError(f"cannot use the index at {self._path}: {exc}") from exc

    def _open_some(self) -> bool:
        database = self._path / diskcache.core.DBNAME
        fresh = not database.is_file() or database.stat().st_size == 0
        try:
            self._open()
        except Exception as exc:  # whatever it is that is wrong with it, another one is needed
            log.warning("the index cannot be opened and is built again: %s", str(exc))
            self._open_another()
            fresh = True
        self._weigh_aside()
        return fresh

    def _open(self) -> None:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._cache = diskcache.Cache(str(self._path), timeout=self._timeout, disk=TextDisk, **SETTINGS)

    def _open_another(self) -> None:
        if self._cache is not None:
            self._cache.close()
        move_aside(self._path)
        self._open()

    def _weigh_aside(self) -> None:
        files = (file for folder in aside(self._path.parent) for file in (folder, *folder.glob("*")))
        self._aside = sum(file.lstat().st_blocks * 512 for file in files)

    async def check(self) -> None:
        """Read all of the database for damage, beside the requests, as is due after an unclean stop. A damaged one is
        moved aside: `rebuilt` is True then, and the index empty. StoreError when another cannot be opened."""
        verdict = await damage(self._path / diskcache.core.DBNAME)
        if not verdict:
            return
        log.warning("the index is damaged and is built again: %s", verdict)
        try:
            await self._run(self._open_another)
            await self._run(self._weigh_aside)
        except BROKEN as exc:
            raise StoreError(f"cannot use the index at {self._path}: {exc}") from exc
        self._hot.clear()  # or what is in memory only would be taken for a row
        self.rebuilt, self.suspect = True, False

    async def _run(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def get(self, key: str) -> Entry | None:
        known = self._hot.get(of_key(key))
        if known is None or not (known.whole or key in known.entries):
            try:
                known = await self._load(of_key(key))
            except StoreError:
                return None
        return known.entries.get(key)

    async def under(self, address: str) -> list[Entry]:
        """See `Index.under`; StoreError when the database cannot be read."""
        known = self._hot.get(address)
        if known is None or not known.whole:
            known = await self._load(address)
        return known.all()

    async def _load(self, address: str) -> Known:
        """All that is stored under an address, in memory from now on."""
        if self._stored.lacks(address):
            known = self._hot.made(address)
            known.whole = True
            return known
        while True:
            mark = self.changes.mark(address)
            try:
                texts = await self._read(self._rows, address)
            except BROKEN as exc:
                self._broke(exc, "read")
                raise StoreError(f"the index cannot be read: {exc}") from exc
            # 1. This reads the old row. 2. Another task deletes the key, row and all. 3. This would bring it back.
            if not self.changes.since(mark):
                break
        known = self._hot.made(address)
        known.fill(entry for key, text in texts if (entry := _readable(text)) is not None and entry.key == key)
        return known

    def _rows(self, address: str) -> list[tuple[str, str]]:
        select = "SELECT key, value FROM Cache WHERE raw = 1 AND (key = ? OR key >= ? AND key < ?)"
        rows = self._cache._sql(select, (address, f"{address} ", f"{address}!")).fetchall()  # "!" comes after " "
        return [(key, text) for key, text in rows if isinstance(key, str) and isinstance(text, str)]

    async def sums(self, prefix: str) -> tuple[int, int]:
        """See `Index.sums`; in portions, so that others have their turn at the thread."""
        count, size, after = 0, 0, prefix
        while True:
            try:
                some, theirs, last = await self._read(self._summed, after, f"{prefix}\U0010ffff")
            except BROKEN as exc:
                self._broke(exc, "read")
                raise StoreError(f"the index cannot be read: {exc}") from exc
            if not some:
                return count, size
            count, size, after = count + some, size + theirs, last

    def _summed(self, after: str, end: str) -> tuple[int, int, str]:
        page = "SELECT key, value FROM Cache WHERE key > ? AND key < ? AND raw = 1 ORDER BY key LIMIT 5000"
        sizes = "coalesce(sum(CASE WHEN json_valid(value) THEN json_extract(value, '$.size') END), 0)"
        ((count, size, last),) = self._cache._sql(
            f"SELECT count(*), {sizes}, max(key) FROM ({page})",  # noqa: S608
            (after, end),
        ).fetchall()
        return count, size, last

    async def put(self, entry: Entry) -> None:
        known = self._hot.made(of_key(entry.key))
        self._stored.add(of_key(entry.key))
        new = known.whole and known.entries.get(entry.key) is None
        known.entries[entry.key] = entry
        await self._changed(entry.key, entry, behind=new)

    async def adopt(self, entries: list[Entry]) -> list[str]:
        """Put those whose key has no entry, or an older one, in one transaction; the blob that each key has now.
        StoreError when the database refuses."""
        for entry in entries:
            self.changes.changed(of_key(entry.key))
            self._stored.add(of_key(entry.key))
        try:
            stand = await self._read(self._adopt, [entry for entry in entries if not self._in_memory(entry.key)])
        except BROKEN as exc:
            self._broke(exc, "written")
            raise StoreError(f"the index cannot be written: {exc}") from exc
        for entry in entries:  # what was put meanwhile is in memory, and its row comes after these
            if (now := self._in_memory(entry.key)) is not None:
                stand[entry.key] = now.blob
            elif (known := self._hot.get(of_key(entry.key))) is not None and stand[entry.key] == entry.blob:
                known.entries.setdefault(entry.key, entry)
        return [stand[entry.key] for entry in entries]

    def _in_memory(self, key: str) -> Entry | None:
        known = self._hot.get(of_key(key))
        return known.entries.get(key) if known is not None else None

    def _adopt(self, entries: list[Entry]) -> dict[str, str]:
        stand: dict[str, str] = {}

        def adopting() -> None:
            with self._cache.transact():
                for entry in entries:
                    known = _readable(self._cache.get(entry.key) or "")
                    # The row of what replaced another may not have been written: the other one's is there still then.
                    if known is None or known.head.received_at < entry.head.received_at:
                        self._cache.set(entry.key, dump_entry(entry))
                        known = entry
                    stand[entry.key] = known.blob

        self._attempt(adopting)
        return stand

    async def delete(self, key: str) -> None:
        self._hot.made(of_key(key)).entries[key] = None
        await self._changed(key, None, behind=False)

    async def _changed(self, key: str, entry: Entry | None, *, behind: bool) -> None:
        """Memory says so; the database, too, when this returns, or a moment later where it is `behind`: what is new can
        be found again from its blob."""
        self.changes.changed(of_key(key))
        self._pending[key] = entry
        if not behind:
            # It goes on when the caller is cancelled: memory says already that it is so.
            with contextlib.suppress(*BROKEN):
                await asyncio.shield(self._flush())
        elif len(self._pending) >= BATCH:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BEHIND, self._flush)

    def _flush(self) -> asyncio.Future[None]:
        """Have the thread write all that is not written yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pending, self._pending = self._pending, {}
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._write, pending)
        future.add_done_callback(bind(self._wrote, pending))
        return future

    def _write(self, pending: dict[str, Entry | None]) -> None:
        """In one transaction; where that fails, each alone, so that what cannot be written harms itself only."""
        try:
            self._attempt(bind(self._put_rows, pending))
        except BROKEN:
            if len(pending) == 1:
                raise
            for key, entry in pending.items():
                self._attempt(bind(self._put_rows, {key: entry}))

    def _put_rows(self, pending: dict[str, Entry | None]) -> None:
        with self._cache.transact() if len(pending) > 1 else contextlib.nullcontext():
            for key, entry in pending.items():
                if entry is None:
                    self._cache.delete(key)
                else:
                    self._cache.set(key, dump_entry(entry))

    def _attempt(self, call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException:
            # A COMMIT that failed leaves the transaction open, and the connection would refuse all further ones.
            with contextlib.suppress(sqlite3.Error):
                self._cache.close()
            raise

    def _wrote(self, pending: dict[str, Entry | None], future: asyncio.Future[None]) -> None:
        exc = None if future.cancelled() else future.exception()
        if isinstance(exc, BROKEN):
            self._broke(exc, "written")
        elif exc is None:
            for key in [key for key, entry in pending.items() if entry is None]:
                self._hot.deleted(key)

    async def _read(self, call: Callable[..., T], *args: Any) -> T:
        """`call(*args)` on the thread, after all writes."""
        if self._pending:
            self._flush()
        return await self._run(call, *args)

    def _broke(self, exc: Exception, what: str) -> None:
        self.suspect = self.suspect or type(exc) is sqlite3.DatabaseError  # "malformed", "not a database"
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + 60
            log.warning("the index cannot be %s: %s (%s)", what, exc, type(exc).__name__)

    async def survey(self) -> None:
        """Learn in portions what is stored, so that what is not need not be looked for. Runs behind the requests."""
        after: str | None = ""
        with contextlib.suppress(*BROKEN):  # whoever looks for something is told then
            while after is not None:
                after = await self._read(self._surveyed, after)
                await asyncio.sleep(PAUSE)
            self._stored.complete = True

    def _surveyed(self, after: str) -> str | None:
        select = "SELECT key FROM Cache WHERE key > ? AND raw = 1 ORDER BY key LIMIT 2000"
        rows = self._cache._sql(select, (after,)).fetchall()
        for (key,) in rows:
            self._stored.add(of_key(key))
        return rows[-1][0] if rows else None

    async def scan(self, prefix: str = "") -> AsyncIterator[list[Entry]]:
        """See `Index.scan`; StoreError when the database cannot be read: half a list must not look like a whole one."""
        async for texts in self._texts(prefix):
            entries = [entry for text in texts if (entry := _readable(text)) is not None]
            if entries:
                yield entries

    async def blobs(self) -> AsyncIterator[list[str]]:
        """The blobs of all entries, as `scan` gives the entries."""
        async for texts in self._texts(""):
            yield [blob_of(text) for text in texts]

    async def _texts(self, prefix: str) -> AsyncIterator[list[str]]:
        after: str | None = None
        while True:
            try:
                texts, after = await self._read(self._page, prefix, after)
            except BROKEN as exc:
                self._broke(exc, "read")
                raise StoreError(f"the index cannot be read: {exc}") from exc
            yield texts
            if after is None:
                return

    def _page(self, prefix: str, after: str | None) -> tuple[list[str], str | None]:
        """The texts of the next page, and the key that the one behind it begins after (None: there is none)."""
        # diskcache iterates over all keys or none, in pages of its own; its `_sql` runs a statement on its connection.
        # A page begins behind the last key of the one before: what is written meanwhile moves nothing. Texts are
        # compared byte by byte, so that the keys with one prefix stand together, case and `%` count as they are.
        where, bound = ("key >= ?", prefix) if after is None else ("key > ?", after)
        select = f"SELECT key, value FROM Cache WHERE {where} AND raw = 1 ORDER BY key LIMIT {BATCH}"  # noqa: S608
        rows = self._cache._sql(select, (bound,)).fetchall()
        ours = [row for row in rows if isinstance(row[0], str) and row[0].startswith(prefix)]  # all, or the first ones
        more = rows[-1][0] if len(ours) == BATCH else None
        return [text for _, text in ours if isinstance(text, str)], more

    def bytes_on_disk(self) -> int:
        """Bytes that the database takes; a few calls of stat."""
        found = {"": 0, "-wal": 0, "-shm": 0}
        for suffix in found:
            with contextlib.suppress(OSError):
                found[suffix] = os.stat(f"{self._path}/{diskcache.core.DBNAME}{suffix}").st_blocks * 512  # noqa: PTH116
        # The log grows between two askings; it counts as what it grows to.
        return self._aside + found[""] + found["-shm"] + max(found["-wal"], WAL_SIZE)

    async def close(self) -> None:
        """Write what is not written yet, and close the database; idempotent."""
        if self._pending:
            with contextlib.suppress(*BROKEN):
                await self._flush()
        if self._cache is not None:
            cache, self._cache = self._cache, None
            with contextlib.suppress(*BROKEN):
                await self._run(cache.close)
        await asyncio.to_thread(self._thread.shutdown)


def _readable(text: str) -> Entry | None:
    try:
        return load_entry(text)
    except StoreError:
        return None
