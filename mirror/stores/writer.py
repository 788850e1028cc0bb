"""Writes one run of a partial behind the download: chunks are gathered and go to the disk in few large writes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import aiofiles

from mirror.errors import StoreError

if TYPE_CHECKING:
    from aiofiles.threadpool.binary import AsyncFileIO

    from mirror.stores.partial import FilePartial

log = logging.getLogger("mirror.stores")

BATCH = 512 * 1024
"""Bytes gathered before they are written: one executor call for each, so few and large."""


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
                batch = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
                self._pending.clear()
                self._batched += len(batch)
                await self._write(batch)
                self.written += len(batch)
        except OSError as exc:
            self._failed = StoreError(f"cannot write to the cache: {exc.strerror or exc}")
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

    def _due(self) -> bool:
        return self._taken - self._batched >= BATCH or self._batched < self._wanted

    async def _write(self, batch: bytes) -> None:
        await self._partial.reserve(self.written + len(batch))
        if self._handle is None and self._closing:
            # All there is, as with most small bodies: one executor call instead of five.
            return await self._partial.write_at_once(self.written, batch)
        if self._handle is None:
            await self._partial.open()
            self._handle = await aiofiles.open(self._partial.path, "r+b", buffering=0, executor=self._partial.executor)
            await self._handle.seek(self.written)
        view = memoryview(batch)
        while view:
            view = view[await self._handle.write(view) :]
        return await self._partial.wrote(self.written, batch)
