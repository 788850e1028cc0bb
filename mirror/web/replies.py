"""A Reply as ASGI messages: conditions, ranges, the fields that every answer of a cache carries."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any

from mirror.errors import MirrorError, NotAllowed
from mirror.httpcache.conditional import evaluate, not_modified
from mirror.httpcache.fields import format_date
from mirror.httpcache.freshness import age
from mirror.httpcache.ranges import Part, Parts, Unsatisfiable, content_range, multipart, select, unsatisfied
from mirror.model import VIA, Headers, Request
from mirror.ports import Piece, Span
from mirror.reply import Reply

Send = Callable[[dict[str, Any]], Awaitable[None]]

BODILESS = (204, 304)

OURS = ("age", "cache-status", "via", "x-cache")
IN_REFUSAL = (*OURS, "accept-ranges", "content-range", "date", "etag", "vary")

ZERO_COPY = "http.response.zerocopysend"
"""The ASGI extension by which a server takes descriptor, offset and count instead of bytes."""

INTERIM = "http.response.interim"
"""The extension by which our server takes interim responses (ASGI's own, for 103 alone, cannot say all of one)."""

WINDOW = 1024 * 1024


@dataclass(slots=True)
class Sent:
    """What went out: the status, and the body's bytes so far. `zero_copy`: this server sends a file's bytes itself."""

    status: int = 0
    count: int = 0
    complete: bool = False
    zero_copy: bool = False


async def send_reply(
    reply: Reply, request: Request, send: Send, sent: Sent, now: float, interims: Interims | None = None
) -> None:
    """Answer the request with the reply, after what is interim, and close its source.

    Raises OriginError when the body breaks off: the connection must then be reset, never ended as if it were whole.
    """
    try:
        if interims is not None:
            await interims.passed()
        if reply.verbatim:
            await _start(send, sent, reply.head.status, _fields(reply, now), reply.head.reason)
            await _body(reply.source.read(0, None), request, send, sent)
        else:
            await _selected(reply, request, send, sent, now)
    finally:
        await reply.source.close()


async def _selected(reply: Reply, request: Request, send: Send, sent: Sent, now: float) -> None:
    headers = _fields(reply, now)
    verdict = evaluate(request, reply.head.status, headers, now)
    if verdict == 304:
        await _start(send, sent, 304, Headers((*not_modified(headers), *headers.only(OURS))))
        await _end(send, sent)
        return
    if verdict == 412:
        await _refuse(send, sent, request, 412, "what is here is not what the request's condition names", headers)
        return
    selection = select(request, headers, reply.size) if reply.head.status == 200 else None
    match selection:
        case Part(start, end) if reply.size is not None:
            fields = headers.set("content-range", content_range(start, end, reply.size))
            await _start(send, sent, 206, fields.set("content-length", str(end - start)))
            await _body(reply.source.read(start, end), request, send, sent)
        case Parts(ranges) if reply.size is not None:
            await _several(reply, ranges, headers, request, send, sent)
        case Unsatisfiable() if reply.size is not None:
            fields = headers.set("content-range", unsatisfied(reply.size))
            await _refuse(send, sent, request, 416, f"there are only {reply.size} bytes here", fields)
        case _:
            await _start(send, sent, reply.head.status, headers, reply.head.reason)
            await _body(reply.source.read(0, reply.size), request, send, sent)


async def _several(
    reply: Reply,
    ranges: tuple[tuple[int, int], ...],
    headers: Headers,
    request: Request,
    send: Send,
    sent: Sent,
) -> None:
    boundary = secrets.token_hex(16)
    size = reply.size or 0
    before, behind, length = multipart(ranges, size, headers.get("content-type") or "", boundary)
    fields = headers.set("content-type", f"multipart/byteranges; boundary={boundary}")
    await _start(send, sent, 206, fields.set("content-length", str(length)))

    async def pieces() -> AsyncGenerator[Piece, None]:
        for (start, end), prefix in zip(ranges, before, strict=True):
            yield prefix
            async with aclosing(reply.source.read(start, end)) as part:
                async for piece in part:
                    yield piece
        yield behind

    await _body(pieces(), request, send, sent)


def _fields(reply: Reply, now: float) -> Headers:
    headers = reply.head.headers
    if "date" not in headers:
        headers = headers.set("date", format_date(now))
    validated = reply.outcome.fwd_status == 304 and not reply.verbatim
    if reply.outcome.hit or reply.outcome.collapsed or validated:
        headers = headers.set("age", str(int(age(reply.head, now))))
    if reply.head.status == 200 and not reply.verbatim and reply.size is not None:
        headers = headers.set("accept-ranges", "bytes")
    status = ", ".join([*reply.head.headers.all("cache-status"), str(reply.outcome)])
    via = ", ".join([*reply.head.headers.all("via"), VIA])
    return headers.set("cache-status", status).set("x-cache", reply.outcome.x_cache).set("via", via)


async def _refuse(send: Send, sent: Sent, request: Request, status: int, detail: str, headers: Headers) -> None:
    """412 and 416 are answers of ours: nothing of the stored fields that describes its body, or how long it holds."""
    fields, body = problem(status, detail)
    await _start(send, sent, status, Headers((*headers.only(IN_REFUSAL), *fields)))
    await _end(send, sent, body if request.method != "HEAD" else b"")


async def _end(send: Send, sent: Sent, body: bytes = b"") -> None:
    await send({"type": "http.response.body", "body": body})
    sent.count += len(body)
    sent.complete = True


async def _start(send: Send, sent: Sent, status: int, headers: Headers, reason: str = "") -> None:
    sent.status = status
    if status in BODILESS:  # RFC 9110 §8.6
        headers = headers.without("content-length")
    sent.zero_copy = sent.zero_copy and "content-length" in headers
    encoded = [(name.encode("latin-1"), _value(value)) for name, value in headers]
    message = {"type": "http.response.start", "status": status, "headers": encoded}
    await send({**message, "reason": _value(reason)} if reason else message)


def _value(value: str) -> bytes:
    """A field value as bytes; control characters, which would split the response, are gone."""
    clean = value if value.isprintable() else "".join(c for c in value if c == "\t" or (c >= " " and c != "\x7f"))
    return clean.encode("latin-1", "replace")


async def _body(pieces: AsyncGenerator[Piece, None], request: Request, send: Send, sent: Sent) -> None:
    if request.method == "HEAD":
        await _end(send, sent)
        return
    async with aclosing(pieces):
        async for piece in pieces:  # of a 204 too: its end comes when it is stored
            if sent.status in BODILESS:
                continue
            if isinstance(piece, bytes | memoryview):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                sent.count += len(piece)
            else:
                await _span(piece, send, sent)
    await _end(send, sent)


async def _span(span: Span, send: Send, sent: Sent) -> None:
    """Bytes of a file: by the kernel where the server can and the disk need not be waited for, else in chunks."""
    at, end = span.offset, span.offset + span.count
    while at < end:
        count = min(WINDOW, end - at)
        if sent.zero_copy and span.in_memory(at, count):
            await send({"type": ZERO_COPY, "file": span.fd, "offset": at, "count": count, "more_body": True})
        else:
            async for chunk in span.chunks(at, count):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        at += count
        sent.count += count


def problem(status: int, detail: str) -> tuple[Headers, bytes]:
    """Fields and body of an error of ours (RFC 9457); `error` repeats `detail`, which is what npm prints."""
    title = HTTPStatus(status).phrase
    text = {"type": "about:blank", "title": title, "status": status, "detail": detail, "error": detail}
    body = json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace")
    fields = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
    }
    return Headers.of(fields), body


async def send_error(error: MirrorError, request_method: str, send: Send, sent: Sent, now: float) -> None:
    """An error of ours as `application/problem+json`."""
    fields, body = problem(error.status, str(error))
    if error.status == 400:  # whoever asks so may mean more by it than we read
        fields = fields.set("connection", "close")
    if error.status in (502, 503, 504):
        fields = fields.set("retry-after", str(max(1, ceil(error.retry_after))) if error.retry_after else "5")
    if isinstance(error, NotAllowed):
        fields = fields.set("allow", error.allow)
    await _start(send, sent, error.status, Headers((*fields, *marks("mirror; detail=error", "ERROR", now))))
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
            added = [(name.encode(), _value(value)) for name, value in ours if name.encode() not in there]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sending


class Interims:
    """Hands interim responses on to a client, in order, until the answer begins (RFC 9110 §15.2)."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._tasks: list[asyncio.Task[None]] = []

    def __call__(self, status: int, headers: Headers) -> None:
        encoded = [(name.encode("latin-1"), _value(value)) for name, value in headers]
        message = {"type": INTERIM, "status": status, "headers": encoded}
        task = asyncio.ensure_future(self._send(message))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # the client may have left
        self._tasks.append(task)

    async def passed(self) -> None:
        """Until all are out, or the client has left."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
