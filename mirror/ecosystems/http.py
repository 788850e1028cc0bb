"""Any HTTP origin: the request goes through as it is, and the origin's own fields say how long its answer holds."""

from __future__ import annotations

from mirror.ecosystems import paths
from mirror.errors import NotAllowed
from mirror.model import VIA, Headers, Mirror, Plan, Ready, Request, Rule

ALLOWED = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"

# RFC 9110 §7.6.1 with the fields that older peers treat so; what is made anew on the way (Range, If-*, Via); what makes
# an origin answer for another address than the key's (cache poisoning).
_HOP_BY_HOP = {"connection", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
_MADE_ANEW = {"content-length", "expect", "host", "max-forwards", "range", "via"}
_PERSONAL = {"authorization", "cookie"}
_OVERRIDES = {"x-http-host-override", "x-http-method", "x-http-method-override", "x-method-override"}
_ADDRESSES = {
    "cf-connecting-ip",
    "fastly-client-ip",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-real-ip",
}
_MISLEADING = {"forwarded", "front-end-https", "x-host"} | _ADDRESSES | _OVERRIDES
_DROPPED = frozenset(_HOP_BY_HOP | _MADE_ANEW | _MISLEADING)
_DROPPED_PREFIXES = ("proxy-", "if-", "x-forwarded", "x-original-", "x-rewrite-")
_REFUSED = ("CONNECT", "TRACE")  # a tunnel is no cache's business; TRACE shows scripts what only the origin should see


def plan(mirror: Mirror, request: Request) -> Plan | Ready:
    """Any method, any path and query; NotAllowed for CONNECT and TRACE, RequestError for unsafe paths."""
    if request.method in _REFUSED:
        raise NotAllowed(f"{request.method} is not possible here", ALLOWED)
    address = paths.untouched(request.path) + paths.query(request.query)
    left = _hops_left(request)
    if left == 0:
        return Ready(200, Headers((("allow", ALLOWED),)))
    send = _end_to_end(mirror, request.headers)
    # What one client's credentials are for is one origin: they are not tried on the others (RFC 9110 §11.6.2).
    personal = any(name in send for name in _PERSONAL)
    return Plan(
        key=f"/{mirror.name}{address}",
        urls=tuple(upstream + address for upstream in mirror.upstreams[: 1 if personal else None]),
        rule=Rule(ttl=mirror.ttl or None, grace=mirror.grace, keep=mirror.keep),
        send=send if left is None else send.set("max-forwards", str(left - 1)),
        follow=mirror.follow,
    )


def _hops_left(request: Request) -> int | None:
    """The Max-Forwards of an OPTIONS, which the last hop that it allows answers itself (RFC 9110 §7.6.2)."""
    told = request.headers.get("max-forwards") or ""
    return int(told) if request.method == "OPTIONS" and told.isascii() and told.isdigit() and len(told) < 10 else None


def _end_to_end(mirror: Mirror, headers: Headers) -> Headers:
    dropped = _DROPPED | {name.strip().lower() for name in (headers.get("connection") or "").split(",")}
    dropped |= frozenset() if mirror.client_auth else _PERSONAL
    dropped |= {mirror.auth[0].lower()} if mirror.auth else frozenset()  # ours take the place of the client's
    kept = [(name, value) for name, value in headers if name not in dropped and not name.startswith(_DROPPED_PREFIXES)]
    return Headers((*kept, ("via", ", ".join([*headers.all("via"), VIA]))))
