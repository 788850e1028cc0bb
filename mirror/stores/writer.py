"""Writes one run of a partial behind the download: chunks are gathered and go to the disk in few large writes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiofiles.threadpool.binary import AsyncFileIO

from mirror.errors import StoreError
from mirror.stores.files import write_all

if TYPE_CHECKING:
    from mirror.stores.hashes import Hashes
    from mirror.stores.partial import FilePartial

log = logging.getLogger("mirror.stores")

BATCH = 512 * 1024
"""Bytes gathered before they are written: one executor call for each, so few and large."""


SLICE = 64 * 1024
"""Bytes that are written and hashed in one turn, while they are in the processor's cache."""


def write_run(fd: int, offset: int, chunks: Iterable[bytes], hashes: Hashes) -> None:
    """Write chunks one behind the other, and hash them where all before them is hashed. Blocks."""
    for chunk in chunks:
        for start in range(0, len(chunk), SLICE):
            piece = memoryview(chunk)[start : start + SLICE]
            write_all(fd, piece, offset)
            if hashes.at == offset:
                hashes.update(piece)
            offset += len(piece)


class _Run(io.FileIO):
    """The file of a partial, opened for one run of it."""

    def __init__(self, partial: FilePartial, offset: int) -> None:
        partial.open_now()
        super().__init__(partial.path, "r+")
        self._at = offset
        self._hashes = partial.hashes

    def writelines(self, chunks: Iterable[bytes]) -> None:  # type: ignore[override]
        chunks = list(chunks)
        write_run(self.fileno(), self._at, chunks, self._hashes)
        self._at += sum(map(len, chunks))


class FileWriter:
    """Writes one run of a partial; its own handle, so that the runs of several segments do not wait for each other."""

    def __init__(self, partial: FilePartial, offset: int) -> None:
        self._partial = partial
        self._pending: list[bytes] = []
        self._taken = offset  # everything before this was given to `add`
        self._batched = offset  # everything before this was given to the disk
        self._wanted = offset  # somebody waits until this much is written
        self._handle: AsyncFileIO | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed: StoreError | None = None
        self._closing = False
        self._closed: asyncio.Task[None] | None = None
        self.written = offset

    def add(self, chunk: bytes) -> None:
        if self._failed:
            return  # nobody will write it: a body goes on without its disk, and must not gather here
        self._pending.append(chunk)
        self._taken += len(chunk)
        if self._taken - self._batched >= BATCH:
            self._start()

    async def drain(self, mark: int) -> None:
        self._wanted = max(self._wanted, min(mark, self._taken))
        while self.written < self._wanted:
            if self._failed:
                raise self._failed
            await asyncio.shield(self._start())

    async def close(self) -> None:
        self._closing = True
        try:
            await self.drain(self._taken)
        finally:
            if self._task is not None:  # cancelled in the middle of a write, which still has the handle
                await asyncio.shield(self._task)
            if self._handle is not None and self._closed is None:
                # A task of its own: who is cancelled here must not take the closing out of the executor's queue.
                self._closed = asyncio.get_running_loop().create_task(self._handle.close())
            if self._closed is not None:
                await asyncio.shield(self._closed)

    async def abandon(self) -> None:
        """Give up the file and what is not written yet."""
        self._failed = self._failed or StoreError("the partial was given up")
        self._pending.clear()
        with contextlib.suppress(StoreError):
            await self.close()

    def _start(self) -> asyncio.Task[None]:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._flush())
        return self._task

    async def _flush(self) -> None:
        try:
            while not self._failed and self._due():
                batch, self._pending = self._pending, []
                count = sum(map(len, batch))
                self._batched += count
                await self._write(batch, count)
                self.written += count
        except OSError as exc:
            self._failed = StoreError(f"cannot write to the cache: {exc.strerror or exc}", exc.errno)
        except StoreError as exc:
            self._failed = exc
        except Exception as exc:
            # To go on would put the next bytes where these belong.
            log.exception("writing to the cache broke")
            self._failed = StoreError(f"cannot write to the cache: {exc}")
        finally:
            self._task = None
            if self._failed:
                self._pending.clear()
                self._partial.refused(self._failed)

    def _due(self) -> bool:
        return self._taken - self._batched >= BATCH or self._batched < self._wanted

    async def _write(self, batch: list[bytes], count: int) -> None:
        await self._partial.reserve(self.written + count)
        if self._handle is None and self._closing:
            # All there is, as with most small bodies: one executor call instead of three.
            return await self._partial.write_at_once(self.written, batch)
        if self._handle is None:
            run = await self._partial.opened(lambda: _Run(self._partial, self.written))
            self._handle = AsyncFileIO(run, asyncio.get_running_loop(), self._partial.executor)
        await self._handle.writelines(batch)
        return await self._partial.wrote(self.written, self.written + count)
