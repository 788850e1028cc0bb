"""A blob file: opened once, checked, and then read from that descriptor alone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import Executor
from pathlib import Path

from mirror.errors import StoreError, Unreadable
from mirror.model import Entry
from mirror.ports import Piece
from mirror.stores.codec import TRAILER, footer_size, load_footer
from mirror.stores.files import open_own
from mirror.stores.handles import Handle

CHUNK = 256 * 1024
"""Bytes read in one executor call; fewer, larger calls cost less, larger ones more memory for each slow reader."""

MAX_FOOTER = 4 * 1024 * 1024

AT_ONCE = 4 * 1024 * 1024
"""Bytes of a body that is proven right before its reader gets any of it; some milliseconds."""

HELD = 64 * 1024
"""Bytes that the reader of a larger one gets when it is proven: without them no answer is complete."""


class FileSpan:
    """Bytes of an open file, by descriptor: positioned reads, so that any number of readers share it.

    aiofiles reads through the file's own position, which all readers of one partial would share; hence `os.pread`.
    """

    __slots__ = ("_executor", "count", "fd", "offset")

    def __init__(self, fd: int, offset: int, count: int, executor: Executor) -> None:
        self.fd = fd
        self.offset = offset
        self.count = count
        self._executor = executor

    def in_memory(self, offset: int, count: int) -> bool:
        probe = bytearray(1)
        try:
            # The last byte stands for all: the kernel reads ahead in order, and forgets the oldest first.
            return os.preadv(self.fd, [probe], offset + count - 1, os.RWF_NOWAIT) == 1
        except BlockingIOError:
            return False
        except OSError:  # a file system that cannot tell
            return True

    async def chunks(self, offset: int | None = None, count: int | None = None) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        at = self.offset if offset is None else offset
        end = self.offset + self.count if count is None else at + count
        while at < end:
            try:
                chunk = await loop.run_in_executor(self._executor, os.pread, self.fd, min(CHUNK, end - at), at)
            except OSError as exc:
                raise Unreadable(f"cannot read the stored body: {exc.strerror or exc}", exc.errno) from exc
            if not chunk:
                raise Unreadable("the stored body is shorter than it was")
            at += len(chunk)
            yield chunk


class FileBlob:
    """A blob, open for one reader."""

    def __init__(self, handle: Handle, executor: Executor) -> None:
        handle.enter()
        self._handle: Handle | None = handle
        self.entry = handle.entry
        self.size = handle.entry.size
        self._executor = executor

    async def read(self, start: int, end: int | None) -> AsyncGenerator[Piece, None]:
        end = self.size if end is None else min(end, self.size)
        if start < end and self._handle is not None:
            if self._handle.proof is not None and end - start > HELD:
                yield FileSpan(self._handle.fd, start, end - HELD - start, self._executor)
                start = end - HELD
            if not await self.right():
                raise StoreError("the stored body is not what was stored")
            yield FileSpan(self._handle.fd, start, end - start, self._executor)

    async def right(self) -> bool:
        """Whether the bytes are those that were stored; waits until that is found out."""
        proof = self._handle.proof if self._handle is not None else None
        return proof is None or await asyncio.shield(proof)

    def span(self, start: int, end: int) -> FileSpan:
        if self._handle is None or self._handle.proof is not None:
            raise StoreError("the stored body was closed, or is not known to be right")
        return FileSpan(self._handle.fd, start, end - start, self._executor)

    def leave(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.leave()

    async def close(self) -> None:
        self.leave()


def open_blob(path: Path, flags: int = 0) -> tuple[int, Entry] | None:
    """Descriptor and entry of the blob file at `path`, opened with `flags` too; None when there is none, or what is
    there is no whole blob.

    Links, devices and other owners' files are not followed (a planted file is never served). Blocks.
    """
    try:
        fd = open_own(path, flags)
    except OSError:
        return None
    try:
        entry = _entry(fd)
    except (OSError, StoreError):
        entry = None
    if entry is None or entry.blob != path.name:
        os.close(fd)
        return None
    return fd, entry


def entry_of(path: Path) -> Entry | None:
    """The entry of `open_blob`. That is no use of the blob: its access time stays. Blocks."""
    opened = open_blob(path, getattr(os, "O_NOATIME", 0))
    if opened is None:
        return None
    os.close(opened[0])
    return opened[1]


def _entry(fd: int) -> Entry | None:
    status = os.fstat(fd)
    if status.st_size < TRAILER:
        return None
    behind = footer_size(os.pread(fd, TRAILER, status.st_size - TRAILER))
    if behind is None or not TRAILER < behind <= min(MAX_FOOTER, status.st_size):
        return None
    entry = load_footer(os.pread(fd, behind, status.st_size - behind))
    return entry if entry.size == status.st_size - behind else None
