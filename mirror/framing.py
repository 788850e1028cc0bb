"""What the head of an origin's response says: its fields, where its body ends, where it redirects to. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import httpx

from .errors import OriginError
from .model import Headers

__all__ = ["end_to_end", "framing", "host", "named", "reason_phrase", "received", "redirected", "server"]

_HOP_BY_HOP = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")


def host(url: httpx.URL) -> str:
    """Host and port as a person may read them: without userinfo."""
    return url.netloc.decode("ascii")


def server(url: httpx.URL) -> str:
    """Scheme, host and port: what has connections, and health, of its own."""
    return f"{url.scheme}://{host(url)}"


def named(url: str) -> tuple[str, str]:
    """`server` and `host` of a URL; each "" where it is not valid."""
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        return "", ""
    return server(read), host(read)


RawFields = Sequence[tuple[bytes, bytes]]


def received(response: httpx.Response) -> RawFields:
    """All fields of a response as they came: our transport keeps some from httpx. Less the space that some servers put
    before the colon (RFC 9112 §5.1)."""
    fields: RawFields = response.extensions.get("fields", response.headers.raw)
    return [(name.rstrip(b" \t"), value) for name, value in fields]


def end_to_end(raw: RawFields) -> Headers:
    """The fields less those that concern one connection only (RFC 9110 §7.6.1), each byte of a value one character."""
    fields = Headers.of((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
    named = [name.strip().lower() for name in (fields.get("connection") or "").split(",")]
    kept = fields.without(*_HOP_BY_HOP, *named)
    if "," in (length := kept.get("content-length") or ""):
        kept = kept.set("content-length", length.partition(",")[0])  # the same several times, see framing()
    return Headers(tuple(pair for pair in kept if not pair[0].startswith("proxy-")))


def reason_phrase(response: httpx.Response) -> str:
    """The phrase of the status line where it is not the usual one, else "" (RFC 9112 §4)."""
    told: bytes = response.extensions.get("reason_phrase", b"")
    usual = httpx.codes.get_reason_phrase(response.status_code)
    phrase = told.decode("latin-1")
    return "" if phrase == usual else phrase


def framing(response: httpx.Response) -> tuple[int | None, bool]:
    """The body's announced length in bytes, and whether its end can be told from a broken connection (RFC 9112 §6.3).

    OriginError where the framing is ambiguous (RFC 9112 §6.1, §6.3) or a part comes that was not asked for.
    """
    origin = host(response.request.url)
    if not 200 <= response.status_code <= 999:
        raise OriginError(f"{origin} sent the status {response.status_code}, which there is not")
    lengths = {part.strip() for line in _lines(response, b"content-length") for part in line.split(",")} - {""}
    codings = ", ".join(_lines(response, b"transfer-encoding")).strip().lower()
    if codings and lengths:
        raise OriginError(f"{origin} sent Content-Length together with Transfer-Encoding")
    if codings not in ("", "chunked"):
        raise OriginError(f"{origin} sent an unknown transfer coding")
    if len(lengths) > 1 or not all(re.fullmatch(r"[0-9]{1,18}", length) for length in lengths):
        raise OriginError(f"{origin} sent a Content-Length that has no single meaning")
    if response.status_code == 206 and "range" not in response.request.headers:
        raise OriginError(f"{origin} sent a part (206) of what was asked for whole")
    if response.request.method == "HEAD" or response.status_code in (204, 304):
        return 0, True
    return (int(lengths.pop()), True) if lengths else (None, bool(codings))


def _lines(response: httpx.Response, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in received(response) if name.lower() == wanted]


def redirected(response: httpx.Response) -> httpx.URL:
    """Where a redirect leads; OriginError where that cannot be followed."""
    lines = _lines(response, b"location")
    source = response.request.url
    try:
        target = source.join(lines[0]) if len(lines) == 1 else httpx.URL("")
    except httpx.InvalidURL as exc:
        raise OriginError(f"{host(source)} redirects to an address that is not valid") from exc
    if target.scheme not in ("http", "https") or not target.host:
        raise OriginError(f"{host(source)} redirects to nowhere that can be followed")
    if source.scheme == "https" and target.scheme == "http":
        raise OriginError(f"{host(source)} redirects from https to http")
    return target
