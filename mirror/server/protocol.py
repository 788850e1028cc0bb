"""uvicorn's HTTP protocol, mended: requests that mean two things are refused, departures are noticed."""

from __future__ import annotations

import asyncio
import re
import urllib.parse
from typing import Any

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from mirror.server.cycle import Cycle
from mirror.server.patience import PatientProtocol
from mirror.server.refusals import refusal

HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])?(?::[0-9]{0,5})?")
"""What a Host field may hold (RFC 9110 §7.2), less what no host name has."""

_NO_TUNNELS = 'this server makes no tunnels (for apt: Acquire::https::Proxy "DIRECT")'


class MirrorProtocol(PatientProtocol):
    """Starts a `Cycle` for each request. The parent's `on_headers_complete` names its own class, hence this one."""

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
            self._current.left()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """The client has left. The end of the connection must not look like the end of a body without a length."""
        if self.answering:
            self.reset()

    def _refuse(self, status: int, detail: str) -> None:
        """Refuse what cannot be read, after the responses to what came before it, never in the middle of one."""
        super()._refuse(status, detail)
        if self.pipeline and self._current is not None:
            # Its head was read with the end of the body before it, whose request is being answered.
            self.pipeline.clear()
            self.cycle = self._current
        if not self.answering or self._unread():
            if self.cycle is not None:
                self.cycle.disconnected = True  # nobody gets what the application may say yet
                self.cycle.message_event.set()
            self._say_last(refusal(status, detail))
        elif self.cycle.more_body:  # it is the body of the request being answered that cannot be read
            self.reset()
        else:
            self.cycle.keep_alive = False

    def _unread(self) -> bool:
        """True where it is the request to be answered next that cannot be read, and nothing was said to it yet."""
        return self.cycle is self._current and self.cycle.more_body and not self.cycle.response_started

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        assert isinstance(cycle, Cycle)  # noqa: S101  on_headers_complete makes no other
        self._current = cycle
        super()._start_asgi_task(cycle, app)

    def on_headers_complete(self) -> None:
        """Start the request, or queue it. What is raised here is answered by `_refuse`."""
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
        self.scope["extensions"]["mirror.left"] = self.cycle.when_left  # type: ignore[assignment]
        if earlier is None or earlier.response_complete:
            self._start_asgi_task(self.cycle, self._application(self.cycle))
        else:  # pipelined: answered in order
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_response_complete(self) -> None:
        """As the parent does, less its timer for a connection at rest: `look` sees it."""
        self.server_state.total_requests += 1
        if self.pipeline and not self.transport.is_closing():
            self._start_asgi_task(*self.pipeline.pop())
        self._go_on()

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
            self._stop(405, _NO_TUNNELS)
        http_version = self.parser.get_http_version()
        hosts = [value for name, value in self.headers if name == b"host"]
        if http_version not in ("1.0", "1.1") or b"#" in self.url:
            raise ValueError("no such protocol or address")
        if http_version == "1.0" and any(name == b"transfer-encoding" for name, _ in self.headers):
            raise ValueError(
                "HTTP/1.0 has no codings: who hands it on may not see where the body ends"
            )  # RFC 9112 §6.1
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
