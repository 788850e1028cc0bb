"""One read over one connection: speaks HTTP/1.1, checks each byte as it arrives, stores none.

A reader trusts nobody: what the framing calls whole and is not, or a wrong byte anywhere, is `corrupt`; a body that
visibly broke off is `truncated`, which a client can cope with.
"""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mirror.model import Headers

from . import bodies
from .wire import Wire

_PIECE = 262_144
_SLOW_BUFFER = 4096


@dataclass(slots=True)
class Reading:
    """What one read saw. Seconds count from the sending of the request; offsets are the object's.

    `framed`: the message ended as its framing (RFC 9112 §6.3) said it would. `complete`: framed, and exactly the bytes
    that were asked for, none of them wrong. `wrong_at`: the first wrong or surplus byte. `left`: this reader went away.
    `first_byte`: when the first byte of the body was here; `duration`: when the last one was, or the error.
    """

    status: int = 0
    headers: Headers = field(default_factory=Headers)
    first_byte: float | None = None
    duration: float = 0.0
    bytes_read: int = 0
    framed: bool = False
    complete: bool = False
    wrong_at: int | None = None
    left: bool = False
    error: str = ""

    @property
    def verdict(self) -> str:
        """`ok`, `corrupt` (a client would believe it), `truncated` (a client sees it), `left`, `refused` (no body)."""
        if self.wrong_at is not None:
            return "corrupt"
        if self.left or self.complete:
            return "left" if self.left else "ok"
        if self.status not in (200, 206):
            return "refused"
        return "corrupt" if self.framed else "truncated"


@dataclass(frozen=True, slots=True)
class Errand:
    """What one reader is to do: see `read` for the fields; `delay` in seconds before it begins."""

    url: str
    seed: int | str
    size: int
    range: str | None = None
    rate: float | None = None
    leave_after: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    patience: float = 30.0
    delay: float = 0.0

    @property
    def span(self) -> tuple[int, int]:
        """The object's bytes [start, end) that `range` (`0-99`, `100-`, `-50`) means."""
        first, _, last = (self.range or "0-").partition("-")
        if not first:
            return max(0, self.size - int(last)), self.size
        return int(first), min(self.size, int(last) + 1) if last else self.size


class Visit:
    """Carries out one errand on a connection of its own; `make` never raises for what the server does."""

    def __init__(self, errand: Errand) -> None:
        self.errand = errand
        self.reading = Reading()
        self.offset, self.end = errand.span
        self.began = time.monotonic()
        self._room = memoryview(bytearray(self._step))

    @property
    def _step(self) -> int:
        return max(1, min(_PIECE, int(self.errand.rate / 20))) if self.errand.rate else _PIECE

    async def make(self) -> Reading:
        try:
            async with asyncio.timeout(self.errand.patience) as self._deadline:
                await self._talk(await self._connect())
        except TimeoutError:
            self.reading.error = "silent"
        except (OSError, ValueError) as error:
            self.reading.error = str(error) or type(error).__name__
        if self.reading.error and not self.reading.framed:
            self.reading.duration = time.monotonic() - self.began
        return self.reading

    async def _connect(self) -> Wire:
        parts = urlsplit(self.errand.url)
        sock = socket.socket()
        if self.errand.rate:  # else the kernel takes megabytes ahead of a reader that is meant to be slow
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER)
        wire = Wire(sock)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port))
        except BaseException:
            wire.close()
            raise
        return wire

    async def _talk(self, wire: Wire) -> None:
        try:
            await wire.send(self._request())
            self.began = time.monotonic()
            head = await wire.head()
            if head is None:
                raise ConnectionError("closed before the head")
            _, status, *_ = head[0].split(" ")
            self.reading.status, self.reading.headers = int(status), head[1]
            if self._promised():
                self.reading.framed = await self._body(wire)
                await self._judge(wire)
        finally:
            wire.close()

    def _request(self) -> bytes:
        parts = urlsplit(self.errand.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
        lines += [f"Range: bytes={self.errand.range}"] if self.errand.range else []
        lines += [f"{name}: {value}" for name, value in self.errand.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _promised(self) -> bool:
        """Whether a body of the object follows; sets what it should be."""
        match self.reading.status:
            case 200:
                self.offset, self.end = 0, self.errand.size
            case 206:
                told = self.reading.headers.get("content-range")
                expected = f"bytes {self.offset}-{self.end - 1}/{self.errand.size}"
                if not self.errand.range or told != expected:
                    self.reading.error = (
                        f"Content-Range is {told}, not {expected if self.errand.range else 'asked for'}"
                    )
                    self.reading.wrong_at = self.offset
            case status:
                self.reading.error = f"status {status}"
        return not self.reading.error

    async def _body(self, wire: Wire) -> bool:
        """Reads the body by its framing (RFC 9112 §6.3); True where it ended as that said."""
        coding, length = self.reading.headers.get("transfer-encoding"), self.reading.headers.get("content-length")
        if coding is not None:
            if coding != "chunked" or length is not None:
                raise ValueError(f"framing is {coding} and length {length}")
            return await self._chunks(wire)
        if length is None:
            await self._bytes(wire, None)
            return not self.reading.left
        return await self._bytes(wire, int(length))

    async def _chunks(self, wire: Wire) -> bool:
        while size := int((await wire.line()).partition(b";")[0], 16):
            if not await self._bytes(wire, size):
                return False
            if await wire.line():
                raise ValueError("a chunk is longer than it said")
        while await wire.line():
            pass
        return True

    async def _bytes(self, wire: Wire, count: int | None) -> bool:
        """Takes `count` bytes of the body, or all there are; False where they ended before, or this reader left."""
        while count is None or count > 0:
            if self._leaves():
                wire.linger()
                return False
            got = await wire.some(self._room[: min(self._stretch, self._step if count is None else count)])
            if not got:
                return False
            if self.reading.first_byte is None:
                self.reading.first_byte = time.monotonic() - self.began
            self._check(self._room[:got])
            count = None if count is None else count - got
            await self._pace()
        return True

    @property
    def _stretch(self) -> int:
        """How far it is to where this reader leaves."""
        leave = self.errand.leave_after
        return _PIECE if leave is None else leave - self.reading.bytes_read

    def _leaves(self) -> bool:
        self.reading.left = self._stretch <= 0
        return self.reading.left

    def _check(self, got: memoryview) -> None:
        if self.reading.wrong_at is None:
            inside = got[: max(0, self.end - self.offset)]
            self.reading.wrong_at = bodies.check(self.errand.seed, self.offset, inside)
            if self.reading.wrong_at is None and len(inside) < len(got):
                self.reading.wrong_at = self.end
        self.offset += len(got)
        self.reading.bytes_read += len(got)

    async def _pace(self) -> None:
        now = time.monotonic()
        if self.errand.rate:
            await asyncio.sleep(max(0.0, self.began + self.reading.bytes_read / self.errand.rate - now))
        self._deadline.reschedule(asyncio.get_running_loop().time() + self.errand.patience)

    async def _judge(self, wire: Wire) -> None:
        """A framed message must be all that was asked for, and nothing may follow it: `Connection: close` was sent."""
        self.reading.duration = time.monotonic() - self.began
        if self.reading.left:
            return
        if not self.reading.framed:
            self.reading.error = f"broke off at {self.offset} of {self.end}"
        elif self.offset < self.end:
            self.reading.error = f"called whole at {self.offset} of {self.end}"
        elif await _more(wire):
            self.reading.wrong_at, self.reading.error = self.offset, "bytes follow the end"
        self.reading.complete = not self.reading.error and self.reading.wrong_at is None


async def _more(wire: Wire) -> bool:
    """Whether more bytes come; a server that keeps the connection open all the same is given a second to send them."""
    try:
        async with asyncio.timeout(1):
            return await wire.some(memoryview(bytearray(1))) > 0
    except (TimeoutError, ConnectionError):
        return False
