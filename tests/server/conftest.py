"""Our protocol class on the loop that the server runs on, in front of a simple application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mirror.server import loop
from mirror.server.hot import Hot
from tests.instruments.both import ask
from tests.instruments.clock import eventually
from tests.instruments.listening import Listening, listening

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What a transport does depends on the loop."""
    return {"ours": loop.new}


class Application:
    """Says `ok`, after the whole request; `/large` is answered with `size` bytes, once `go` is set.

    `asked`: how many requests came; `broke`: what `send` raised.
    """

    size = 50_000_000

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.asked = 0
        self.broke: BaseException | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await self.go.wait()
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            pass
        size = self.size if scope["path"] == "/large" else 2
        fields = [(b"content-length", b"%d" % size)]
        fields += [(b"connection", b"close")] if scope["query_string"] == b"last" else []
        try:
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            for at in range(0, size, 1 << 16):
                piece = b"ok" if size == 2 else bytes(min(1 << 16, size - at))
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except OSError as exc:
            self.broke = exc
            raise


@asynccontextmanager
async def connected(to: Listening) -> AsyncIterator[Streams]:
    """A connection that the server has accepted."""
    before = set(to.connections)
    reader, writer = await asyncio.open_connection("127.0.0.1", to.port, limit=1 << 16)
    await eventually(lambda: to.connections - before)
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
async def server(application: Application) -> AsyncIterator[Listening]:
    async with listening(application, Hot()) as server:
        yield server


@pytest.fixture
async def client(server: Listening) -> AsyncIterator[Streams]:
    async with connected(server) as streams:
        yield streams


def head(*fields: str, target: str = "/", method: str = "GET") -> bytes:
    return ask(target, *fields, method=method)


async def rest(client: Streams) -> bytes:
    """What comes until the end."""
    async with asyncio.timeout(30):
        return await client[0].read(-1)


async def ok(client: Streams) -> None:
    async with asyncio.timeout(30):
        answer = await client[0].readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert await client[0].readexactly(2) == b"ok"


async def refused(client: Streams, status: int) -> None:
    """The refusal, and nothing behind it."""
    answer, _, body = (await rest(client)).partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nconnection: close" in answer
    assert json.loads(body)["status"] == status
