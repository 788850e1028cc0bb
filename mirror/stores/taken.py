"""How many bytes blobs and partials take at most, in a file that also stands after a kill: so that a server that
starts need not count them before it stores anything."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mirror.stores.files import read_own

Run = Callable[..., Awaitable[Any]]

STEP = 4_000_000
"""Bytes by which the file may say too much: so rarely is it written. A full cache that was killed evicts so much too
early, so that it is not more."""


class Taken:
    """The file at `path`, for a cache of at most `limit` bytes; `run` runs what blocks. What cannot be written is
    removed: the next start then waits for its count."""

    def __init__(self, path: Path, limit: int, run: Run, *, sync: bool) -> None:
        self._path = path
        self.become(limit)
        self._run = run
        self._sync = sync
        self._noted = -1  # what the file says; less than nothing: not known
        self._writing = asyncio.Lock()  # two at the same time could end in either order

    def become(self, limit: int) -> None:
        """From now on there are so many bytes at most."""
        self._limit = limit
        self._step = max(1, min(STEP, limit // 64))

    def read(self) -> int | None:
        """What is taken at most; None when that is not known. Blocks."""
        try:
            self._noted = int(read_own(self._path))
        except (OSError, ValueError):
            return None
        return self._noted if self._noted >= 0 else None

    async def promise(self, count: int) -> None:
        """`count` bytes will be taken. Goes on when the caller is cancelled: the file must not say less."""
        if self._noted - 2 * self._step <= count <= self._noted:
            return
        noted = max(count, min(count + self._step, self._limit))
        await asyncio.shield(self._write(noted))

    async def _write(self, count: int) -> None:
        async with self._writing:
            await self._run(self.write, count)

    def write(self, count: int) -> None:
        """The file says `count` from now on. Blocks."""
        try:
            fd = self._opened()
            try:
                os.pwrite(fd, b"%020d\n" % count, 0)  # in place: a disk that is full takes it too
                if self._sync:
                    os.fdatasync(fd)
            finally:
                os.close(fd)
            self._noted = count
        except OSError:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._noted = -1

    def _opened(self) -> int:
        """The file, for writing: ours alone. What has a second name somewhere, or another owner, is taken away."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(self._path, flags, 0o600)
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink == 1:
            return fd
        os.close(fd)
        self._path.unlink()
        return os.open(self._path, flags | os.O_EXCL, 0o600)
