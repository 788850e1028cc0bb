"""uvicorn's HTTP protocol, mended: requests that mean two things are refused, departures are noticed."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.parse
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from mirror.server.cycle import Cycle
from mirror.server.hot import head_of
from mirror.server.ready import PreparedProtocol

HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])?(?::[0-9]{0,5})?")
"""What a Host field may hold (RFC 9110 §7.2), less what no host name has."""


_NO_TUNNELS = 'this server makes no tunnels (for apt: Acquire::https::Proxy "DIRECT")'

FRAMING = (b"content-length", b"transfer-encoding")


class MirrorProtocol(PreparedProtocol):
    """Starts a `Cycle` for each request. The parent's `on_headers_complete` names its own class, hence this one."""

    _silent = False  # what is parsed is a head of ours
    _in_head = False
    _in_message = False  # a request was begun and is not read to its end
    _head: bytes | None = None  # the bytes of the request that is being read, where it is known by them
    _tunnel = False  # what was asked for is one
    _current: Cycle | None = None  # the one whose response is on its way; the parent knows the newest only

    @property
    def answering(self) -> bool:
        """True while a request has not got its whole response."""
        return self._direct is not None or (self._current is not None and not self._current.response_complete)

    def reset(self) -> None:
        """End the connection in the middle of a response."""
        if self._direct is not None:
            self._reset_now()
        elif self._current is not None:
            self._current.reset()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._file_sender is not None:
            self._file_sender.close()
        if self._current is not None and not self._current.response_complete:
            self._current.disconnected = True
            self._current.message_event.set()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """The client has left. The end of the connection must not look like the end of a body without a length."""
        if self.answering:
            self.reset()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, after the responses to what came before it, never in the middle of one."""
        self.flow.pause_reading()
        if not self.answering or self._unread():
            if self.cycle is not None:
                self.cycle.disconnected = True  # nobody gets what the application may say yet
                self.cycle.message_event.set()
            self.transport.write(_refusal(405, _NO_TUNNELS) if self._tunnel else _refusal(400, msg))
            self.transport.close()
        elif self.cycle.more_body:  # it is the body of the request being answered that cannot be read
            self.reset()
        else:
            self.cycle.keep_alive = False

    def _unread(self) -> bool:
        """True where it is the request to be answered next that cannot be read, and nothing was said to it yet."""
        return self.cycle is self._current and self.cycle.more_body and not self.cycle.response_started

    def data_received(self, data: bytes) -> None:
        """As the parent does, less its warning about upgrades; at once where the reply is prepared."""
        self._head = None
        if (
            not self._in_message
            and self._direct is None
            and (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
        ):
            if (kept := self._table.get(data)) is not None and self._answered(kept, data):
                return
            self._head = head_of(data)
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("no HTTP request that can be understood")

    def _idle(self) -> bool:
        """Whether nothing of a request is read, and all that were read are answered."""
        if self._in_message or self._direct is not None or self.pipeline:
            return False
        return self.cycle is None or self.cycle.response_complete

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                # An upgrade may be ignored (RFC 9110 §7.8), and curl asks for one as a matter of course. The parser
                # takes the head for the whole message then: what follows is read by another that knows of no upgrade.
                data = data[upgrade.args[0] :]
                self._read_on()

    def _read_on(self) -> None:
        """A parser for the body of the request whose head was read, and for what follows it."""
        framing = [(name, value) for name, value in self.headers if name in FRAMING]
        head = b"".join(b"%s: %s\r\n" % field for field in framing)
        self.parser = httptools.HttpRequestParser(self)
        self._silent = bool(framing)
        if framing:
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + head + b"\r\n")
            self._silent = False

    def on_message_begin(self) -> None:
        if not self._silent:
            self._in_head = self._in_message = True
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._silent:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; those of a trailer are nobody's (RFC 9110 §6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_message_complete(self) -> None:
        if not self._silent and not self._body_follows():
            self._in_message = False
            super().on_message_complete()

    def _body_follows(self) -> bool:
        """True where the parser takes a request for complete whose body it will not read."""
        framed = any(name in FRAMING and value.strip(b"0") for name, value in self.headers)
        return framed and bool(self.parser.should_upgrade())

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        assert isinstance(cycle, Cycle)  # noqa: S101  on_headers_complete makes no other
        self._current = cycle
        super()._start_asgi_task(cycle, app)

    def on_headers_complete(self) -> None:
        """Start the request, or queue it. What is raised here is answered with 400 by `data_received`."""
        if self._silent:
            return
        self._in_head = False
        self._describe()
        plain = self.scheme == "http"
        earlier = self.cycle
        self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=self._lasting(),
            on_response=self.on_response_complete,
        )
        self.cycle.file_sender = self._sends_files if plain else None
        if earlier is None or earlier.response_complete:
            self._start_asgi_task(self.cycle, self._application(self.cycle))
        else:  # pipelined: answered in order
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _application(self, cycle: Cycle) -> Any:
        """Who answers: the prepared reply to this request, or the application, which may prepare one."""
        if self._head is None or not cycle.keep_alive or cycle.scope["http_version"] != "1.1":
            return self.app
        known = (self._place, self._head)
        kept = self._table.get(self._head)
        if kept is not None and kept.reply.body is None and kept.reply.lasts(self._hot.wall()):
            return kept.reply
        if taker := self._hot.taker(known):
            self.scope["extensions"]["mirror.prepared"] = taker  # type: ignore[assignment]
        return self.app

    def _lasting(self) -> bool:
        if self.parser.should_upgrade():  # which says nothing of the connection to this parser
            options = b",".join(value for name, value in self.headers if name == b"connection").lower()
            return b"close" not in [option.strip() for option in options.split(b",")]
        return self.scope["http_version"] != "1.0" and self.parser.should_keep_alive()

    def _describe(self) -> None:
        """Complete the scope; ValueError for a request that has no single meaning (RFC 9112 §3.2)."""
        if self.parser.get_method() == b"CONNECT":
            self._tunnel = True
            raise ValueError("no tunnels")
        http_version = self.parser.get_http_version()
        hosts = [value for name, value in self.headers if name == b"host"]
        if http_version not in ("1.0", "1.1") or b"#" in self.url:
            raise ValueError("no such protocol or address")
        if len(hosts) > 1 or (not hosts and http_version == "1.1") or not all(map(HOST.fullmatch, hosts)):
            raise ValueError("one Host is needed")
        parsed: Any = httptools.parse_url(self.url)
        raw_path: bytes = parsed.path or b"/"
        self.scope["asgi"]["spec_version"] = "2.4"
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = http_version
        self.scope["path"] = urllib.parse.unquote(raw_path.decode("ascii"))
        self.scope["raw_path"] = raw_path
        self.scope["query_string"] = parsed.query or b""
        self.scope["extensions"] = {"http.response.interim": {}}
        if self.scheme == "http":
            self.scope["extensions"]["http.response.zerocopysend"] = {}
        if parsed.schema is not None:  # absolute-form: its authority counts, not Host (RFC 9112 §3.2.2)
            self._set_host(urllib.parse.urlsplit(self.url).netloc)
            self.scope["extensions"]["http.request.absolute_form"] = {}

    def _set_host(self, authority: bytes) -> None:
        self.headers[:] = [(name, value) for name, value in self.headers if name != b"host"]
        self.headers.append((b"host", authority))


def _refusal(status: int, detail: str) -> bytes:
    """The whole response to what is no HTTP request, or none for this server."""
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail, "error": detail}
    body = json.dumps(problem).encode()
    allow = "allow: GET, HEAD\r\n" if status == HTTPStatus.METHOD_NOT_ALLOWED else ""
    head = (
        f"HTTP/1.1 {status} {title}\r\n{allow}"
        "content-type: application/problem+json\r\ncache-control: no-store\r\n"
        f"cache-status: mirror; detail=error\r\nx-cache: ERROR\r\ndate: {formatdate(usegmt=True)}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
