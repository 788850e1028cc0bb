"""A connection to our protocol class in memory: what a client sends, and what the application is asked."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from uvicorn.server import ServerState

from mirror.server.hot import Hot
from mirror.server.protocol import MirrorProtocol
from mirror.server.run import Config
from tests.instruments.transport import MemoryTransport

_SPLIT = 7
"""Into so many pieces what came at once is cut for the second look."""


class _Application:
    """Reads each request whole and says how it understood it; `troubles`: what it was sent that it cannot be."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        else:
            return  # it has left
        fields = tuple((bytes(name), bytes(value)) for name, value in scope["headers"])
        self.asked.append((scope["method"], scope["raw_path"], scope["query_string"], fields, bytes(body)))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def _quiet(app: _Application, wire: MemoryTransport) -> None:
    """Until nothing more happens: many requests that came at once are answered one after the other."""
    before = None
    while before != (before := (len(app.asked), len(wire.written))):
        for _ in range(50):
            await asyncio.sleep(0)


async def _conversation(pieces: list[bytes]) -> tuple[list[tuple[Any, ...]], bytes]:
    app, state, wire = _Application(), ServerState(), MemoryTransport()
    config = Config(app, hot=Hot(), http=MirrorProtocol, ws="none", lifespan="off", log_config=None,
                    server_header=False, date_header=False, proxy_headers=False)  # fmt: skip
    config.load()
    protocol = MirrorProtocol(config, state, {})
    protocol.connection_made(wire)
    for piece in pieces:
        if wire.closed:
            break
        protocol.data_received(piece)
        await _quiet(app, wire)
    await _quiet(app, wire)
    protocol.connection_lost(None)
    tasks = list(state.tasks)
    if tasks:
        await asyncio.wait(tasks, timeout=5)
    for task in tasks:
        task.result()  # what the application, or the protocol below it, was broken by
    return app.asked, bytes(wire.written)


def converse(sent: bytes) -> None:
    """AssertionError where the requests depend on how they were cut into pieces, or an answer is none.

    What follows a request that is being answered and is no request ends the connection: with that answer, where it has
    come by then, or with a refusal of its own.
    """
    step = max(1, len(sent) // _SPLIT)
    cut = [sent[at : at + step] for at in range(0, len(sent), step)]
    loop = asyncio.new_event_loop()
    troubles: list[Any] = []
    loop.set_exception_handler(lambda _, trouble: troubles.append(trouble))
    try:
        whole, written = loop.run_until_complete(_conversation([sent]))
        parts, again = loop.run_until_complete(_conversation(cut))
    finally:
        loop.close()
    both = min(len(whole), len(parts))
    assert whole[:both] == parts[:both], (whole, parts)
    ended = b"connection: close\r\n" in written and b"connection: close\r\n" in again
    assert len(whole) == len(parts) or ended, (whole, parts)
    assert _undated(written) == _undated(again) or ended, (written, again)
    assert not written or written.startswith(b"HTTP/1.1 "), written[:50]
    assert not troubles, troubles


def _undated(written: bytes) -> bytes:
    """Between the two conversations a second may have begun."""
    return re.sub(rb"\r\ndate: [^\r]*", b"", written)
