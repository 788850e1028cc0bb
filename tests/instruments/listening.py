"""Our protocol class in this process, on a real socket, in front of any application."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from uvicorn.server import ServerState

from mirror.server.crowd import Crowd
from mirror.server.hot import Hot
from mirror.server.patience import sweep
from mirror.server.protocol import MirrorProtocol
from mirror.server.run import Config


@dataclass
class Listening:
    """A listener; `hot` has its prepared replies, `connections` are those that are open."""

    port: int
    hot: Hot
    connections: set[Any]
    now: float = 0.0

    def wait(self, seconds: float) -> None:
        """So many seconds pass for those that wait for their clients."""
        sweep(self.connections, self.now)
        self.now += seconds
        sweep(self.connections, self.now)

    async def talk(self, *requests: bytes) -> list[bytes]:
        """The answers to requests on one connection, each as it came; requests have no body, answers a length."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        answers = []
        try:
            for request in requests:
                writer.write(request)
                answers.append(await _answer(reader, request))
        finally:
            writer.close()
        return answers


async def _answer(reader: asyncio.StreamReader, request: bytes) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    bodiless = request.startswith(b"HEAD ") or head.split(b" ", 2)[1] in (b"204", b"304")
    return head + (b"" if bodiless else await reader.readexactly(int(fields[b"content-length"])))


@asynccontextmanager
async def listening(
    app: Any, hot: Hot, secure: ssl.SSLContext | None = None, crowd: Crowd | None = None
) -> AsyncIterator[Listening]:
    """The application behind our protocol class on a loopback port; `secure`: for https."""
    config = Config(
        app, hot=hot, http=MirrorProtocol, ws="none", lifespan="off", log_config=None,
        server_header=False, date_header=False, proxy_headers=False, crowd=crowd,
    )  # fmt: skip
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: MirrorProtocol(config, state, {}), "127.0.0.1", 0, ssl=secure)
    try:
        yield Listening(server.sockets[0].getsockname()[1], hot, state.connections)
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=5)
        await server.wait_closed()
