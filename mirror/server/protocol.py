"""uvicorn's HTTP protocol, mended: broken bodies look broken, departures are noticed, HTTP/1.0 gets no chunks."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import urllib.parse
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httptools
from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mirror.server.zerocopy import FileSender

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset, which no client can take for the proper end of a body."""


HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])?(?::[0-9]{0,5})?")
"""What a Host field may hold (RFC 9110 §7.2), less what no host name has."""


class Cycle(RequestResponseCycle):
    """One request and its response.

    `send` raises OSError once the client has gone (ASGI 2.4; uvicorn's returns as if it had sent, so that a body is
    read to its end for nobody). A response that the application leaves incomplete ends with a reset.
    """

    _bare = False  # HTTP/1.0 and no length: the end of the connection ends the body
    file_sender: Callable[[], FileSender] | None = None

    async def run_asgi(self, app: ASGI3Application) -> None:
        if self.disconnected:
            return
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            self.reset()
            raise
        except ConnectionError:
            self.reset()
        except Exception:
            self.logger.exception("unexpected error in the application")
            if self.response_started:
                self.reset()
            elif not self.disconnected:
                await self.send_500_response()
        else:
            if not self.response_complete:
                self.reset()
        finally:
            self.on_response = lambda: None

    def reset(self) -> None:
        """End the connection so that nobody can take the response for complete."""
        if self.disconnected or self.response_complete:
            return
        connection = self.transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    async def send(self, message: ASGISendEvent) -> None:
        if self.disconnected:
            raise ConnectionResetError("the client has gone")
        if message["type"] == "http.response.start":
            self._begin(message)
        if message["type"] == "http.response.zerocopysend":  # type: ignore[comparison-overlap]
            return await self._send_file(message)
        if self._bare and message["type"] == "http.response.body":
            return await self._send_bare(message.get("body", b""), message.get("more_body", False))
        await super().send(message)
        if self.disconnected and not self.response_complete:
            raise ConnectionResetError("the client has gone")
        return None

    def _begin(self, message: Any) -> None:
        if self.more_body:  # nobody will read the rest of the request: what follows it cannot be found
            self.keep_alive = False
        if self.scope["http_version"] == "1.0":
            self._bare = not any(name == b"content-length" for name, _ in message.get("headers", ()))
            if self._bare:
                # As good as chunked to the parent, which then writes neither length nor chunk header.
                self.chunked_encoding = False

    async def _send_file(self, message: Any) -> None:
        """ASGI's zero-copy send: `file` is a descriptor; the response must have a length."""
        offset, count = message["offset"], message["count"]
        if self.file_sender is None or self.chunked_encoding or count > self.expected_content_length:
            raise RuntimeError("no zero-copy send in a response without a length")
        await self.file_sender().send(message["file"], offset, count)
        self.expected_content_length -= count

    async def _send_bare(self, body: bytes, more_body: bool) -> None:
        await self.flow.drain()
        if self.disconnected:
            raise ConnectionResetError("the client has gone")
        if self.scope["method"] != "HEAD":
            self.transport.write(body)
        if not more_body:
            self.response_complete = True
            self.message_event.set()
            self.transport.close()
            self.on_response()


class MirrorProtocol(HttpToolsProtocol):
    """Starts a `Cycle` for each request. The parent's `on_headers_complete` names its own class, hence this one."""

    _file_sender: FileSender | None = None
    _current: Cycle | None = None  # the one whose response is on its way; the parent knows the newest only

    @property
    def answering(self) -> bool:
        """True while a request has not got its whole response."""
        return self._current is not None and not self._current.response_complete

    def reset(self) -> None:
        """End the connection in the middle of a response."""
        if self._current is not None:
            self._current.reset()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._file_sender is not None:
            self._file_sender.close()
        if self._current is not None and self.answering:
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
            self.transport.write(_bad_request(msg))
            self.transport.close()
        elif self.cycle.more_body:  # it is the body of the request being answered that cannot be read
            self.reset()
        else:
            self.cycle.keep_alive = False

    def _unread(self) -> bool:
        """True where it is the request to be answered next that cannot be read, and nothing was said to it yet."""
        return self.cycle is self._current and self.cycle.more_body and not self.cycle.response_started

    def _unsupported_upgrade_warning(self) -> None:
        """No warning: an upgrade may be ignored (RFC 9110 §7.8), and curl asks for one as a matter of course."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        assert isinstance(cycle, Cycle)  # noqa: S101  on_headers_complete makes no other
        self._current = cycle
        super()._start_asgi_task(cycle, app)

    def _sends_files(self) -> FileSender:
        if self._file_sender is None:
            self._file_sender = FileSender(self.transport, self.loop, self.flow.drain)
        return self._file_sender

    def on_headers_complete(self) -> None:
        """Start the request, or queue it. What is raised here is answered with 400 by `data_received`."""
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
            # After an upgrade that we ignore, the parser reads nothing more.
            keep_alive=self._lasting() and not self.parser.should_upgrade(),
            on_response=self.on_response_complete,
        )
        self.cycle.file_sender = self._sends_files if plain else None
        if earlier is None or earlier.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:  # pipelined: answered in order
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _lasting(self) -> bool:
        return self.scope["http_version"] != "1.0" and self.parser.should_keep_alive()

    def _describe(self) -> None:
        """Complete the scope; ValueError for a request that has no single meaning (RFC 9112 §3.2)."""
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
        self.scope["extensions"] = {"http.response.zerocopysend": {}} if self.scheme == "http" else {}
        if parsed.schema is not None:  # absolute-form: its authority counts, not Host (RFC 9112 §3.2.2)
            self._set_host(urllib.parse.urlsplit(self.url).netloc)
            self.scope["extensions"]["http.request.absolute_form"] = {}

    def _set_host(self, authority: bytes) -> None:
        self.headers[:] = [(name, value) for name, value in self.headers if name != b"host"]
        self.headers.append((b"host", authority))


def _bad_request(detail: str) -> bytes:
    """The whole response to what is no HTTP request."""
    problem = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": detail, "error": detail}
    body = json.dumps(problem).encode()
    head = (
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n"
        f"cache-status: mirror; detail=error\r\nx-cache: ERROR\r\ndate: {formatdate(usegmt=True)}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
