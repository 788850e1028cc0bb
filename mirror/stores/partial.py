"""A partial on disk: a sparse file, the extents that are in it, and the digest of what is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mirror.errors import StoreError
from mirror.evict import Reservation, on_disk
from mirror.extents import Extents
from mirror.model import Digest
from mirror.ports import Hash, Note
from mirror.stores.blob import FileSpan
from mirror.stores.handles import LARGE
from mirror.stores.hashes import HASH_CHUNK, Hashes
from mirror.stores.writer import FileWriter, write_run

if TYPE_CHECKING:
    from mirror.model import Entry

CHECKPOINT = 16 * 1024 * 1024
"""Bytes after which the extents are noted, so that a killed process loses no more of a download than that."""

GROWTH = 4 * 1024 * 1024
"""Bytes that are reserved at a time for a body of unknown length."""

FOOTER_ROOM = 16 * 1024
"""Bytes that are reserved for a blob's footer."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Keeping:
    """What a partial asks of its store: commit it to a name, keep it for later, forget it."""

    commit: Callable[[FilePartial, int, Digest | None], Awaitable[Entry]]
    checkpoint: Callable[[FilePartial], Awaitable[None]]
    keep: Callable[[FilePartial], Awaitable[None]]
    discard: Callable[[FilePartial], Awaitable[None]]
    refused: Callable[[FilePartial, StoreError], None]


class FilePartial:
    """The sparse file `<id>.part`, its note, and the extents that are on disk."""

    def __init__(self, path: Path, note: Note, executor: Executor, keeping: Keeping, reservation: Reservation) -> None:
        self.path = path
        self.note = note
        self.executor = executor
        self.extents = Extents()
        self.hashes = Hashes(note.digest)
        self.fd = -1
        self.reservation = reservation
        self.has_note = False  # `<id>.json` stands on disk
        self._keeping = keeping
        self._writers: list[FileWriter] = []
        self._opening = asyncio.Lock()
        self._hashing = asyncio.Lock()
        self._refused = False
        self._over = False  # discarded or closed: no file may be made any more
        self._noted = 0  # bytes that the last checkpoint knew
        self._checkpoint: asyncio.Task[None] | None = None

    def refused(self, exc: StoreError) -> None:
        """It will not be stored: told once."""
        if not self._refused:
            self._refused = True
            self._keeping.refused(self, exc)

    async def reserve(self, size: int) -> None:
        """Make sure that a body of `size` bytes may be written; NoRoom when not. Reserves the whole at once where the
        total is known, else in steps."""
        body = max(size, self.note.total or 0)
        step = body if self.note.total is not None else -(-size // GROWTH) * GROWTH
        await self.reservation.grow(on_disk(max(body, step) + FOOTER_ROOM), body)

    async def open(self) -> None:
        """Make the file, when that has not happened yet. OSError when the disk refuses."""
        if self.fd < 0:
            await self.opened(self.open_now)

    async def opened(self, call: Callable[[], T]) -> T:
        """What `call`, which makes the file, gives. OSError when the disk refuses."""
        async with self._opening:
            return await self.run(call)

    def open_now(self) -> None:
        """Make the file, when that has not happened yet. Blocks."""
        if self._over:
            raise StoreError("the partial was given up")
        if self.fd < 0:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """`call(*args)` on the store's executor."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, call, *args)

    def writer(self, offset: int) -> FileWriter:
        writer = FileWriter(self, offset)
        self._writers.append(writer)
        return writer

    def span(self, start: int, end: int) -> FileSpan:
        return FileSpan(self.fd, start, end - start, self.executor)

    async def wrote(self, start: int, end: int) -> None:
        """Bytes `[start, end)` are on disk now."""
        self.extents.add(start, end)
        self.reservation.written = self.extents.size
        async with self._hashing:
            await self._catch_up()
        if self.extents.size - self._noted >= CHECKPOINT and self._checkpoint is None:
            self._checkpoint = asyncio.get_running_loop().create_task(self._note())

    async def write_at_once(self, start: int, batch: list[bytes]) -> None:
        """Make the file, write `batch` at `start` and hash it, in one executor call."""
        await self.opened(lambda: self._write_at_once(start, batch))
        await self.wrote(start, start + sum(map(len, batch)))

    def _write_at_once(self, start: int, batch: list[bytes]) -> None:
        self.open_now()
        write_run(self.fd, start, batch, self.hashes)

    async def _catch_up(self) -> None:
        # Two segments have met: hash what the one behind has written, a piece now and a piece with each write.
        end = min(self.extents.end_of_run(self.hashes.at), self.hashes.at + 8 * HASH_CHUNK)
        if end > self.hashes.at:
            await self.run(self.hashes.update_from, self.fd, end)

    async def _note(self) -> None:
        try:
            while self.extents.size - self._noted >= CHECKPOINT:  # again, where as much has come meanwhile
                self._noted = self.extents.size
                with contextlib.suppress(StoreError, OSError):  # resuming is a kindness; the download goes on without
                    await self._keeping.checkpoint(self)
        finally:
            self._checkpoint = None

    async def _settled(self) -> None:
        if self._checkpoint is not None:
            await self._checkpoint

    def hashed(self) -> tuple[int, Hash]:
        return self.hashes.state()

    async def commit(self, size: int, digest: Digest | None) -> Entry:
        await self._settled()
        try:
            return await self._keeping.commit(self, size, digest)
        except StoreError as exc:
            self.refused(exc)
            raise

    async def keep(self) -> None:
        for writer in self._writers:  # a download that was stopped leaves them open
            with contextlib.suppress(StoreError):
                await writer.close()
        await self._settled()
        await self._keeping.keep(self)

    async def discard(self) -> None:
        self._over = True
        for writer in self._writers:
            await writer.abandon()
        await self._settled()
        async with self._opening:  # a file that is being made is there to be removed afterwards
            await self._keeping.discard(self)

    async def close(self) -> None:
        self._over = True
        async with self._opening:
            fd, self.fd = self.fd, -1
            if fd >= 0 and max(self.extents.size, self.hashes.at) < LARGE:
                os.close(fd)
            elif fd >= 0:
                await asyncio.shield(self.run(os.close, fd))
        self._writers.clear()  # which know it
