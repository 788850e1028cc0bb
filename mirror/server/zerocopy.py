"""Sends bytes of a file to a client without taking them into this process."""

from __future__ import annotations

import asyncio
import os

WINDOW = 1024 * 1024
"""Bytes after which other connections get their turn."""


class FileSender:
    """`os.sendfile` on a duplicate of the transport's socket.

    uvloop has no `loop.sendfile`, and refuses `add_writer` on a descriptor that a transport owns; hence the duplicate.
    What the transport has buffered must be out first, or the file's bytes would overtake it.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._fd = os.dup(transport.get_extra_info("socket").fileno())
        self._writable: asyncio.Future[None] | None = None

    async def send(self, fd: int, offset: int, count: int) -> None:
        """Send `count` bytes of `fd`. OSError when the client has gone, EOFError when the file ends early."""
        await self._flushed()
        end = offset + count
        turn = offset + WINDOW
        while offset < end:
            if self._fd < 0:
                raise ConnectionResetError("the client has gone")
            try:
                sent = os.sendfile(self._fd, fd, offset, min(WINDOW, end - offset))
            except BlockingIOError:
                await self._wait()
                turn = offset + WINDOW
                continue
            if not sent:
                raise EOFError("the stored body is shorter than it was")
            offset += sent
            if offset >= turn:
                turn = offset + WINDOW
                await asyncio.sleep(0)

    async def _flushed(self) -> None:
        delay = 0.0
        while self._transport.get_write_buffer_size():
            if self._transport.is_closing():
                raise ConnectionResetError("the client has gone")
            await asyncio.sleep(delay)  # the head leaves within a turn of the loop; more only behind a slow client
            delay = min(0.02, delay + 0.001)

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
