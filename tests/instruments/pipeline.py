"""Requests all at once on one connection, written by hand, and the answers as they come."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mirror.model import Headers

from .answers import BODILESS
from .wire import Wire


@dataclass(frozen=True, slots=True)
class Told:
    """One answer; `whole` is False where the connection ended within it, and status 0 where it ended before."""

    status: int = 0
    headers: Headers = Headers()
    body: bytes = b""
    whole: bool = False

    def field(self, name: str) -> str:
        return self.headers.get(name) or ""


class Line:
    """A connection to the server at `port`, which is kept."""

    def __init__(self, port: int, wire: Wire) -> None:
        self._port = port
        self._wire = wire

    async def ask(self, *targets: str, method: str = "GET", host: str = "", fields: tuple[str, ...] = ()) -> list[Told]:
        """The answers to requests for these targets, in order; all are asked for at once."""
        head = "\r\n".join((f"Host: {host or f'127.0.0.1:{self._port}'}", *fields, "", ""))
        await self._wire.send("".join(f"{method} {target} HTTP/1.1\r\n{head}" for target in targets).encode())
        return [await asyncio.wait_for(_answer(self._wire, method), 60) for _ in targets]


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    with socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        yield Line(port, Wire(sock))


async def ask(
    port: int, *targets: str, method: str = "GET", host: str = "", fields: tuple[str, ...] = ()
) -> list[Told]:
    """The answers to requests on a connection of their own."""
    async with line(port) as own:
        return await own.ask(*targets, method=method, host=host, fields=fields)


async def _answer(wire: Wire, method: str) -> Told:
    try:
        first = await wire.head()
    except ConnectionError:
        first = None
    if first is None:
        return Told()
    status, headers = int(first[0].split()[1]), first[1]
    if method == "HEAD" or status in BODILESS:
        return Told(status, headers, b"", True)
    if headers.get("transfer-encoding") == "chunked":
        return Told(status, headers, *await _chunks(wire))
    return Told(status, headers, *await _exactly(wire, int(headers.get("content-length") or 0)))


async def _chunks(wire: Wire) -> tuple[bytes, bool]:
    body = b""
    try:
        while size := int(await wire.line(), 16):
            piece, whole = await _exactly(wire, size)
            body += piece
            if not whole:
                return body, False
            await wire.line()
        return body, not await wire.line()
    except ConnectionError:
        return body, False


async def _exactly(wire: Wire, size: int) -> tuple[bytes, bool]:
    """So many bytes, or those up to the end of the connection and False."""
    body, got = bytearray(size), 0
    try:
        while got < size and (count := await wire.some(memoryview(body)[got:])):
            got += count
    except ConnectionError:
        pass
    return bytes(body[:got]), got == size
