"""How bytes travel to and from origins: an httpx transport on aiohttp, and the settings of the origin client.

Why this one and not httpx's own: docs/transports.md has the comparison and the command that makes it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import aiohttp
import httpx
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from .errors import ConfigError
from .exchange import Exchange, Handler, listening
from .failures import translated
from .guard import Guard

__all__ = ["AiohttpTransport", "OriginSettings", "default_transport"]

_KEEP_ALIVE = 30.0
_READ_BUFFER = 1 << 16
_LONGEST_LINE = 1 << 15
_MOST_FIELDS = 256
_FAILURES = (aiohttp.ClientError, OSError, ValueError, RuntimeError)


@dataclass(frozen=True, slots=True)
class OriginSettings:
    """How origins are spoken to. Times in seconds, `min_rate` in bytes per second.

    `head_timeout` is the deadline for connection, redirects and head together. Fewer than `min_rate * min_rate_window`
    bytes in a window of waiting for the origin break a body off. `retries` are the further attempts after connection
    failures. `max_connections` and `max_waiting` (requests that queue for a connection) hold for each upstream.
    `proxy` is the URL of an HTTP proxy; `ca_file` holds PEM certificates that are trusted besides the system's.
    """

    connect_timeout: float = 5.0
    head_timeout: float = 30.0
    min_rate: float = 1024.0
    min_rate_window: float = 30.0
    retries: int = 4
    max_connections: int = 100
    max_waiting: int = 10_000
    proxy: str = ""
    ca_file: str = ""
    user_agent: str = "mirror/0.1"


def default_transport(settings: OriginSettings) -> httpx.AsyncBaseTransport:
    """The transport that the origin client uses; ConfigError where the proxy or the certificates cannot be used."""
    try:
        trust = ssl.create_default_context()
        if settings.ca_file:
            trust.load_verify_locations(settings.ca_file)
        return AiohttpTransport(trust, _proxy(settings.proxy), settings.connect_timeout)
    except (OSError, ValueError) as exc:
        raise ConfigError([f"origin: the proxy or the CA file cannot be used ({type(exc).__name__})"]) from exc


def _proxy(address: str) -> URL | None:
    proxy = URL(address) if address else None
    if proxy is not None and not (proxy.scheme in ("http", "https") and proxy.host):
        raise ValueError("not a URL of http or https")
    return proxy


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Streams requests through one aiohttp session; raises httpx's exceptions only.

    `trust` says which certificates are good, `proxy` where requests go instead of to their hosts, `connect_timeout` in
    seconds holds for name, connection and TLS together. httpx's per-request timeouts are not used: the caller has
    deadlines of its own. GET and HEAD are sent once more where their connection ends before the head. What may not be
    sent twice has a connection of its own: none that its peer is about to close (RFC 9112 §9.3.1).

    Requests with the extension `guarded` connect to public addresses only, and share no connection with others: each
    address that the host's name has is looked at, and the one that was looked at is connected to, so that a name which
    changes its mind changes nothing. (A proxy looks names up itself.) The extension `interim` is called with status and
    fields of each interim response (RFC 9110 §15.2).
    """

    def __init__(self, trust: ssl.SSLContext, proxy: URL | None, connect_timeout: float) -> None:
        self._trust = trust
        self._proxy = proxy
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout)
        self._sessions: dict[tuple[bool, bool], aiohttp.ClientSession] = {}
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, its body as it comes, and return at the head of the response, whose body is unread."""
        if self._closed:
            raise httpx.LocalProtocolError("the transport is closed", request=request)
        if request.url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol("neither http nor https", request=request)
        try:
            with listening(request.extensions.get("interim")):
                response = await self._session(request).request(
                    request.method,
                    _target(request.url),
                    headers=_sent(request),
                    data=_content(request),
                    allow_redirects=False,
                )
        except _FAILURES as exc:
            raise translated(exc, request) from None
        assert isinstance(response, Exchange)  # noqa: S101 - the session makes no other
        body = _Body(response, request)
        old = response.version == aiohttp.HttpVersion10
        if old and "Transfer-Encoding" in response.headers:  # RFC 9112 §6.1
            await body.aclose()
            raise httpx.RemoteProtocolError("it framed its answer by a coding that HTTP/1.0 has not", request=request)
        if response.status < 200 or not (old or response.version == aiohttp.HttpVersion11):
            await body.aclose()  # of the statuses below 200 it is 101: the others have been passed over
            raise httpx.RemoteProtocolError("it left HTTP/1.1", request=request)
        reason = (response.reason or "").encode("utf-8", "surrogateescape")
        fields = list(response.raw_headers)
        extensions = {"reason_phrase": reason, "narrow": body.narrow, "arrived": body.arrived, "fields": fields}
        # httpx follows no redirect for us, but reads where one leads, and gives the answer up where it cannot.
        shown = [(name, value) for name, value in fields if name.lower() != b"location"]
        return httpx.Response(response.status, headers=shown, stream=body, extensions=extensions)

    def _session(self, request: httpx.Request) -> aiohttp.ClientSession:
        lasting = request.method in ("GET", "HEAD")
        guarded = bool(request.extensions.get("guarded")) and self._proxy is None
        if (lasting, guarded) not in self._sessions:
            self._sessions[lasting, guarded] = self._opened(lasting=lasting, guarded=guarded)
        return self._sessions[lasting, guarded]

    def _opened(self, *, lasting: bool, guarded: bool) -> aiohttp.ClientSession:
        """A session of the running loop that adds nothing to requests and takes nothing from answers.

        Its connections are used again where they are `lasting`.
        """
        connector = aiohttp.TCPConnector(
            limit=0,  # origin.py counts connections
            keepalive_timeout=_KEEP_ALIVE if lasting else None,
            force_close=not lasting,
            resolver=Guard() if guarded else None,
            ssl=self._trust,
            # A TLS peer that never says goodbye is left after 2 s instead of 30; later Pythons have no such choice.
            enable_cleanup_closed=sys.version_info < (3, 12, 7),
        )
        connector._factory = partial(Handler, loop=asyncio.get_running_loop())  # type: ignore[assignment]
        session = aiohttp.ClientSession(
            connector=connector,
            response_class=Exchange,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            proxy=self._proxy,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            read_bufsize=_READ_BUFFER,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            max_headers=_MOST_FIELDS,
        )
        session._retry_connection = lasting  # it would send again what has no effect twice (RFC 9110 §9.2.2) to others
        return session

    async def aclose(self) -> None:
        sessions, self._sessions, self._closed = self._sessions, {}, True
        for session in sessions.values():
            await session.close()


def _target(url: httpx.URL) -> URL:
    """The URL as it stands: what looks like a path here is path and query, which yarl would lose an empty `?` of."""
    path = url.raw_path.decode("ascii")
    return URL.build(scheme=url.scheme, authority=url.netloc.decode("ascii"), path=path, encoded=True)


class _Upload(aiohttp.payload.AsyncIterablePayload):
    """A body whose head does not wait for its first bytes: the origin may answer before they are there."""

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        writer.send_headers()
        await writer.drain()
        await super().write_with_length(writer, content_length)


def _content(request: httpx.Request) -> _Upload | None:
    """The body to send, None where there is none (httpx gives each request a stream)."""
    framed = any(
        (name := key.lower()) == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for key, value in request.headers.raw
    )
    assert isinstance(request.stream, httpx.AsyncByteStream)  # noqa: S101 - an AsyncClient has no other
    return _Upload(request.stream) if framed else None


def _sent(request: httpx.Request) -> list[tuple[str, str]]:
    """The request's fields; aiohttp writes them as UTF-8, so that other bytes cannot be sent (ValueError).

    aiohttp frames the body itself.
    """
    fields = [(name.decode(), value.decode()) for name, value in request.headers.raw]
    return [(name, value) for name, value in fields if name.lower() != "transfer-encoding"]


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: Exchange, request: httpx.Request) -> None:
        self._response = response
        self._request = request
        self._narrowed = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
            content.read_nowait()  # raises where the body ended by a reset
        except _FAILURES as exc:
            content.set_exception(None)  # type: ignore[arg-type] # it stands before the bytes that came ahead of it
            if rest := content.read_nowait():
                yield rest
            raise translated(exc, self._request) from None

    async def arrived(self, patience: float) -> bytes | None:
        """The whole body, where it is here within `patience` seconds; None where it is not: it is to be read then."""
        content = self._response.content
        if patience and not content.is_eof() and content.exception() is None:
            with suppress(TimeoutError, *_FAILURES):  # who reads the body is told what is wrong with it
                async with asyncio.timeout(patience):
                    await content.wait_eof()
        return content.read_nowait() if content.is_eof() and content.exception() is None else None

    def narrow(self, count: int) -> None:
        """Let the peer send no more than about `count` bytes ahead of what was read (TCP_WINDOW_CLAMP, Linux)."""
        if count == self._narrowed:
            return
        self._narrowed = count
        connection = self._response.connection
        transport = connection.transport if connection is not None else None
        peer = transport.get_extra_info("socket") if transport is not None else None
        if peer is not None and hasattr(socket, "TCP_WINDOW_CLAMP"):
            with suppress(OSError):
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, count)

    async def aclose(self) -> None:
        self._response.hang_up()
