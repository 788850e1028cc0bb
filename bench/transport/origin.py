"""The raw-socket origin of bench/transports.py: right answers, and every kind of wrong one."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import struct

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
BIG = 3_000_000_000
PACKED = gzip.compress(b"hello" * 100, mtime=0)  # two processes make it: no clock in it
SCRIPTS: dict[str, bytes] = {
    "hello": HELLO,
    "short": OK + b"Content-Length: 50\r\n\r\nhello",
    "cut": OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
    "unterminated": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "close": OK + b"\r\nhello",
    "extra": HELLO + OK + b"Content-Length: 4\r\n\r\nEVIL",
    "both": OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "silent": b"",
    "stalled": OK + b"Content-Length: 50\r\n\r\nhello",
    "started": OK + b"Content-Length: 9999999\r\n\r\n" + b"x" * 100_000,
    "gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    "hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HELLO,
    "late": HELLO,
    "broken": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "reset": OK + b"\r\nhello",
    "latin": OK + b"Content-Length: 5\r\nX-Name: caf\xe9\r\n\r\nhello",
}
KEPT = {"hello", "extra", "both", "gzip", "hints", "latin", "open", "late"}
LATER = {"late": OK + b"Content-Length: 4\r\n\r\nEVIL", "broken": b"zz\r\n", "reset": b""}
HELD = {"broken", "silent", "stalled", "started"}


class RawOrigin:
    def __init__(self) -> None:
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await self.answer(reader, writer):
                pass
        self.open -= 1
        writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        what, _, size = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode().strip("/").partition("/")
        if what == "bytes":
            return await self.send(writer, int(size))
        count = str(self.open).encode()
        opened = OK + b"Content-Length: %d\r\n\r\n" % len(count) + count
        writer.write(opened if what == "open" else SCRIPTS[what])
        await writer.drain()
        if what in LATER:
            await asyncio.sleep(0.05)
            writer.write(LATER[what])
        if what == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if what in HELD:
            await reader.read()
        return what in KEPT

    async def send(self, writer: asyncio.StreamWriter, size: int) -> bool:
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % size)
        block = b"x" * min(size, 1 << 20)
        for start in range(0, size, len(block)):
            writer.write(block[: size - start])
            await writer.drain()
        return True


async def run_origin() -> None:
    server = await asyncio.start_server(RawOrigin().serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
