"""One question to an origin: what is sent, what becomes of it at a redirect, and where it may not go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx

from .errors import OriginForbidden
from .framing import end_to_end, host
from .model import Headers
from .ports import Interim, Upload
from .reach import Reach, Route, literal, public

__all__ = ["Question"]

_CROSS_REDIRECTS = (
    "accept",
    "accept-encoding",
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
    "user-agent",
)


@dataclass(frozen=True, slots=True)
class Question:
    method: str
    headers: Headers
    route: Route
    upload: Upload | None = None
    interim: Interim | None = None

    @property
    def repeatable(self) -> bool:
        """True where the origin may see it twice (RFC 9110 §9.2.2)."""
        return self.method in ("GET", "HEAD")

    def after(self, status: int, same_origin: bool) -> Question:
        """What is asked at the target of a redirect (RFC 9110 §15.4): the credentials stay with their origin."""
        method = self.method if self.method == "HEAD" or status in (307, 308) else "GET"
        route = self.route if same_origin else replace(self.route, auth=None)
        return replace(self, method=method, headers=self.headers.only(_CROSS_REDIRECTS), route=route)

    def counting(self, deadline: asyncio.Timeout, limit: float) -> Question:
        """The question, each chunk of whose body puts the deadline for the head off: an upload is no silent origin."""
        upload = self.upload
        if upload is None:
            return self

        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in upload.chunks:
                yield chunk
                with suppress(RuntimeError):  # the head is there already
                    deadline.reschedule(asyncio.get_running_loop().time() + limit)

        return replace(self, upload=Upload(upload.length, chunks()))

    def request(self, target: httpx.URL, user_agent: str) -> httpx.Request:
        """What is sent; OriginForbidden where it may not be. LookupError and ValueError: it cannot be written down."""
        content = self.upload.chunks if self.upload is not None else None
        extensions: dict[str, Any] = {"guarded": _guarded(target, self.route.reach)}
        if self.interim is not None:
            extensions["interim"] = partial(_interim, self.interim)
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.fields(user_agent)]
        return httpx.Request(self.method, target, headers=raw, content=content, extensions=extensions)

    def fields(self, user_agent: str) -> list[tuple[str, str]]:
        """What is sent. The mirror's own credentials take the place of a client's."""
        auth = self.route.auth
        given = [*filter(_sendable, self.headers.without(auth[0].lower()) if auth else self.headers)]
        given += [auth] if auth else []
        given += [("user-agent", user_agent)] if "user-agent" not in self.headers else []
        given += [("accept-encoding", "identity")] if "accept-encoding" not in self.headers else []
        if self.upload is not None and self.upload.length is not None:
            given.append(("content-length", str(self.upload.length)))
        return given


def _guarded(target: httpx.URL, reach: Reach) -> bool:
    """Whether the transport has to look at the host's addresses; OriginForbidden where it may not be asked at all."""
    if not reach.admits(target.scheme, target.host, target.port):
        raise OriginForbidden(f"{host(target)} is not on this mirror's `allow` list")
    guarded = reach.guarded(target.scheme, host(target))
    if guarded and literal(target.host) and not public(target.host):
        raise OriginForbidden(f"{host(target)} is not a public address (`allow_private = true` would let it be asked)")
    return guarded


def _interim(tell: Interim, status: int, fields: tuple[tuple[bytes, bytes], ...]) -> None:
    tell(status, end_to_end(fields).without("content-length"))  # RFC 9110 §8.6: it would speak of no body


def _sendable(field: tuple[str, str]) -> bool:
    """False for an ETag that the transport cannot send back (it is no UTF-8): we ask for the whole then."""
    name, value = field
    try:
        value.encode("latin-1").decode()
    except UnicodeError:
        return name != "if-none-match"
    return True
