"""URLs as an operator may see them: without what gives access."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

HIDDEN = "..."
"""Stands for a query that nobody here has asked with: it may be the signature of the URL."""


def shown(url: str, asked: str = "") -> str:
    """The URL without userinfo and fragment, and without its query, unless `asked` (an address here) has the same."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    query = parts.query and (parts.query if parts.query == asked.partition("?")[2] else HIDDEN)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def server(url: str) -> str:
    """Scheme, host and port of a URL, as upstreams are named: `http://host:8080`, without a scheme's usual port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + ("" if port in (None, usual) else f":{port}")
