"""The index's database: opened, replaced where it cannot be used, looked through for damage, on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import diskcache

from mirror.errors import StoreError
from mirror.stores import standin
from mirror.stores.damage import damage
from mirror.stores.files import aside, move_aside
from mirror.stores.rows import BROKEN, SETTINGS, WAL_SIZE, TextDisk

log = logging.getLogger("mirror.index")

TIMEOUT = 1.0
"""Seconds that a statement waits for a database that another process has locked."""

T = TypeVar("T")


class Database:
    """The database below the folder `path`. Calls of `run` are carried out one after the other, in their order.
    `standing_in`: it is elsewhere, because the folder takes no writes, and ends with this server."""

    def __init__(self, path: Path, timeout: float = TIMEOUT) -> None:
        self.cache: Any = None
        self.standing_in = False
        self._path = path
        self._timeout = timeout
        self._thread = ThreadPoolExecutor(1, "mirror-index")
        self._aside = 0  # bytes in databases that were moved aside
        self._own = 0  # bytes in this one, when it was last written to

    def run(self, call: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """`call(*args)` on the thread. Raises BROKEN."""
        return asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def start(self) -> bool:
        """Open it; how long that takes does not depend on its size. True where there was none, or none that could be
        used. StoreError when the folder cannot be used at all."""
        return await self._usable(self._open_some)

    async def _usable(self, call: Callable[[], T]) -> T:
        try:
            return await self.run(call)
        except BROKEN as exc:
            raise StoreError(f"cannot use the index at {self._path}: {exc}") from exc

    def _open_some(self) -> bool:
        database = self._path / diskcache.core.DBNAME
        fresh = not database.is_file() or database.stat().st_size == 0
        standin.removed(self._path)
        # First: diskcache may try for minutes to open one that cannot be written.
        if (refusal := standin.refusal(self._path)) is not None:
            fresh = not self._open_elsewhere(refusal) or fresh
        else:
            fresh = not self._opened() or fresh
        self._weigh_aside()
        self._weigh()
        return fresh

    def _opened(self) -> bool:
        """Whether it can be opened; else there is another, empty one."""
        try:
            self._open()
        except Exception as exc:  # whatever it is that is wrong with it, another one is needed
            log.warning("the index cannot be opened and is built again: %s", str(exc))
            self._open_another()
            return False
        return True

    def _open(self) -> None:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.cache = diskcache.Cache(str(self._path), timeout=self._timeout, disk=TextDisk, **SETTINGS)

    def _open_elsewhere(self, refusal: OSError) -> bool:
        """Open a copy, or an empty one where there is no room for a copy; whether it is a copy."""
        folder = self._path
        for copied in (True, False):
            for self._path in standin.places(folder):
                with contextlib.suppress(*BROKEN):
                    self._shut()
                    standin.removed(folder)
                    standin.made(folder, self._path, copied=copied)
                    self._open()
                    self.standing_in = True
                    why = refusal.strerror or refusal
                    log.warning("the index cannot be written (%s): until the next start it is at %s", why, self._path)
                    return copied
        self._path = folder
        standin.removed(folder)
        raise refusal

    def _shut(self) -> None:
        if self.cache is not None:
            self.cache.close()

    def _open_another(self) -> None:
        self._shut()
        move_aside(self._path)
        self._open()

    def _weigh_aside(self) -> None:
        files = (file for folder in aside(self._path.parent) for file in (folder, *folder.glob("*")))
        self._aside = sum(file.lstat().st_blocks * 512 for file in files)

    def _weigh(self) -> None:
        found = {"": 0, "-wal": 0, "-shm": 0}
        for suffix in found:
            with contextlib.suppress(OSError):
                found[suffix] = os.stat(f"{self._path}/{diskcache.core.DBNAME}{suffix}").st_blocks * 512  # noqa: PTH116
        # The log grows between two writes; it counts as what it grows to.
        self._own = found[""] + found["-shm"] + max(found["-wal"], WAL_SIZE)

    async def replaced(self) -> bool:
        """Read all of it for damage, beside the requests; True where it was damaged, and is another, empty one now.
        StoreError when another cannot be opened."""
        verdict = await damage(self._path / diskcache.core.DBNAME)
        if not verdict:
            return False
        log.warning("the index is damaged and is built again: %s", verdict)
        await self._usable(self._open_another)
        await self._usable(self._weigh_aside)
        await self._usable(self._weigh)
        return True

    def on(self, call: Callable[..., T], *args: Any) -> T:
        """`call(execute, *args)`. On the thread: diskcache has a connection for each."""
        return call(self.cache._sql, *args)

    def attempt(self, call: Callable[[Any, Any], T], what: Any) -> T:
        """`call(cache, what)`, which writes. On the thread."""
        try:
            result = call(self.cache, what)
        except BaseException:
            # A COMMIT that failed leaves the transaction open, and the connection would refuse all further ones. It is
            # not closed: beside a lock, diskcache tries for a minute to open another.
            with contextlib.suppress(sqlite3.Error):
                self.cache._sql("ROLLBACK")
            raise
        self._weigh()
        return result

    @property
    def bytes_on_disk(self) -> int:
        """Bytes that the database takes, as of the last time that it was written to."""
        return self._aside + self._own

    async def close(self) -> None:
        """Close it, after all that the thread was given; idempotent."""
        if self.cache is not None:
            with contextlib.suppress(*BROKEN):
                await self.run(self.cache.close)
            self.cache = None
        if self.standing_in:
            await self.run(shutil.rmtree, self._path.parent, True)
            self.standing_in = False
        await asyncio.to_thread(self._thread.shutdown)
