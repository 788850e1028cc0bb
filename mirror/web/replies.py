"""Replies as ASGI messages, and errors of ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from math import ceil
from typing import Any

from mirror.errors import MirrorError, NotAllowed, Unproven, Unreadable, Withheld
from mirror.httpcache.fields import format_date
from mirror.model import VIA, Headers, Request
from mirror.ports import Piece, Span
from mirror.reply import Reply
from mirror.web.shapes import BODILESS, Shape, problem, shape, value_bytes

Send = Callable[[dict[str, Any]], Awaitable[None]]

ZERO_COPY = "http.response.zerocopysend"
"""The ASGI extension by which a server takes descriptor, offset and count instead of bytes."""

INTERIM = "http.response.interim"
"""The extension by which our server takes interim responses (ASGI's own, for 103 alone, cannot say all of one)."""

LEFT = "mirror.left"
"""The extension by which our server tells that the client has gone while nothing is sent: it takes what is to be called
then."""

WINDOW = 2 * 1024 * 1024

BLOCKED = "Blocked by mirror policy"
"""The title of what the policy refuses: uv prints it."""


@dataclass(slots=True)
class Sent:
    """What went out: the status, and the body's bytes so far; `first`: when the first of them was at hand, or the end
    of an answer without a body (monotonic; 0: not yet). `zero_copy`: this server sends a file's bytes itself."""

    status: int = 0
    count: int = 0
    complete: bool = False
    zero_copy: bool = False
    first: float = 0.0

    def begun(self) -> None:
        """There are bytes to be sent."""
        if not self.first:
            self.first = time.monotonic()


async def send_reply(
    reply: Reply, request: Request, send: Send, sent: Sent, now: float, interims: Interims | None = None
) -> None:
    """Answer the request with the reply, after what is interim, and close its source.

    Raises OriginError when the body breaks off: the connection must then be reset, never ended as if it were whole.
    """
    try:
        if interims is not None:
            await interims.passed()
        found = shape(reply, request, now)
        await _start(send, sent, found)
        for piece in found.pieces:
            if isinstance(piece, bytes):
                await _bytes(piece, send, sent)
            else:
                await _part(reply, *piece, send, sent)
        await _end(send, sent)
    finally:
        await reply.source.close()


async def _start(send: Send, sent: Sent, found: Shape) -> None:
    sent.status = found.status
    sent.zero_copy = sent.zero_copy and "content-length" in found.headers
    message = {"type": "http.response.start", "status": found.status, "headers": found.fields}
    await send({**message, "reason": found.reason} if found.reason else message)


async def _end(send: Send, sent: Sent, body: bytes = b"") -> None:
    sent.begun()
    await send({"type": "http.response.body", "body": body})
    sent.count += len(body)
    sent.complete = True


async def _part(reply: Reply, start: int, end: int | None, send: Send, sent: Sent) -> None:
    """Bytes of the body; what cannot be read of those stored comes from the origin."""
    before = sent.count
    try:
        return await _body(reply.source.read(start, end), send, sent)
    except Unreadable:
        other = await reply.again(True) if reply.again is not None else None
        if other is None:
            raise
    try:
        await _body(other.source.read(start + sent.count - before, end), send, sent)
    finally:
        await other.source.close()


async def _body(pieces: AsyncGenerator[Piece, None], send: Send, sent: Sent) -> None:
    async with aclosing(pieces):
        async for piece in pieces:
            if sent.status in BODILESS:
                continue
            if isinstance(piece, bytes | memoryview):
                await _bytes(piece, send, sent)
            else:
                await _span(piece, send, sent)


async def _bytes(piece: bytes | memoryview, send: Send, sent: Sent) -> None:
    sent.begun()
    await send({"type": "http.response.body", "body": piece, "more_body": True})
    sent.count += len(piece)


async def _span(span: Span, send: Send, sent: Sent) -> None:
    """Bytes of a file: by the kernel where the server can and the disk need not be waited for, else in chunks."""
    at, end = span.offset, span.offset + span.count
    while at < end:
        count = min(WINDOW, end - at)
        if sent.zero_copy and span.in_memory(at, count):
            sent.begun()
            await _by_kernel(span.fd, at, count, send, sent)
        else:
            async for chunk in span.chunks(at, count):
                await _bytes(chunk, send, sent)
        at += count


async def _by_kernel(fd: int, at: int, count: int, send: Send, sent: Sent) -> None:
    try:
        await send({"type": ZERO_COPY, "file": fd, "offset": at, "count": count, "more_body": True})
    except Unreadable as exc:
        sent.count += exc.sent
        raise
    sent.count += count


async def send_error(
    error: MirrorError, request_method: str, send: Send, sent: Sent, now: float, name: str = ""
) -> None:
    """An error of ours as `application/problem+json`. `name`: the request's, see `web/access.py`."""
    fields, body = problem(error.status, str(error), name, BLOCKED if isinstance(error, Withheld) else "")
    if error.status == 400:  # whoever asks so may mean more by it than we read
        fields = fields.set("connection", "close")
    if error.status in (429, 502, 503, 504):
        fields = fields.set("retry-after", str(max(1, ceil(error.retry_after))) if error.retry_after else "5")
    if isinstance(error, NotAllowed):
        fields = fields.set("allow", error.allow)
    if isinstance(error, Unproven):
        fields = fields.set("proxy-authenticate" if error.proxy else "www-authenticate", error.challenge)
    await _start(send, sent, Shape(error.status, Headers((*fields, *marks("mirror; detail=error", "ERROR", now)))))
    await _end(send, sent, b"" if request_method == "HEAD" else body)


def marks(status: str, x_cache: str, now: float) -> Headers:
    """What every answer carries, those that no cache was asked for too."""
    return Headers.of({"cache-status": status, "x-cache": x_cache, "via": VIA, "date": format_date(now)})


def marked(send: Send, now: float) -> Send:
    """`send` for answers that others make: with the marks, and not to be stored."""
    ours = Headers((*marks("mirror; detail=local", "BYPASS", now), ("cache-control", "no-store")))

    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            added = [(name.encode(), value_bytes(value)) for name, value in ours if name.encode() not in there]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sending


class Interims:
    """Hands interim responses on to a client, in order, until the answer begins (RFC 9110 §15.2)."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._tasks: list[asyncio.Task[None]] = []

    def __call__(self, status: int, headers: Headers) -> None:
        message = {"type": INTERIM, "status": status, "headers": Shape(status, headers).fields}
        task = asyncio.ensure_future(self._send(message))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # the client may have left
        self._tasks.append(task)

    async def passed(self) -> None:
        """Until all are out, or the client has left."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
