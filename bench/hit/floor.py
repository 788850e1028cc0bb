"""Reads a request, writes an answer of the size that it names, and does nothing else: what a hit costs at least."""

from __future__ import annotations

import asyncio
import re
import sys

import uvloop

ANSWERS: dict[bytes, bytes] = {}


def answer(asked: bytes) -> bytes:
    """The whole answer to that request; a request comes in one piece from the askers here."""
    if b"\r\nIf-None-Match: " in asked:
        return b'HTTP/1.1 304 Not Modified\r\nETag: "floor"\r\n\r\n'
    size = re.match(rb"GET /obj/[^/]*/(\d+)", asked)
    assert size is not None, asked
    count = int(size[1])
    fields = b'Content-Type: application/octet-stream\r\nETag: "floor"\r\nContent-Length: %d\r\n\r\n' % count
    return b"HTTP/1.1 200 OK\r\n" + fields + bytes(count)


class Floor(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if data not in ANSWERS:
            ANSWERS[data] = answer(data)
        self._write(ANSWERS[data])


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
