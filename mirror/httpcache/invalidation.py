"""What a request that changes something at the origin makes of what is stored (RFC 9111 §4.4). Pure."""

from __future__ import annotations

from urllib.parse import urldefrag, urljoin, urlsplit

from mirror.httpcache.freshness import directives, explicit
from mirror.model import Head, Headers, Rule

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PRI", "PROPFIND", "QUERY", "REPORT", "SEARCH", "TRACE"})
"""The methods that the registry of RFC 9110 §16.1 calls safe; what is not on it may change anything."""

_PORTS = {"http": 80, "https": 443}


def invalidates(method: str, status: int) -> bool:
    """True where a request with this method was answered so that what is stored may be wrong now.

    An error changes nothing (§4.4: "non-error" is 2xx or 3xx).
    """
    return method not in SAFE and 200 <= status < 400


def targets(url: str, headers: Headers) -> tuple[str, ...]:
    """The addresses at the origin to invalidate: the request's own `url`, and where Location and Content-Location lead.

    Only those of the same origin (scheme, host, port): one origin may not purge what is another's.
    """
    told = [value for name in ("location", "content-location") for value in headers.all(name)]
    found = [url]
    for reference in told:
        try:
            target = urldefrag(urljoin(url, reference)).url
            if _origin(target) == _origin(url) and target not in found:
                found.append(target)
        except ValueError:  # no URL
            continue
    return tuple(found)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def answers_get(method: str, url: str, head: Head) -> bool:
    """True for the answer to a POST that a later GET of `url` may be given (RFC 9110 §9.3.3).

    It has to say so: Content-Location with the request's own address, and an explicit freshness lifetime.
    """
    if method != "POST" or head.status != 200:
        return False
    lines = head.headers.all("content-location")
    if len(lines) != 1 or not explicit(head, Rule(), directives(head.headers)):
        return False
    try:
        return urljoin(url, lines[0]) == url
    except ValueError:
        return False
