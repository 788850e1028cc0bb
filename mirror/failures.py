"""What went wrong on the way to an origin: aiohttp's exceptions as httpx's, and httpx's as ours."""

from __future__ import annotations

import ssl

import aiohttp
import httpx

from .errors import (
    MirrorError,
    OriginError,
    OriginForbidden,
    OriginRefused,
    OriginResting,
    OriginTimeout,
    OriginUnreachable,
    Truncated,
)
from .framing import host

__all__ = ["NotPublic", "PrivateAddress", "fault", "reason", "refusal", "translated"]


class PrivateAddress(OSError):
    """A host has an address that may not be connected to."""


class NotPublic(httpx.ConnectError):
    """The same, as httpx would say it."""


def translated(exc: Exception, request: httpx.Request) -> httpx.RequestError:
    """aiohttp's exception as httpx's. Raise it `from None`: the texts of aiohttp quote URLs, with their queries."""
    match exc:
        case aiohttp.ConnectionTimeoutError():
            kind: type[httpx.RequestError] = httpx.ConnectTimeout
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            kind = httpx.ProxyError
        case aiohttp.ClientConnectorError(os_error=PrivateAddress()):
            kind = NotPublic
        case aiohttp.ClientConnectorError():
            kind = httpx.ConnectError
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            kind = httpx.RemoteProtocolError
        case ValueError():  # a field or a URL that cannot be sent
            kind = httpx.LocalProtocolError
        case _:
            kind = httpx.ReadError
    return kind(_cause(exc), request=request)


def _cause(exc: Exception) -> str:
    """What is known of the cause and quotes nothing that was sent."""
    match exc:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as cause):
            return cause.verify_message
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection"
        case OSError(strerror=str(text)) if text:
            return text
    inmost: BaseException = exc
    while inmost.__cause__ is not None:
        inmost = inmost.__cause__
    return type(inmost).__name__


def refusal(exc: Exception, url: httpx.URL) -> OriginError:
    """What became of a request that has no head to show."""
    if isinstance(exc, NotPublic):
        return OriginForbidden(f"{host(url)} has an address that is not public ({exc}); see `allow_private`")
    if isinstance(exc, httpx.ConnectTimeout | httpx.ConnectError | httpx.ProxyError):
        return OriginUnreachable(f"{host(url)} cannot be reached ({reason(exc)})")
    if isinstance(exc, httpx.NetworkError):
        return OriginRefused(f"{host(url)} cannot be reached ({reason(exc)})")
    if isinstance(exc, httpx.InvalidURL):  # httpx reads Location even if it is not to follow it
        return OriginError(f"{host(url)} redirects to an address that is not valid")
    if isinstance(exc, httpx.LocalProtocolError | httpx.UnsupportedProtocol | ValueError):
        return OriginError(f"{host(url)} cannot be asked this: the address or a field cannot be sent")
    if isinstance(exc, httpx.TimeoutException):
        return OriginTimeout(f"{host(url)} gave no answer in time")
    return OriginError(f"{host(url)} gave no answer that can be understood ({reason(exc)})")


def reason(exc: Exception) -> str:
    """The cause in the transport's words where they come from the network; others may quote what we sent."""
    told = isinstance(exc, httpx.NetworkError | httpx.TimeoutException | httpx.RemoteProtocolError)
    return (told and str(exc)) or type(exc).__name__


def fault(failure: MirrorError) -> str | None:
    """What an upstream did wrong, as one of `measures.KINDS`; None where it did nothing: it was not asked."""
    match failure:
        case OriginUnreachable():
            return "unreachable"
        case OriginRefused():
            return "refused"
        case OriginTimeout():
            return "timeout"
        case Truncated():
            return "broken_off"
        case OriginResting() | OriginForbidden():
            return None
        case OriginError():
            return "invalid"
    return None
