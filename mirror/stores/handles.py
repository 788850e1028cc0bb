"""Descriptors of blobs that were read lately: a hit opens nothing, parses nothing, and waits for no thread."""

from __future__ import annotations

import asyncio
import os
import resource
from collections import OrderedDict
from concurrent.futures import Executor

from mirror.model import Entry

LARGE = 8 * 2**20
"""Bytes of a file from which on a thread closes it: where it was deleted, that frees them, 0.1 ms for each MiB."""

MOST = 256
"""Descriptors that are kept; no more than an eighth of what the process may have."""


class Handle:
    """An open blob file, shared by its readers; closed when the last has left and nobody keeps it. `written`: when it
    was last written to (ns). `proof`: says whether its bytes are right; None when they are known to be."""

    __slots__ = ("_executor", "_length", "entry", "fd", "kept", "proof", "readers", "written")

    def __init__(self, fd: int, entry: Entry, executor: Executor) -> None:
        self.fd = fd
        self._executor = executor
        self.entry = entry
        self.readers = 0
        self.kept = False
        self.proof: asyncio.Task[bool] | None = None
        status = os.fstat(fd)
        self._length, self.written = status.st_size, status.st_mtime_ns

    def whole(self) -> bool:
        """True while the file is in its place and nobody has written to it: blobs are never changed, only removed."""
        status = os.fstat(self.fd)
        return status.st_nlink > 0 and status.st_mtime_ns == self.written and status.st_size == self._length

    def enter(self) -> None:
        self.readers += 1

    def leave(self) -> None:
        self.readers -= 1
        self.settle()

    def settle(self) -> None:
        """Close it, if nobody needs it."""
        if not self.readers and not self.kept and self.fd >= 0:
            fd, self.fd = self.fd, -1
            if self._length < LARGE:
                os.close(fd)
            else:
                self._executor.submit(os.close, fd)


class Handles:
    """The kept ones, by blob, the least recently used first to go. `executor` closes those of large files."""

    def __init__(self, executor: Executor, most: int = MOST) -> None:
        self._executor = executor
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = min(most, soft // 8)
        self._kept: OrderedDict[str, Handle] = OrderedDict()

    def get(self, blob: str) -> Handle | None:
        """The blob's handle, where it is kept and can still be trusted."""
        handle = self._kept.get(blob)
        if handle is None:
            return None
        if not handle.whole():
            self.drop(blob)
            return None
        self._kept.move_to_end(blob)
        return handle

    def keep(self, blob: str, fd: int, entry: Entry) -> Handle:
        """A handle for a file that was opened just now; the kept one where another reader was faster."""
        handle = self._kept.get(blob)
        if handle is not None:
            os.close(fd)
            return handle
        handle = Handle(fd, entry, self._executor)
        if not handle.whole():  # deleted meanwhile: for this reader, and its space is free after that
            return handle
        handle.kept, self._kept[blob] = True, handle
        if len(self._kept) > self._most:
            self.drop(next(iter(self._kept)))
        return handle

    def drop(self, blob: str) -> None:
        """The blob is deleted, or not to be trusted: its readers finish, and its space is free when they have."""
        handle = self._kept.pop(blob, None)
        if handle is not None:
            handle.kept = False
            handle.settle()

    def sweep(self) -> None:
        """Drop all whose files another process has deleted."""
        for blob in list(self._kept):
            self.get(blob)

    def close(self) -> None:
        for blob in list(self._kept):
            self.drop(blob)


def unwanted(opening: asyncio.Future[tuple[int, Entry] | None]) -> None:
    """Who asked for a blob has gone while a thread opened it."""
    if not opening.cancelled() and opening.exception() is None and (opened := opening.result()):
        os.close(opened[0])
