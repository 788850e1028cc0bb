"""One HTTP/1.1 connection on a bare socket, for both ends: what `send` counted, the kernel has really taken.

No asyncio transport stands between, so there is no buffer in which bytes could be counted and yet never leave.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

from mirror.model import Headers

_PIECE = 65536
_HEAD_LIMIT = 65536


class Wire:
    """Owns `sock` (made non-blocking); every method raises ConnectionError when the peer is gone."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.pending = bytearray()
        self._loop = asyncio.get_running_loop()

    async def head(self) -> tuple[str, Headers] | None:
        """The next message's first line and fields; None where the peer closed before it began (RFC 9112 §2.1)."""
        while (end := self.pending.find(b"\r\n\r\n")) < 0:
            if len(self.pending) > _HEAD_LIMIT:
                raise ConnectionError("the head does not end")
            if not await self._receive():
                if self.pending:
                    raise ConnectionError("closed within the head")
                return None
        first, *lines = bytes(self.pending[:end]).decode("latin-1").split("\r\n")
        del self.pending[: end + 4]
        pairs = (line.partition(":") for line in lines)
        return first, Headers.of((name, value.strip()) for name, _, value in pairs)

    async def line(self) -> bytes:
        """The next line without its CRLF (chunk sizes and trailers, RFC 9112 §7.1)."""
        while (end := self.pending.find(b"\r\n")) < 0:
            if not await self._receive():
                raise ConnectionError("closed within a line")
        found = bytes(self.pending[:end])
        del self.pending[: end + 2]
        return found

    async def some(self, room: memoryview) -> int:
        """Puts the next bytes, at most as many as fit, into `room`; their number, 0 at the end of the connection."""
        if not self.pending:
            return await self._loop.sock_recv_into(self.sock, room)
        count = min(len(room), len(self.pending))
        room[:count] = self.pending[:count]
        del self.pending[:count]
        return count

    async def send(self, piece: bytes | bytearray | memoryview, taken: Callable[[int], None] | None = None) -> None:
        """Sends all of `piece`; `taken(n)` is called for each n bytes that went into the kernel."""
        view = memoryview(piece)
        while view:
            try:
                count = self.sock.send(view)
            except BlockingIOError:
                await self._writable()
                continue
            view = view[count:]
            if taken:
                taken(count)

    async def content(self, headers: Headers) -> int:
        """Reads the body of a request, forgets it, and tells how many bytes it had (RFC 9112 §6.3)."""
        if "transfer-encoding" not in headers:
            length = int(headers.get("content-length") or 0)
            await self._drop(length)
            return length
        total = 0
        while size := int(await self.line(), 16):
            await self._drop(size)
            await self.line()
            total += size
        while await self.line():
            pass
        return total

    async def _drop(self, count: int) -> None:
        while count:
            got = await self.some(memoryview(bytearray(min(count, _PIECE))))
            if not got:
                raise ConnectionError("closed within the body")
            count -= got

    async def wait(self, until: Coroutine[Any, Any, Any]) -> None:
        """Sends nothing before `until` is over; what the peer sends meanwhile is kept for `head`."""
        over, gone = asyncio.ensure_future(until), asyncio.ensure_future(self._silence())
        try:
            await asyncio.wait((over, gone), return_when=asyncio.FIRST_COMPLETED)
            if not over.done():
                raise ConnectionError("the peer left")
        finally:
            over.cancel()
            gone.cancel()
            await asyncio.gather(over, gone, return_exceptions=True)

    def linger(self) -> None:
        """Lets `close` send RST and drop what the kernel still holds, in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self.sock.close()

    async def _silence(self) -> None:
        with contextlib.suppress(ConnectionError):
            while await self._receive():
                pass

    async def _receive(self) -> int:
        got = await self._loop.sock_recv(self.sock, _PIECE)
        self.pending += got
        return len(got)

    async def _writable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_writer(self.sock, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            self._loop.remove_writer(self.sock)
