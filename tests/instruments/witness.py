"""Exchanges carried out through one cache: an origin that answers as they are written, and what both sides saw."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from . import vocabulary as words
from .exchanges import Exchange, Fields, Step

STEP = "X-Step"  # the request's place in its exchange: an end-to-end field, which caches hand on
NEVER, PLAINLY, CONDITIONALLY = "not asked", "asked", "asked conditionally"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request through one cache: whether the origin was asked, and what the client was given."""

    asked: str
    status: int
    body: bytes
    age: bool
    etag: str | None


def content(exchange: Exchange, version: int) -> bytes:
    """The bytes of a version: all have the same length."""
    return f"exchange {exchange.number:04}, version {version}\n".encode()


class Rehearsed(ThreadingHTTPServer):
    """The origin behind one cache. It validates, and has ranges where its answer says so."""

    daemon_threads = True

    def __init__(self, exchanges: Sequence[Exchange], born: int) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.born = born
        self.exchanges = {exchange.path: exchange for exchange in exchanges}
        self.log: defaultdict[tuple[str, int], list[str]] = defaultdict(list)

    @property
    def port(self) -> int:
        return self.server_port


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one piece, so that no delayed ACK comes between
    server: Rehearsed

    def handle(self) -> None:
        with suppress(ConnectionResetError):  # a cache that lets go of an idle connection
            super().handle()

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        exchange, number = self.server.exchanges[self.path], int(self.headers[STEP])
        step = exchange.steps[number]
        conditional = any(name in self.headers for name in ("If-None-Match", "If-Modified-Since"))
        self.server.log[self.path, number].append(CONDITIONALLY if conditional else PLAINLY)
        named = filled(step.fields, self.server.born)
        status, fields, body = _answered(step, named, self.headers, content(exchange, step.version))
        self.send_response_only(status, "As Written")
        for name, value in fields:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names are http.server's

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def filled(fields: Fields, born: int) -> Fields:
    """The fields with their dates in their places."""
    return tuple((name, words.filled(value, born)) for name, value in fields)


def _answered(step: Step, fields: Fields, headers: Message, body: bytes) -> tuple[int, Fields, bytes]:
    if step.status == 206:
        return 206, (*fields, ("Content-Range", f"bytes 0-{len(body) - 1}/{2 * len(body)}")), body
    if step.status != 200 or step.method not in ("GET", "HEAD"):
        return step.status, fields, body
    if _known(dict(fields), headers):
        return 304, fields, b""
    first, dash, last = headers.get("Range", "").removeprefix("bytes=").partition("-")
    wanted = step.says("accept-ranges") and dash and (first + last).isdecimal()
    if not wanted or headers.get("If-Range", step.says("etag")) != step.says("etag"):
        return 200, fields, body
    start, end = (int(first), int(last or len(body)) + 1) if first else (len(body) - int(last), len(body))
    if start >= len(body):
        return 416, (*fields, ("Content-Range", f"bytes */{len(body)}")), b""
    if start >= end:
        return 200, fields, body
    part = body[start:end]
    return 206, (*fields, ("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(body)}")), part


def _known(fields: dict[str, str], headers: Message) -> bool:
    tags, tag = headers.get("If-None-Match"), fields.get("ETag")
    if tags is not None:
        known = [text.strip().removeprefix("W/") for text in tags.split(",")]
        return tag is not None and (tags == "*" or tag.removeprefix("W/") in known)
    modified, since = _moment(fields.get("Last-Modified")), _moment(headers.get("If-Modified-Since"))
    return modified is not None and since is not None and modified <= since


def _moment(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except ValueError:
        return None


@contextmanager
def rehearsed(exchanges: Sequence[Exchange], born: int) -> Iterator[Rehearsed]:
    """A running origin for these exchanges; their dates count from `born`, POSIX seconds."""
    with Rehearsed(exchanges, born) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def carry_out(exchange: Exchange, origin: Rehearsed, port: int, prefix: str = "") -> tuple[Seen, ...]:
    """The whole exchange through the cache at `port`, which has the origin's paths behind `prefix`."""
    return tuple(_ask(exchange, number, origin, port, prefix) for number in range(len(exchange.steps)))


def _ask(exchange: Exchange, number: int, origin: Rehearsed, port: int, prefix: str) -> Seen:
    step = exchange.steps[number]
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(step.method, prefix + exchange.path)
        body = b"sent" if step.method in ("POST", "PUT") else b""
        for name, value in (
            *filled(step.asked, origin.born),
            (STEP, str(number)),
            *([("Content-Length", "4")] if body else []),
        ):
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        given = _parts(answer.headers, answer.read())
    finally:
        connection.close()
    asked = _asked(origin, exchange, number)
    return Seen(asked, answer.status, given, answer.headers["Age"] is not None, answer.headers["ETag"])


def _parts(headers: Message, body: bytes) -> bytes:
    """The body; of several ranges, the bytes alone, whose framing is each server's own."""
    kind = headers.get("Content-Type", "")
    if not kind.startswith("multipart/byteranges"):
        return body
    parts = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).get_payload()
    return b"|".join(part.get_payload(decode=True) for part in parts)


def _asked(origin: Rehearsed, exchange: Exchange, number: int) -> str:
    key, deadline = (exchange.path, number), time.monotonic() + 1.0
    # Another process, which tells nobody when it asks behind a client; only the time can tell that it will not.
    while exchange.behind and not origin.log[key] and time.monotonic() < deadline:
        time.sleep(0.01)
    return origin.log[key][0] if origin.log[key] else NEVER
