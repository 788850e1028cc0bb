"""uvicorn's HTTP protocol, mended: broken bodies look broken, departures are noticed, HTTP/1.0 gets no chunks."""

from __future__ import annotations

import asyncio
import socket
import struct
import urllib.parse
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mirror.server.zerocopy import FileSender

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset, which no client can take for the proper end of a body."""


class Cycle(RequestResponseCycle):
    """One request and its response.

    `send` raises OSError once the client has gone (ASGI 2.4; uvicorn's returns as if it had sent, so that a body is
    read to its end for nobody). A response that the application leaves incomplete ends with a reset.
    """

    _bare = False  # HTTP/1.0 and no length: the end of the connection ends the body
    file_sender: Callable[[], FileSender] | None = None

    async def run_asgi(self, app: ASGI3Application) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._reset()
            raise
        except OSError:
            self._reset()
        except Exception:
            self.logger.exception("unexpected error in the application")
            if self.response_started:
                self._reset()
            elif not self.disconnected:
                await self.send_500_response()
        else:
            if not self.response_complete:
                self._reset()
        finally:
            self.on_response = lambda: None

    def _reset(self) -> None:
        if self.disconnected or self.response_complete:
            return
        connection = self.transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    async def send(self, message: ASGISendEvent) -> None:
        if self.disconnected:
            raise ConnectionResetError("the client has gone")
        if message["type"] == "http.response.start" and self.scope["http_version"] == "1.0":
            self._bare = not any(name == b"content-length" for name, _ in message.get("headers", ()))
            if self._bare:
                # As good as chunked to the parent, which then writes neither length nor chunk header.
                self.chunked_encoding = False
        if message["type"] == "http.response.zerocopysend":  # type: ignore[comparison-overlap]
            return await self._send_file(message)
        if self._bare and message["type"] == "http.response.body":
            return await self._send_bare(message.get("body", b""), message.get("more_body", False))
        await super().send(message)
        if self.disconnected and not self.response_complete:
            raise ConnectionResetError("the client has gone")
        return None

    async def _send_file(self, message: Any) -> None:
        """ASGI's zero-copy send: `file` is a descriptor; the response must have a length."""
        offset, count = message["offset"], message["count"]
        if self.file_sender is None or self.chunked_encoding or count > self.expected_content_length:
            raise RuntimeError("no zero-copy send in a response without a length")
        await self.file_sender().send(message["file"], offset, count)
        self.expected_content_length -= count

    async def _send_bare(self, body: bytes, more_body: bool) -> None:
        await self.flow.drain()
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

    def connection_lost(self, exc: Exception | None) -> None:
        if self._file_sender is not None:
            self._file_sender.close()
        super().connection_lost(exc)

    def _sends_files(self) -> FileSender:
        if self._file_sender is None:
            self._file_sender = FileSender(self.transport, self.loop)
        return self._file_sender

    def on_headers_complete(self) -> None:
        http_version = self.parser.get_http_version()
        self.scope["asgi"]["spec_version"] = "2.4"
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = http_version
        parsed: Any = httptools.parse_url(self.url)
        raw_path: bytes = parsed.path or b"/"
        self.scope["path"] = urllib.parse.unquote(raw_path.decode("ascii"))
        self.scope["raw_path"] = raw_path
        self.scope["query_string"] = parsed.query or b""
        plain = self.scheme == "http"
        self.scope["extensions"] = {"http.response.zerocopysend": {}} if plain else {}
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
            keep_alive=http_version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        self.cycle.file_sender = self._sends_files if plain else None
        if earlier is None or earlier.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:  # pipelined: answered in order
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))
