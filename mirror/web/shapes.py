"""What a Reply looks like to one request: status, fields, and which bytes of the body. Pure: the same for every server.

`pieces` of a shape are given in order: bytes of ours, or a range [start, end) of the reply's own body.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import quote

from mirror.httpcache.conditional import evaluate, not_modified
from mirror.httpcache.fields import format_date
from mirror.httpcache.freshness import age
from mirror.httpcache.ranges import Part, Parts, Unsatisfiable, content_range, multipart, select, unsatisfied
from mirror.masking import masked
from mirror.model import VIA, Headers, Request
from mirror.reply import Reply

BODILESS = (204, 304)

OURS = ("age", "cache-status", "via", "x-cache")
IN_REFUSAL = (*OURS, "accept-ranges", "content-range", "date", "etag", "vary")

Range = tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class Shape:
    """A response without its bytes."""

    status: int
    headers: Headers
    pieces: tuple[bytes | Range, ...] = ()
    phrase: str = ""

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The fields as a server takes them."""
        return [(name.encode("latin-1"), value_bytes(value)) for name, value in self.headers]

    @property
    def reason(self) -> bytes:
        return value_bytes(self.phrase)


def shape(reply: Reply, request: Request, now: float) -> Shape:
    """The response to a request for what is in the reply; `now` in POSIX seconds."""
    headers = fields(reply, now)
    if reply.verbatim:
        found = Shape(reply.head.status, headers, ((0, None),), reply.head.reason)
    else:
        found = _selected(reply, request, headers, now)
    if found.status in BODILESS:  # RFC 9110 §8.6
        found = replace(found, headers=found.headers.without("content-length"))
    # The body of a 204 is gone through, too: its end comes when it is stored.
    return replace(found, pieces=()) if request.method == "HEAD" else found


def _selected(reply: Reply, request: Request, headers: Headers, now: float) -> Shape:
    verdict = evaluate(request, reply.head.status, headers, now)
    if verdict == 304:
        return Shape(304, Headers((*not_modified(headers), *headers.only(OURS))))
    if verdict == 412:
        return _refusal(412, "what is here is not what the request's condition names", headers)
    selection = select(request, headers, reply.size) if reply.head.status == 200 else None
    match selection:
        case Part(start, end) if reply.size is not None:
            part = headers.set("content-range", content_range(start, end, reply.size))
            return Shape(206, part.set("content-length", str(end - start)), ((start, end),))
        case Parts(ranges) if reply.size is not None:
            return _several(ranges, headers, reply.size)
        case Unsatisfiable() if reply.size is not None:
            unsatisfiable = headers.set("content-range", unsatisfied(reply.size))
            return _refusal(416, f"there are only {reply.size} bytes here", unsatisfiable)
        case _:
            return Shape(reply.head.status, headers, ((0, reply.size),), reply.head.reason)


def _several(ranges: tuple[tuple[int, int], ...], headers: Headers, size: int) -> Shape:
    boundary = secrets.token_hex(16)
    before, behind, length = multipart(ranges, size, headers.get("content-type") or "", boundary)
    headers = headers.set("content-type", f"multipart/byteranges; boundary={boundary}")
    pieces = [piece for prefix, part in zip(before, ranges, strict=True) for piece in (prefix, part)]
    return Shape(206, headers.set("content-length", str(length)), (*pieces, behind))


def _refusal(status: int, detail: str, headers: Headers) -> Shape:
    """412 and 416 are answers of ours: nothing of the stored fields that describes its body, or how long it holds."""
    described, body = problem(status, detail)
    return Shape(status, Headers((*headers.only(IN_REFUSAL), *described)), (body,))


def fields(reply: Reply, now: float) -> Headers:
    """The fields that every answer of a cache carries, with those of the reply."""
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


def problem(status: int, detail: str, name: str = "", title: str = "") -> tuple[Headers, bytes]:
    """Fields and body of an error of ours (RFC 9457); `error` repeats `detail`, which is what npm prints. `name`: the
    request's, by which it is found in the log. `title`: what kind of error it is, where the status does not say it."""
    title, detail = title or HTTPStatus(status).phrase, masked(detail)
    text = {"type": "about:blank", "title": title, "status": status, "detail": detail, "error": detail}
    text |= {"instance": instance(name)} if name else {}
    body = json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace")
    described = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
    }
    described |= {"x-request-id": name} if name else {}
    return Headers.of(described), body


def instance(name: str) -> str:
    """A request's name as a URI reference (RFC 9457 §3.1.5)."""
    return quote(name, safe="")


def value_bytes(value: str) -> bytes:
    """A field value as bytes; control characters, which would split the response, are gone."""
    clean = value if value.isprintable() else "".join(c for c in value if c == "\t" or (c >= " " and c != "\x7f"))
    return clean.encode("latin-1", "replace")
