"""The index in SQLite, by way of diskcache: text only, one thread, and the hot entries in memory before it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import diskcache

from mirror.changes import Changes, of_key
from mirror.errors import StoreError
from mirror.model import Entry
from mirror.stores.codec import dump_entry, load_entry
from mirror.stores.files import aside, move_aside

log = logging.getLogger("mirror.index")

TIMEOUT = 1.0
"""Seconds that a statement waits for a database that another process has locked."""

BATCH = 500
HOT = 50_000
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
        self._most = hot
        self.changes = changes or Changes()
        # None: deleted. It stands until the row is gone, and stays where the database refuses.
        self._hot: OrderedDict[str, Entry | None] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, "mirror-index")
        self._cache: Any = None
        self._aside = 0  # bytes in databases that were moved aside
        self._quiet_until = 0.0  # monotonic seconds

    async def start(self, *, check: bool = False) -> None:
        """Open the database; `check` reads all of it for damage, as is due after an unclean stop. StoreError when the
        folder cannot be used at all."""
        try:
            self.rebuilt = await self._run(self._open_some, check)
        except BROKEN as exc:
            raise StoreError(f"cannot use the index at {self._path}: {exc}") from exc

    def _open_some(self, check: bool) -> bool:
        database = self._path / diskcache.core.DBNAME
        fresh = not database.is_file() or database.stat().st_size == 0
        try:
            self._open(check)
        except Exception as exc:  # whatever it is that is wrong with it, another one is needed
            log.warning("the index cannot be opened and is built again: %s", str(exc))
            if self._cache is not None:
                self._cache.close()
            move_aside(self._path)
            self._open(check=False)
            fresh = True
        files = (file for folder in aside(self._path.parent) for file in (folder, *folder.glob("*")))
        self._aside = sum(file.lstat().st_blocks * 512 for file in files)
        return fresh

    def _open(self, check: bool) -> None:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._cache = diskcache.Cache(str(self._path), timeout=self._timeout, disk=TextDisk, **SETTINGS)
        if check:
            ((verdict,),) = self._cache._sql("PRAGMA quick_check(1)").fetchall()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)

    async def _run(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def get(self, key: str) -> Entry | None:
        if key in self._hot:
            self._hot.move_to_end(key)
            return self._hot[key]
        try:
            text = await self._run(self._row, key)
            entry = load_entry(text) if text else None
        except BROKEN as exc:
            self._broke(exc, "read")
            entry = None
        # 1. this read the old row; 2. another task put or deleted the key: what is in memory now is newer than the row.
        if key in self._hot:
            return self._hot[key]
        if entry is None or entry.key != key:
            return None
        self._remember(key, entry)
        return entry

    def _row(self, key: str) -> str | None:
        text: str | None = self._cache.get(key)
        return text

    async def put(self, entry: Entry) -> None:
        self._remember(entry.key, entry)
        self.changes.changed(of_key(entry.key))
        await self._write(entry.key, lambda: self._cache.set(entry.key, dump_entry(entry)))

    async def delete(self, key: str) -> None:
        self._remember(key, None)
        self.changes.changed(of_key(key))
        if await self._write(key, lambda: self._cache.delete(key)) and self._hot.get(key, 0) is None:
            del self._hot[key]

    async def _write(self, key: str, call: Callable[[], object]) -> bool:
        """True when the database took it. Goes on when the caller is cancelled: memory says already that it is so."""
        try:
            await asyncio.shield(self._run(self._attempt, key, call))
        except BROKEN as exc:
            self._broke(exc, "written")
            return False
        return True

    def _attempt(self, key: str, call: Callable[[], object]) -> None:
        try:
            call()
            # 1. It is told that the key changed. 2. Another process takes the new mark, and reads the old row. 3. The
            # row is written. So it is told again, here: the caller may have been cancelled.
            self.changes.changed(of_key(key))
        except BaseException:
            # A COMMIT that failed leaves the transaction open, and the connection would refuse all further ones.
            with contextlib.suppress(sqlite3.Error):
                self._cache.close()
            raise

    def _remember(self, key: str, entry: Entry | None) -> None:
        self._hot[key] = entry
        self._hot.move_to_end(key)
        if len(self._hot) > self._most:
            self._hot.popitem(last=False)

    def _broke(self, exc: Exception, what: str) -> None:
        self.suspect = self.suspect or type(exc) is sqlite3.DatabaseError  # "malformed", "not a database"
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + 60
            log.warning("the index cannot be %s: %s (%s)", what, exc, type(exc).__name__)

    async def scan(self, prefix: str = "") -> AsyncIterator[list[Entry]]:
        """See `Index.scan`; StoreError when the database cannot be read: half a list must not look like a whole one."""
        after: str | None = None
        while True:
            try:
                texts, after = await self._run(self._page, prefix, after)
            except BROKEN as exc:
                self._broke(exc, "read")
                raise StoreError(f"the index cannot be read: {exc}") from exc
            entries = []
            for text in texts:
                with contextlib.suppress(StoreError):
                    entries.append(load_entry(text))
            if entries:
                yield entries
            if after is None:
                return

    def _page(self, prefix: str, after: str | None) -> tuple[list[str], str | None]:
        """The texts of the next page, and the key that the one behind it begins after (None: there is none)."""
        # diskcache iterates over all keys or none, in pages of its own; its `_sql` runs a statement on its connection.
        return page(self._cache._sql, prefix, after)

    def bytes_on_disk(self) -> int:
        """Bytes that the database takes; a few calls of stat."""
        found = {"": 0, "-wal": 0, "-shm": 0}
        for suffix in found:
            with contextlib.suppress(OSError):
                found[suffix] = os.stat(f"{self._path}/{diskcache.core.DBNAME}{suffix}").st_blocks * 512  # noqa: PTH116
        # The log grows between two askings; it counts as what it grows to.
        return self._aside + found[""] + found["-shm"] + max(found["-wal"], WAL_SIZE)

    async def close(self) -> None:
        """Close the database; idempotent."""
        if self._cache is not None:
            cache, self._cache = self._cache, None
            with contextlib.suppress(*BROKEN):
                await self._run(cache.close)
        await asyncio.to_thread(self._thread.shutdown)


def page(execute: Callable[[str, tuple[str]], Any], prefix: str, after: str | None) -> tuple[list[str], str | None]:
    """See `DiskcacheIndex._page`; `execute` runs a statement and brings its cursor."""
    # A page begins behind the last key of the one before: what is written meanwhile moves nothing. Texts are
    # compared byte by byte, so that the keys with one prefix stand together, case and `%` count as they are.
    where, bound = ("key >= ?", prefix) if after is None else ("key > ?", after)
    select = f"SELECT key, value FROM Cache WHERE {where} AND raw = 1 ORDER BY key LIMIT {BATCH}"  # noqa: S608
    rows = execute(select, (bound,)).fetchall()
    ours = [row for row in rows if isinstance(row[0], str) and row[0].startswith(prefix)]  # all, or the first ones
    more = rows[-1][0] if len(ours) == BATCH else None
    return [text for _, text in ours if isinstance(text, str)], more
