"""One request and its response: broken bodies look broken, HTTP/1.0 gets no chunks, statuses may be odd."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, RequestResponseCycle

from mirror.errors import Unreadable
from mirror.server.zerocopy import FileSender

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset, which no client can take for the proper end of a body."""

_PHRASES = {int(status): status.phrase.encode() for status in HTTPStatus}
_BODILESS = (204, 304)


class Cycle(RequestResponseCycle):
    """One request and its response.

    `send` raises OSError once the client has gone (ASGI 2.4; uvicorn's returns as if it had sent, so that a body is
    read to its end for nobody). A response that the application leaves incomplete ends with a reset.
    """

    _bare = False  # HTTP/1.0 and no length: the end of the connection ends the body
    file_sender: Callable[[], FileSender] | None = None
    _leaving: Callable[[], None] | None = None

    def when_left(self, call: Callable[[], None] | None) -> None:
        """An extension of ours: `call` once the client has gone, also while nothing is sent (None: nothing more)."""
        self._leaving = call
        if self.disconnected and call is not None:
            call()

    def left(self) -> None:
        """The client has gone."""
        self.disconnected = True
        self.message_event.set()
        if self._leaving is not None:
            self._leaving()

    async def run_asgi(self, app: ASGI3Application) -> None:
        if self.disconnected:
            return self.end()
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
            self.end()
        return None

    def end(self) -> None:
        """Nothing more is said here: nor does it know those any more that know it, so that no collector is needed."""
        self.on_response, self.file_sender, self._leaving = _nothing, None, None
        self.scope["extensions"] = {}

    def reset(self) -> None:
        """End the connection so that nobody can take the response for complete."""
        if self.disconnected or self.response_complete:
            return
        reset(self.transport)

    async def send(self, message: ASGISendEvent) -> None:
        if self.disconnected:
            raise ConnectionResetError("the client has gone")
        kind: str = message["type"]
        if kind == "http.response.interim":
            return self._send_interim(message)
        if kind == "http.response.start" and not self.response_started:
            return await self._send_head(message)
        if kind == "http.response.zerocopysend":
            return await self._send_file(message)
        if self._bare and kind == "http.response.body":
            return await self._send_bare(message)
        await super().send(message)
        if self.disconnected and not self.response_complete:
            raise ConnectionResetError("the client has gone")
        return None

    def _send_interim(self, message: Any) -> None:
        """An extension of ours: an interim response (`status`, `headers`), for clients that can be sent one."""
        if self.response_started or self.scope["http_version"] == "1.0":
            return
        self.transport.write(
            b"".join((*status_line(message["status"], b""), *field_lines(message["headers"]), b"\r\n"))
        )

    async def _send_head(self, message: Any) -> None:
        """As the parent does, and: any status of three digits, its `reason` where the message has one."""
        await self.flow.drain()
        if self.disconnected:
            raise ConnectionResetError("the client has gone")
        headers = [*self.default_headers, *message.get("headers", ())]
        lines = [*status_line(message["status"], message.get("reason", b"")), *field_lines(headers)]
        if self.more_body:  # nobody will read the rest of the request: what follows it cannot be found
            self.keep_alive = False
        lines += self._framing(message["status"], {name.lower(): value for name, value in headers})
        self.response_started, self.waiting_for_100_continue = True, False
        self.transport.write(b"".join((*lines, b"\r\n")))

    def _framing(self, status: int, headers: dict[bytes, bytes]) -> list[bytes]:
        """Settle how the body is framed (RFC 9112 §6.3), and the lines that say so."""
        lines, length = [], headers.get(b"content-length")
        bodiless = self.scope["method"] == "HEAD" or status in _BODILESS
        self.chunked_encoding = False
        if length is not None and not bodiless:
            self.expected_content_length = int(length)
        elif length is None and not bodiless and self.scope["http_version"] == "1.0":
            self._bare = True
        elif length is None and not bodiless:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        closing = b"close" in [token.strip() for token in headers.get(b"connection", b"").lower().split(b",")]
        if closing:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        return lines

    async def _send_file(self, message: Any) -> None:
        """ASGI's zero-copy send: `file` is a descriptor; the response must have a length."""
        offset, count = message["offset"], message["count"]
        if self.file_sender is None or self.chunked_encoding or count > self.expected_content_length:
            raise RuntimeError("no zero-copy send in a response without a length")
        try:
            await self.file_sender().send(message["file"], offset, count)
        except Unreadable as exc:  # the rest may come from elsewhere
            self.expected_content_length -= exc.sent
            raise
        self.expected_content_length -= count

    async def _send_bare(self, message: Any) -> None:
        await self.flow.drain()
        if self.disconnected:
            raise ConnectionResetError("the client has gone")
        self.transport.write(message.get("body", b""))
        if not message.get("more_body", False):
            self.response_complete = True
            self.message_event.set()
            self.transport.close()
            self.on_response()


def _nothing() -> None:
    return None


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a reset."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


def status_line(status: int, reason: bytes) -> tuple[bytes, ...]:
    """The status line (RFC 9112 §4): the phrase may be empty, its space may not be missing."""
    phrase = reason or _PHRASES.get(status, b"")
    return (b"HTTP/1.1 %d " % status, b"" if HEADER_VALUE_RE.search(phrase) else phrase, b"\r\n")


def field_lines(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Field lines; RuntimeError for what would split the response."""
    lines: list[bytes] = []
    for name, value in headers:
        if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
            raise RuntimeError("a field name or value that cannot be sent")
        lines += (name, b": ", value, b"\r\n")
    return lines
