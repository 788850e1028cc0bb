"""Requests all at once on one connection, written by hand, and the answers as they come."""

from __future__ import annotations

import asyncio
import socket
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


async def ask(
    port: int, *targets: str, method: str = "GET", host: str = "", fields: tuple[str, ...] = ()
) -> list[Told]:
    """The answers to requests for these targets, in order."""
    with socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        wire = Wire(sock)
        head = "\r\n".join((f"Host: {host or f'127.0.0.1:{port}'}", *fields, "", ""))
        await wire.send("".join(f"{method} {target} HTTP/1.1\r\n{head}" for target in targets).encode())
        return [await asyncio.wait_for(_answer(wire, method), 60) for _ in targets]


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
    if "content-length" not in headers:
        raise AssertionError(f"no Content-Length: {first}")
    body = bytearray(int(headers.get("content-length") or 0))
    got = await _fill(wire, memoryview(body))
    return Told(status, headers, bytes(body[:got]), got == len(body))


async def _fill(wire: Wire, room: memoryview) -> int:
    got = 0
    try:
        while got < len(room) and (count := await wire.some(room[got:])):
            got += count
    except ConnectionError:
        pass
    return got
