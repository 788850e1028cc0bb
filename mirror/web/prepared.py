"""A reply that is ready for whoever writes the same request again, for as long as it is the right one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from math import inf
from typing import Any

from mirror.audit.handed import Handed
from mirror.counters import Counted
from mirror.engine import Engine
from mirror.errors import Unreadable
from mirror.httpcache.freshness import age
from mirror.masking import masked
from mirror.model import Request
from mirror.outside import whole
from mirror.ports import Blob, Source
from mirror.reply import ROUNDING, InMemory, Lasting, Reply
from mirror.uses import Use
from mirror.web.access import Asked, Gathered, Line
from mirror.web.replies import Send
from mirror.web.shapes import Shape, shape

PREPARED = "mirror.prepared"
"""The extension by which a server that keeps prepared replies takes one for the request of the scope."""

SMALL = 64 * 1024
"""Bytes up to which a body is kept with the reply; larger ones are read from disk each time."""

# What makes a request more than its address, or its meaning a matter of time.
_NEVER = (
    *("authorization", "cache-control", "connection", "content-length", "cookie", "expect", "pragma", "te"),
    *("transfer-encoding", "upgrade"),
)


def lasts(reply: Reply, request: Request) -> bool:
    """Whether the same request would get this reply again."""
    if reply.lasting is None or request.method not in ("GET", "HEAD"):
        return False
    if reply.size is None or reply.verbatim or any(name in request.headers for name in _NEVER):
        return False
    return reply.size <= SMALL or "," not in (request.headers.get("range") or "")  # of a file one run of bytes is sent


def different(key: str, request: Request) -> str:
    """A key where it is another than the address that was asked for, else ""."""
    name, _, path = key[1:].partition("/")
    asked = request.path + (f"?{request.query}" if request.query else "")
    return masked(key) if key and (f"/{path}" != asked or not request.base.endswith(f"/{name}")) else ""


async def small(reply: Reply) -> Reply:
    """The reply with its body in memory, where that is small."""
    if isinstance(reply.source, InMemory) or reply.size is None or reply.size > SMALL:
        return reply
    parts: list[bytes] = []
    try:
        async with aclosing(reply.source.read(0, None)) as pieces:
            async for piece in pieces:
                new = [bytes(piece)] if isinstance(piece, bytes | memoryview) else [c async for c in piece.chunks()]
                parts += new
    except Unreadable:
        other = await reply.again(False) if reply.again is not None else None
        if other is None:
            raise
        return other
    finally:
        await reply.source.close()
    return replace(reply, source=InMemory(b"".join(parts)))


Serve = Callable[[Mapping[str, Any], Any, Send, "Prepared"], Awaitable[None]]
"""How a server's request is answered with a prepared reply: scope, receive, send, the reply."""


class Prepared:
    """See the module. As an ASGI application it answers that request; a server that can do better asks for its `shape`
    and sends that, with `body` (None: too large to be kept)."""

    def __init__(
        self,
        engine: Engine,
        reply: Reply,
        request: Request,
        asked: Asked,
        log: Gathered,
        counted: Counted,
        serve: Serve,
        handed: Handed | None = None,
    ) -> None:
        assert reply.lasting is not None  # noqa: S101 - see `lasts`
        self.request = request
        self.body = reply.source.body if isinstance(reply.source, InMemory) else None
        self._engine = engine
        self._reply = reply
        self._lasting: Lasting = reply.lasting
        self._until = reply.lasting.until - ROUNDING
        self._since = engine.since
        self._asked = asked
        self._word = reply.outcome.x_cache
        self._key = different(reply.key, request)
        self._log = log
        self.counted = counted
        self.handed = handed
        self._answered = counted.answers(reply.outcome.x_cache)
        self._serve = serve
        self._use = Use()

    def lasts(self, now: float) -> bool:
        """Whether it is the right one still. Cheap: asked for each request."""
        return now < self._until and not self._since(self._lasting.mark)

    def shape(self, now: float) -> tuple[Shape, str, float]:
        """The response at `now`, what became of the request, and until when both are the same: Age and the ttl of
        Cache-Status are whole seconds. That it is asked for is noted as a use of what is stored."""
        self._use = self._engine.used(self._lasting)
        reply, left = self._at(now), self._lasting.ttl(now)
        change = min(1 - age(reply.head, now) % 1, left % 1 if left != inf else 1.0) - ROUNDING
        return shape(reply, self.request, now), str(reply.outcome), now + change

    def at_hand(self) -> Blob | None:
        """The body's file, open, where that takes no waiting."""
        return self._engine.at_hand(self._lasting)

    async def again(self) -> Source | None:
        """Where the rest of the very same bytes is read, when those of the body's file cannot be."""
        other = await self._reply.again(True) if self._reply.again is not None else None
        return other.source if other is not None else None

    async def reply(self, now: float) -> Reply | None:
        """The reply, open; None where its bytes are not there any more."""
        self._engine.used(self._lasting).hits += 1
        if self.body is not None:
            return self._at(now)
        source = await self._engine.opened(self._lasting)
        return replace(self._at(now), source=source) if source is not None else None

    def _at(self, now: float) -> Reply:
        outcome = replace(self._reply.outcome, ttl=whole(self._lasting.ttl(now)))
        return replace(self._reply, outcome=outcome, lasting=None)

    def line(self, client: str, status: int, count: int, outcome: str, spent: float = 0.0, whole: bool = True) -> Line:
        """What the log says when it is sent to that client in so many seconds, of which none pass before its first
        byte."""
        mirror = self.counted.mirror
        told = (status, count, spent, 0.0, outcome, self._word, mirror, self._key, whole, self.handed)
        return Line(self._asked, client, *told)

    def sent(self, now: float, line: Line, count: int) -> None:
        """The server has sent it, of the body so many bytes."""
        self._answered(count)
        self._use.hits += 1
        self._log.add(now, line)

    async def __call__(self, scope: Mapping[str, Any], receive: object, send: Send) -> None:
        await self._serve(scope, receive, send, self)
