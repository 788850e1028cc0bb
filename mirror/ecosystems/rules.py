"""The lifetimes and request fields that the package ecosystems share."""

from __future__ import annotations

from math import inf

from mirror.errors import NotAllowed
from mirror.model import Headers, Mirror, Request, Rule

HOUR = 3600.0
DAY = 24 * HOUR

IMMUTABLE = Rule(ttl=inf, keep=inf, negative_ttl=10.0, package=True)

# Bodies that leave as they were stored; an encoded one would fail every client's hash check.
AS_IT_IS = Headers((("accept-encoding", "identity"),))


def volatile(mirror: Mirror, ttl: float) -> Rule:
    """The rule of a document that changes under its name; `ttl` in seconds."""
    return Rule(ttl=ttl, grace=mirror.grace, keep=mirror.keep, negative_ttl=min(60.0, ttl), package=True)


def document(accept: str) -> Headers:
    """The fields that ask for a document which is decoded before it is served."""
    return Headers((("accept", accept), ("accept-encoding", "gzip")))


def reads(request: Request) -> bool:
    """True for the methods that a read-only mirror knows."""
    return request.method in ("GET", "HEAD")


def only_reads(request: Request) -> None:
    """NotAllowed for every method but GET and HEAD."""
    if not reads(request):
        raise NotAllowed(f"{request.method} is not possible here: this mirror is read-only")
