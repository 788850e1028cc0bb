"""What the engine gives back for a request: a head, where the bytes come from, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace

from mirror.changes import Mark
from mirror.httpcache.freshness import ttl
from mirror.model import Entry, Head, Headers, Ready, Rule
from mirror.outcome import Outcome
from mirror.policy.artifact import Artifact, Verdict
from mirror.ports import Answer, Piece, Source

ROUNDING = 0.001
"""Seconds before and after which a whole second may look like the next one, by how times are added up."""


class InMemory:
    """A Source over bytes."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    async def read(self, start: int, end: int | None) -> AsyncGenerator[Piece, None]:
        if self.body[start:end]:
            yield memoryview(self.body)[start:end]

    async def close(self) -> None:
        return None


class Storing:
    """A Source over bytes that are given when `stored` is set."""

    def __init__(self, body: bytes, stored: asyncio.Event) -> None:
        self._body = body
        self._stored = stored

    async def read(self, start: int, end: int | None) -> AsyncGenerator[Piece, None]:
        await self._stored.wait()
        if self._body[start:end]:
            yield memoryview(self._body)[start:end]

    async def close(self) -> None:
        return None


class Relayed:
    """A Source over an origin's answer that nobody else reads: once, in order."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def read(self, start: int, end: int | None) -> AsyncGenerator[Piece, None]:
        at = 0
        async for chunk in self._answer.chunks():
            piece = memoryview(chunk)[max(0, start - at) : None if end is None else max(0, end - at)]
            at += len(chunk)
            if piece:
                yield piece
            if end is not None and at >= end:
                return

    async def close(self) -> None:
        await self._answer.aclose()


@dataclass(frozen=True, slots=True)
class Lasting:
    """Until when the same request has the same reply: while `entry` is fresh by `rule`, until about `until` (wall
    clock), and while nothing changes what was marked."""

    entry: Entry
    rule: Rule
    until: float
    mark: Mark

    def ttl(self, now: float) -> float:
        """Seconds of freshness that remain."""
        return ttl(self.entry, self.rule, now)


Again = Callable[[bool], Awaitable["Reply | None"]]
"""The origin's reply instead, and what was stored is stored no more. Asked with True, where bytes are out already: None
unless its bytes are surely the same."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`size` in bytes, None where the origin did not announce it. `source` is closed by whoever sends the reply.

    `verbatim`: conditions and ranges were the origin's to answer; the reply goes out as it is. `digest`: the sha256 of
    the stored bytes, "" while they are not stored. `lasting` is None where the same request may mean something else
    the next time. `key`: under which it is stored, or would be; "" where there is no such key. `again`: of a hit, for
    when its stored bytes cannot be read. `admitted`: the artifact that it brings, and by which verdict; None where
    nobody was asked.
    """

    head: Head
    size: int | None
    source: Source
    outcome: Outcome
    verbatim: bool = False
    digest: str = ""
    lasting: Lasting | None = None
    key: str = ""
    again: Again | None = None
    admitted: tuple[Artifact, Verdict] | None = None


def ready(answer: Ready, now: float) -> Reply:
    """The reply for an answer that a plan gave itself."""
    headers = answer.headers.set("content-length", str(len(answer.body)))
    head = Head(answer.status, headers, now, now)
    return Reply(head, len(answer.body), InMemory(answer.body), Outcome(detail="local"), verbatim=True)


def document(reply: Reply, head: Head, size: int, source: Source) -> Reply:
    """The reply for what was made of the document that `reply` would have been."""
    sized = replace(head, headers=head.headers.set("content-length", str(size)))
    return replace(reply, head=sized, size=size, source=source)


async def instead(reply: Reply, answer: Ready) -> Reply:
    """The reply with fields and body of that answer, of which nothing is the origin's but status and date."""
    await reply.source.close()
    dated = Headers((*answer.headers, *reply.head.headers.only(("date",))))
    head = replace(reply.head, headers=dated, reason="")
    return document(reply, head, len(answer.body), InMemory(answer.body))
