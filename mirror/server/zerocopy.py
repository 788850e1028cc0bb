"""Sends bytes of a file to a client without taking them into this process."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable

from mirror.errors import Unreadable

WINDOW = 2 * 1024 * 1024
"""Bytes after which other connections get their turn."""


class FileSender:
    """`os.sendfile` on a duplicate of the transport's socket.

    uvloop has no `loop.sendfile`, and refuses `add_writer` on a descriptor that a transport owns; hence the duplicate.
    What the transport has buffered must be out first, or the file's bytes would overtake it.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, drain: Callable[[], Awaitable[None]]
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._drain = drain
        self._fd = os.dup(transport.get_extra_info("socket").fileno())
        self._writable: asyncio.Future[None] | None = None
        self.count = 0
        """Bytes that the client took."""

    @property
    def waiting(self) -> bool:
        """True while the client takes no more."""
        return self._writable is not None

    async def send(self, fd: int, offset: int, count: int) -> None:
        """Send `count` bytes of `fd`. ConnectionResetError when the client has gone, Unreadable when the file fails."""
        await self._flushed()
        begin, end = offset, offset + count
        turn = offset + WINDOW
        while offset < end:
            if self._fd < 0:
                raise ConnectionResetError("the client has gone")
            try:
                sent = self.some(fd, offset, min(WINDOW, end - offset))
            except Unreadable as exc:
                exc.sent = offset - begin
                raise
            if not sent:
                await self._wait()
                turn = offset + WINDOW
                continue
            offset += sent
            if offset >= turn:
                turn = offset + WINDOW
                await asyncio.sleep(0)

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes that are in memory; what the transport has buffered must be out. Raises as `send`."""
        while data:
            if self._fd < 0:
                raise ConnectionResetError("the client has gone")
            sent = self.some_bytes(data)
            data = data[sent:]
            if not sent:
                await self._wait()

    def some_bytes(self, data: bytes) -> int:
        """How many bytes went; 0 when the client takes no more for now."""
        try:
            sent = os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError as exc:
            raise ConnectionResetError("the client has gone") from exc
        self.count += sent
        return sent

    def some(self, fd: int, offset: int, count: int) -> int:
        """How many bytes of the file went; 0 when the client takes no more for now."""
        try:
            sent = os.sendfile(self._fd, fd, offset, count)
        except BlockingIOError:
            return 0
        except OSError as exc:
            if exc.errno == errno.EIO:
                raise Unreadable(f"cannot read the stored body: {exc.strerror}", exc.errno) from exc
            raise ConnectionResetError("the client has gone") from exc
        if not sent:
            raise Unreadable("the stored body is shorter than it was")
        self.count += sent
        return sent

    async def _flushed(self) -> None:
        if not self._transport.get_write_buffer_size():
            return
        self._transport.set_write_buffer_limits(0)  # resume_writing then comes when the buffer is empty, not before
        try:
            await self._drain()
        finally:
            self._transport.set_write_buffer_limits()

    async def _wait(self) -> None:
        self._writable = self._loop.create_future()
        self._loop.add_writer(self._fd, self._wake)
        try:
            await self._writable
        finally:
            self._writable = None
            if self._fd >= 0:
                self._loop.remove_writer(self._fd)

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def close(self) -> None:
        """The connection is lost; idempotent."""
        if self._fd >= 0:
            self._loop.remove_writer(self._fd)
            fd, self._fd = self._fd, -1
            os.close(fd)
        self._wake()
