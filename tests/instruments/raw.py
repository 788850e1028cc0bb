"""A bare-socket client for looking at the wire: it hears bytes, FIN and RST, and checks nothing."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from mirror.model import Headers

from .origin import Origin


@dataclass
class Heard:
    """All that came on a connection until it ended: by FIN, or by RST."""

    status: int
    headers: Headers
    body: bytes
    reset: bool


async def dial(origin: Origin, target: str, *fields: str, method: str = "GET") -> socket.socket:
    """A connection on which the request is sent; the caller closes it."""
    sock, loop = socket.socket(), asyncio.get_running_loop()
    sock.setblocking(False)
    try:
        await loop.sock_connect(sock, ("127.0.0.1", origin.port))
        await loop.sock_sendall(sock, "\r\n".join((f"{method} {target} HTTP/1.1", "Host: o", *fields, "", "")).encode())
    except OSError:
        sock.close()
        raise
    return sock


async def until(sock: socket.socket, count: int = 1 << 40) -> tuple[bytes, bool]:
    """Bytes up to `count` or the end, and whether a reset ended them."""
    got = b""
    while len(got) < count:
        try:
            piece = await asyncio.get_running_loop().sock_recv(sock, 65536)
        except ConnectionResetError:
            return got, True
        if not piece:
            break
        got += piece
    return got, False


async def ask(origin: Origin, target: str, *fields: str, method: str = "GET") -> Heard:
    """Asks for the connection's end after one answer, and hears all until there."""
    with await dial(origin, target, "Connection: close", *fields, method=method) as sock:
        got, reset = await until(sock)
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = Headers.of((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return Heard(int(first.split()[1]), headers, body, reset)
