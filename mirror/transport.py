"""How bytes travel to and from origins: an httpx transport on pyreqwest (hyper), and the settings of the origin client.

Why this one and not httpx's own: docs/transports.md has the comparison and the command that makes it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx
from pyreqwest import exceptions as failures
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.http import HeaderMap
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from .errors import ConfigError, OriginError, OriginRefused, OriginTimeout
from .model import Headers

__all__ = [
    "HyperTransport",
    "OriginSettings",
    "default_transport",
    "end_to_end",
    "framing",
    "host",
    "reason",
    "redirected",
    "refusal",
]


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

    @property
    def read_timeout(self) -> float:
        """Twice the longer deadline, so that the deadlines, which know why they strike, come first."""
        return 2 * max(self.head_timeout, self.min_rate_window)


def default_transport(settings: OriginSettings) -> httpx.AsyncBaseTransport:
    """The transport that the origin client uses; ConfigError where the proxy or the certificates cannot be used."""
    try:
        return HyperTransport(partial(_client, settings))
    except (OSError, ValueError, failures.PyreqwestError) as exc:
        raise ConfigError([f"origin: the proxy or the CA file cannot be used ({type(exc).__name__})"]) from exc


def _client(settings: OriginSettings) -> Client:
    builder = ClientBuilder().http1_only().follow_redirects(False).referer(False).no_proxy()
    builder = builder.gzip(False).brotli(False).zstd(False).deflate(False)
    # pyreqwest 0.15 does not cancel a request whose caller gives up before the head: only the read timeout frees its
    # connection. It must be long, since it also runs while our own reader pauses.
    builder = builder.read_timeout(timedelta(seconds=settings.read_timeout))
    builder = builder.connect_timeout(timedelta(seconds=settings.connect_timeout))
    builder = builder.pool_idle_timeout(timedelta(seconds=30))
    if settings.proxy:
        builder = builder.proxy(ProxyBuilder.all(settings.proxy))
    for certificate in _certificates(settings.ca_file):
        builder = builder.add_root_certificate_pem(certificate)
    return builder.build()


def _certificates(path: str) -> list[bytes]:
    """The certificates of a PEM bundle, one by one, because the client takes only the first of each text."""
    if not path:
        return []
    found = re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", Path(path).read_bytes(), re.DOTALL)
    if not found:
        raise ValueError("no certificate in the CA file")
    return found


class HyperTransport(httpx.AsyncBaseTransport):
    """Streams requests through a pyreqwest client that `build` makes; raises httpx's exceptions only.

    httpx's per-request timeouts are not used (the caller has deadlines of its own), except the connect timeout, which
    stands in the client. Bodies are read from the connection only when they are asked for.
    """

    def __init__(self, build: Callable[[], Client]) -> None:
        self._build = build
        self._client: Client | None = build()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` (its body is buffered) and return at the head, the body unread."""
        content = await request.aread()
        if self._client is None:
            raise httpx.LocalProtocolError("the transport is closed", request=request)
        try:
            # reqwest makes an Authorization field of its own from userinfo; httpx has made one already.
            builder = self._client.request(request.method, str(request.url.copy_with(userinfo=b"", fragment=None)))
            builder = builder.headers(request.headers.multi_items())
            builder = builder.body_bytes(content) if content else builder
            # 0: else the head is held back until 64 KiB of the body have come.
            sending = builder.streamed_read_buffer_limit(0).build_streamed()
            response = await _heeding(sending.__aenter__(), then=partial(sending.__aexit__, None, None, None))
        except (failures.PyreqwestError, ValueError) as exc:
            raise _translated(exc, request) from exc
        fields = httpx.Headers(_fields(response.headers))
        coding = fields.get("transfer-encoding", "chunked").lower()
        ambiguous = coding != "chunked" or ("content-length" in fields and "transfer-encoding" in fields)
        if ambiguous and self._client is not None:
            # hyper would read to the end of the chunks and use the connection again. Its pool cannot be told to forget
            # one connection, so all idle ones go (4 ms); answers under way keep the old client.
            self._client = self._build()
        return httpx.Response(response.status, headers=fields, stream=_Body(sending, response, request))

    async def aclose(self) -> None:
        client, self._client = self._client, None  # idle connections go with the last reference, not with close()
        if client is not None:
            await client.close()


class _Body(httpx.AsyncByteStream):
    def __init__(self, sending: StreamRequest, response: Response, request: httpx.Request) -> None:
        self._sending: StreamRequest | None = sending
        self._reader = response.body_reader
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while (chunk := await _heeding(self._reader.read_chunk())) is not None:
                yield chunk.to_bytes()
        except failures.PyreqwestError as exc:
            raise _translated(exc, self._request) from exc

    async def aclose(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            await sending.__aexit__(None, None, None)


_Result = TypeVar("_Result")


async def _heeding(call: Awaitable[_Result], then: Callable[[], Awaitable[None]] | None = None) -> _Result:
    """The call's result, or CancelledError (after `then`) if our task was cancelled meanwhile.

    pyreqwest 0.15 loses cancellations, and with them deadlines: (1) its result is ready, (2) the task is cancelled
    before it has run again, (3) the call returns its result all the same.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    result = await call
    if task and task.cancelling() > before:
        if then:
            await then()
        raise asyncio.CancelledError
    return result


def _fields(headers: HeaderMap) -> list[tuple[str, str]]:
    """The fields, less those that the library cannot give us because their value is not ASCII."""
    try:
        return list(headers.items())
    except ValueError:
        return [pair for name in dict.fromkeys(headers.keys()) for pair in _lines(headers, name)]


def _lines(headers: HeaderMap, name: str) -> list[tuple[str, str]]:
    try:
        return [(name, value) for value in headers.getall(name)]
    except ValueError:
        return []


_KINDS: tuple[tuple[type[Exception], type[httpx.RequestError]], ...] = (
    (failures.ConnectTimeoutError, httpx.ConnectTimeout),
    (failures.RequestTimeoutError, httpx.ReadTimeout),
    (failures.ConnectError, httpx.ConnectError),
    (failures.NetworkError, httpx.ReadError),
    (failures.ClientClosedError, httpx.ReadError),
    (ValueError, httpx.LocalProtocolError),
)


def _translated(exc: Exception, request: httpx.Request) -> httpx.RequestError:
    kind = next((ours for theirs, ours in _KINDS if isinstance(exc, theirs)), httpx.RemoteProtocolError)
    return kind(_cause(exc), request=request)


def _cause(exc: Exception) -> str:
    """The innermost cause, in the library's words. The outer ones may name the URL, which may hold secrets."""
    details = exc.details if isinstance(exc, failures.DetailedPyreqwestError) else None
    causes = [cause["message"] for cause in (details and details["causes"]) or []]
    return next((text for text in reversed(causes) if "url (" not in text), type(exc).__name__)


_HOP_BY_HOP = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")


def host(url: httpx.URL) -> str:
    """Host and port as a person may read them: without userinfo."""
    return url.netloc.decode("ascii")


def end_to_end(headers: httpx.Headers) -> Headers:
    """The fields less those that concern one connection only (RFC 9110 §7.6.1), each byte of a value one character."""
    fields = Headers.of((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw)
    named = [name.strip().lower() for name in (fields.get("connection") or "").split(",")]
    kept = fields.without(*_HOP_BY_HOP, *named)
    if "," in (length := kept.get("content-length") or ""):
        kept = kept.set("content-length", length.partition(",")[0])  # the same several times, see framing()
    return Headers(tuple(pair for pair in kept if not pair[0].startswith("proxy-")))


def framing(response: httpx.Response) -> tuple[int | None, bool]:
    """The body's announced length in bytes, and whether its end can be told from a broken connection (RFC 9112 §6.3).

    OriginError where the framing is ambiguous (RFC 9112 §6.1, §6.3) or a part comes that was not asked for.
    """
    origin, headers = host(response.request.url), response.headers
    lengths = {part.strip() for part in headers.get("content-length", "").split(",")} - {""}
    codings = headers.get("transfer-encoding", "").strip().lower()
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


def redirected(response: httpx.Response) -> httpx.URL:
    """Where a redirect leads; OriginError where that cannot be followed."""
    source, lines = response.request.url, response.headers.get_list("location")
    try:
        target = source.join(lines[0]) if len(lines) == 1 else httpx.URL("")
    except httpx.InvalidURL as exc:
        raise OriginError(f"{host(source)} redirects to an address that is not valid") from exc
    if target.scheme not in ("http", "https") or not target.host:
        raise OriginError(f"{host(source)} redirects to nowhere that can be followed")
    if source.scheme == "https" and target.scheme == "http":
        raise OriginError(f"{host(source)} redirects from https to http")
    return target


def refusal(exc: Exception, url: httpx.URL) -> OriginError:
    """What became of a request that has no head to show."""
    if isinstance(exc, httpx.ConnectTimeout | httpx.NetworkError | httpx.ProxyError):
        return OriginRefused(f"{host(url)} cannot be reached ({reason(exc)})")
    if isinstance(exc, httpx.InvalidURL):  # httpx reads Location even if it is not to follow it
        return OriginError(f"{host(url)} redirects to an address that is not valid")
    if isinstance(exc, httpx.TimeoutException):
        return OriginTimeout(f"{host(url)} gave no answer in time")
    return OriginError(f"{host(url)} gave no answer that can be understood ({reason(exc)})")


def reason(exc: Exception) -> str:
    """The cause in the transport's words where they come from the network; others may quote what we sent."""
    told = isinstance(exc, httpx.NetworkError | httpx.TimeoutException | httpx.RemoteProtocolError)
    return (told and str(exc)) or type(exc).__name__
