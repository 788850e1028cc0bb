"""Any HTTP origin: the request goes through as it is, and the origin's own fields say how long its answer holds."""

from __future__ import annotations

from mirror.ecosystems import paths
from mirror.ecosystems.rules import only_reads
from mirror.model import Headers, Mirror, Plan, Request, Rule

# RFC 9110 §7.6.1 with the fields that older peers treat so; what the engine makes anew (Range, If-*); what belongs to
# one client (Cookie, Authorization); what makes an origin answer for another address than the key's (cache poisoning).
_HOP_BY_HOP = {"connection", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
_MADE_ANEW = {"content-length", "expect", "host", "range"}
_PERSONAL = {"authorization", "cookie"}
_OVERRIDES = {"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"}
_MISLEADING = {"forwarded", "x-host", "x-real-ip"} | _OVERRIDES
_DROPPED = frozenset(_HOP_BY_HOP | _MADE_ANEW | _PERSONAL | _MISLEADING)
_DROPPED_PREFIXES = ("proxy-", "if-", "x-forwarded-")


def plan(mirror: Mirror, request: Request) -> Plan:
    """A GET or HEAD of any path and query; NotAllowed for other methods, RequestError for unsafe paths."""
    only_reads(request)
    address = paths.untouched(request.path) + paths.query(request.query)
    return Plan(
        key=f"/{mirror.name}{address}",
        urls=tuple(upstream + address for upstream in mirror.upstreams),
        rule=Rule(ttl=mirror.ttl or None, grace=mirror.grace, keep=mirror.keep),
        send=_end_to_end(request.headers),
    )


def _end_to_end(headers: Headers) -> Headers:
    named = {name.strip().lower() for name in (headers.get("connection") or "").split(",")}
    kept = (
        (name, value)
        for name, value in headers
        if name not in _DROPPED and name not in named and not name.startswith(_DROPPED_PREFIXES)
    )
    return Headers(tuple(kept))
