"""A Reply as ASGI messages: conditions, ranges, the fields that every answer of a cache carries."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from mirror.errors import MirrorError
from mirror.httpcache.conditional import evaluate, not_modified
from mirror.httpcache.fields import format_date
from mirror.httpcache.freshness import age
from mirror.httpcache.ranges import Part, Parts, Unsatisfiable, content_range, multipart, select, unsatisfied
from mirror.model import Headers, Request
from mirror.ports import Piece, Span
from mirror.reply import Reply

Send = Callable[[dict[str, Any]], Awaitable[None]]

VIA = "1.1 mirror"
BODILESS = (204, 304)

ZERO_COPY = "http.response.zerocopysend"
"""The ASGI extension by which a server takes descriptor, offset and count instead of bytes."""

WINDOW = 1024 * 1024


@dataclass(slots=True)
class Sent:
    """What went out: the status, and the body's bytes so far. `zero_copy`: this server sends a file's bytes itself."""

    status: int = 0
    count: int = 0
    complete: bool = False
    zero_copy: bool = False


async def send_reply(reply: Reply, request: Request, send: Send, sent: Sent, now: float) -> None:
    """Answer the request with the reply, and close its source.

    Raises OriginError when the body breaks off: the connection must then be reset, never ended as if it were whole.
    """
    try:
        if reply.verbatim:
            await _start(send, sent, reply.head.status, _fields(reply, now))
            await _body(reply.source.read(0, None), request, send, sent)
        else:
            await _selected(reply, request, send, sent, now)
    finally:
        await reply.source.close()


async def _selected(reply: Reply, request: Request, send: Send, sent: Sent, now: float) -> None:
    headers = _fields(reply, now)
    verdict = evaluate(request, reply.head.status, headers, now)
    if verdict == 304:
        await _bare(send, sent, 304, not_modified(headers))
        return
    if verdict == 412:
        await _bare(send, sent, 412, headers.set("content-length", "0"))
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
            fields = headers.set("content-range", unsatisfied(reply.size)).set("content-length", "0")
            await _bare(send, sent, 416, fields)
        case _:
            await _start(send, sent, reply.head.status, headers)
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
    if reply.outcome.hit or reply.outcome.fwd_status == 304:
        headers = headers.set("age", str(int(age(reply.head, now))))
    if reply.head.status == 200 and not reply.verbatim and reply.size is not None:
        headers = headers.set("accept-ranges", "bytes")
    status = ", ".join([*reply.head.headers.all("cache-status"), str(reply.outcome)])
    via = ", ".join([*reply.head.headers.all("via"), VIA])
    return headers.set("cache-status", status).set("x-cache", reply.outcome.x_cache).set("via", via)


async def _bare(send: Send, sent: Sent, status: int, headers: Headers) -> None:
    await _start(send, sent, status, headers)
    await send({"type": "http.response.body", "body": b""})
    sent.complete = True


async def _start(send: Send, sent: Sent, status: int, headers: Headers) -> None:
    sent.status = status
    sent.zero_copy = sent.zero_copy and "content-length" in headers
    encoded = [(name.encode("latin-1"), _value(value)) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


def _value(value: str) -> bytes:
    """A field value as bytes; control characters, which would split the response, are gone."""
    clean = value if value.isprintable() else "".join(c for c in value if c == "\t" or (c >= " " and c != "\x7f"))
    return clean.encode("latin-1", "replace")


async def _body(pieces: AsyncGenerator[Piece, None], request: Request, send: Send, sent: Sent) -> None:
    if request.method == "HEAD" or sent.status in BODILESS:
        await send({"type": "http.response.body", "body": b""})
        sent.complete = True
        return
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, bytes | memoryview):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                sent.count += len(piece)
            else:
                await _span(piece, send, sent)
    await send({"type": "http.response.body", "body": b""})
    sent.complete = True


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


async def send_error(error: MirrorError, request_method: str, send: Send, sent: Sent) -> None:
    """An error of ours as `application/problem+json` (RFC 9457); `error` repeats `detail`, which is what npm prints."""
    detail = str(error)
    title = HTTPStatus(error.status).phrase
    problem = {"type": "about:blank", "title": title, "status": error.status, "detail": detail, "error": detail}
    body = json.dumps(problem, ensure_ascii=False).encode()
    fields = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "cache-status": "mirror; detail=error",
        "x-cache": "ERROR",
        "via": VIA,
    }
    if error.status in (502, 503, 504):
        fields["retry-after"] = "5"
    if error.status == 405:
        fields["allow"] = "GET, HEAD"
    await _start(send, sent, error.status, Headers.of(fields))
    await send({"type": "http.response.body", "body": b"" if request_method == "HEAD" else body})
    sent.complete = True
