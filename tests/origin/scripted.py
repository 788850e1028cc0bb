"""An origin on a raw socket that sends whatever bytes a test says, and what the tests of the client share."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Protocol

import httpx

from mirror.origin import Answer, Origin

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
UNREACHABLE = "http://127.0.0.1:1/x"


class Make(Protocol):
    """Opens an Origin with these settings, whose pauses stand in the list `naps` instead of being waited for."""

    def __call__(
        self, transport: httpx.AsyncBaseTransport | None = None, naps: list[float] | None = None, **settings: object
    ) -> Awaitable[Origin]: ...


class RawOrigin:
    """Sends scripted bytes for each path and remembers what it was asked.

    After a script in `held` the connection stays open and silent until the client leaves it; after others it is closed,
    unless the script is in `kept`. What stands in `later` is sent once `go` is set. A path in `fragile` is answered
    only as the first of its connection, which is closed else; the ends of those in `reset` are resets.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, bytes] = {"/hello": HELLO}
        self.kept = {"/hello"}
        self.held: set[str] = set()
        self.later: dict[str, bytes] = {}
        self.go = asyncio.Event()
        self.fragile: set[str] = set()
        self.reset: set[str] = set()
        self.asked: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.changed = asyncio.Condition()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        await self._count(1)
        path, first = "/hello", True
        try:
            while path in self.kept:
                path = await self._answer(reader, writer, first)
                first = False
            if path in self.held:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            if path in self.reset:
                _end_by_reset(writer)
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()
            self._writers.discard(writer)
            await self._count(-1)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bool) -> str:
        request = await reader.readuntil(b"\r\n\r\n")
        path = request.split()[1].decode().partition("?")[0]
        self.asked.append(request)
        await self._count(0)
        if path in self.fragile and not first:
            return "a path that is not kept"
        writer.write(self.scripts[path])
        await writer.drain()
        if path in self.later:
            await self.go.wait()
            writer.write(self.later[path])
            await writer.drain()
        return path

    async def _count(self, change: int) -> None:
        async with self.changed:
            self.open += change
            self.changed.notify_all()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(true)

    def cut(self) -> None:
        """Reset all connections."""
        for writer in tuple(self._writers):
            _end_by_reset(writer)
            writer.transport.abort()

    async def stop(self) -> None:
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()


def _end_by_reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def collect(answer: Answer, into: list[bytes]) -> None:
    async for chunk in answer.chunks():
        into.append(chunk)


async def body(answer: Answer) -> bytes:
    async with answer:
        return b"".join([chunk async for chunk in answer.chunks()])


async def get(origin: Origin, *urls: str, **question: object) -> bytes:
    return await body(await origin.fetch(urls, **question))  # type: ignore[arg-type]
