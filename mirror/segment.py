"""One connection to the origin that fills one hole of a body: the tee, and going on after a broken connection."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from mirror.errors import Changed, Mismatch, OriginError, StoreError, Truncated, Unavailable, forget
from mirror.httpcache.conditional import strong_validator
from mirror.httpcache.fields import content_range
from mirror.ring import Ring

if TYPE_CHECKING:
    from mirror.body import Body
    from mirror.ports import Answer

log = logging.getLogger("mirror.fill")


NARROW = 8 * 1024 * 1024
"""Bytes before the end of a run that was cut from which the origin is slowed down."""

NARROWEST = 64 * 1024


class _NoRanges(OriginError):
    """The whole came instead of the range, and what stands before the range is not here to compare."""


PROGRESS = 256 * 1024
"""Bytes after which a resumed connection counts as a success, so that earlier failures are forgotten."""


def source(body: Body) -> str:
    """The URL that the body's validator is from."""
    return body.partial.note.url if body.partial else body.first.url


def same_object(body: Body, answer: Answer) -> None:
    """Changed when what the answer's head says is not about the object that the body began with.

    Two upstreams may name one object differently: where a digest will tell, their validators need not agree.
    """
    known = "" if body.digest and answer.url != source(body) else body.strong
    if known and strong_validator(answer.head) not in (known, None if body.digest else known):
        raise Changed(f"{body.name}: the object changed while it was fetched (validator was {known})")
    if answer.head.status == 206 and not (known or body.digest):
        raise Changed(f"{body.name}: nothing ties this part to what was fetched before")
    # Of one entity tag there may be two codings where an origin is careless. A 206 need not repeat it (RFC 9110
    # §15.3.7); then the same length must speak for it.
    coding, begun = (head.headers.get("content-encoding") for head in (answer.head, body.first.head))
    if coding != begun and (coding is not None or body.total is None):
        raise Changed(f"{body.name}: the coding changed while it was fetched (it was {begun})")


class Segment:
    """Bytes `[begin, limit)` of a body, on their way; `at` is the next. `limit` None: to the end, wherever it is."""

    def __init__(self, body: Body, begin: int, limit: int | None, answer: Answer | None = None) -> None:
        self.body = body
        self.begin = begin
        self.at = begin
        self.limit = limit
        self.ring = Ring(begin)
        self.writer = body.partial.writer(begin) if body.partial and not body.detached else None
        self.running = True
        self.broke = False  # for good
        self.yielding = False  # ends after the next chunk, because its connection is wanted elsewhere
        self._answer = answer
        self._cut = False

    @property
    def done(self) -> bool:
        return self.yielding or (self.limit is not None and self.at >= self.limit)

    def cut(self, limit: int) -> None:
        """What follows `limit` comes from elsewhere: its origin, which was asked for more, is to be stopped there."""
        self.limit = limit
        self._cut = True

    def reaches(self, offset: int) -> bool:
        """True when this connection is on its way to that byte."""
        return self.running and self.at <= offset and (self.limit is None or offset < self.limit)

    async def run(self) -> None:
        """Fill the hole. Raises OriginError when the origin gives it up, or gives something else."""
        failures = 0
        try:
            while not self.done:
                before = self.at
                try:
                    await self._connection()
                except (Changed, Mismatch):
                    self.broke = True
                    raise
                except _NoRanges:
                    return self.body.segments.no_ranges(self)
                except (OriginError, Unavailable) as exc:
                    failures = 1 if self.at - before >= PROGRESS else failures + 1
                    if failures > self.body.settings.retries:
                        self.broke = True
                        raise
                    log.info("%s: %s; going on at byte %d", self.body.name, exc, self.at)
                    forget(exc)
                    await self.body.settings.sleep(min(8.0, 0.1 * 2**failures) * random.uniform(0.5, 1.0))  # noqa: S311
            return await self.body.settle(self)
        finally:
            self.running = False
            if self._answer is not None:
                await self._answer.aclose()
            if self.writer is not None:
                with suppress(StoreError):
                    await self.writer.close()

    async def _connection(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            answer = await self.body.reopen(self.at, self.limit)
        try:
            chunks = await self._positioned(answer)
            self.body.segments.sources.add(answer.url)
            async with aclosing(self.tee(chunks)) as taken:
                async for _ in taken:
                    if self.done:
                        return
                    if self._cut and self.limit is not None and self.limit - self.at <= NARROW:
                        # As the end comes nearer the window closes, by half each round trip: little is sent in vain.
                        answer.narrow(max(NARROWEST, self.limit - self.at))
                    elif self.body.random_access:
                        # It may be cut any time, and the kernel would let an origin be 32 MiB ahead of us.
                        answer.narrow(NARROW)
            if self.limit is not None:
                raise Truncated(f"the origin ended the body at byte {self.at} of {self.limit}")
        except OriginError as exc:
            self._broke(answer, exc)
            raise
        finally:
            await answer.aclose()
        self.limit = self.at
        self.body.ends_at(self.at)

    def _broke(self, answer: Answer, exc: OriginError) -> None:
        """The next attempt is made elsewhere. That another upstream has another object says nothing of the one begun:
        only of who began it is that the end."""
        other = isinstance(exc, Changed) and answer.url != source(self.body)
        self.body.segments.broke(answer.url, other=other)
        if other:
            raise OriginError(f"{exc}; another upstream is asked") from exc

    async def tee(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Give each chunk of the origin to the followers and to the disk at the same moment, then to who iterates."""
        async for chunk in chunks:
            if self.limit is not None and len(chunk) > self.limit - self.at:
                chunk = chunk[: self.limit - self.at]  # what follows is there already
            if not chunk:
                continue
            start, self.at = self.at, self.at + len(chunk)
            self.ring.append(chunk)
            if self.writer and not self.body.detached:  # nobody would wait for a disk that is behind
                self.writer.add(chunk)
            self.body.arrived(start, self.at)
            yield chunk
            await self.body.pace(self)

    async def _positioned(self, answer: Answer) -> AsyncIterator[bytes]:
        """The chunks of a (re)opened answer from `at` on; Changed when it is another object than the one begun."""
        chunks = answer.chunks()
        if answer is self.body.first:
            return chunks
        same_object(self.body, answer)
        if answer.head.status == 206:
            self._same_range(answer)
            return chunks
        if answer.head.status != 200:
            raise OriginError(f"the origin answered {answer.head.status} to the request to go on")
        if answer.length is not None and self.body.total is not None and answer.length != self.body.total:
            raise Changed(f"the object changed while it was fetched (it had {self.body.total} bytes)")
        if not self.body.received.covers(0, self.at):
            raise _NoRanges("the origin has no ranges")
        return self._replayed(chunks)

    def _same_range(self, answer: Answer) -> None:
        found = content_range(answer.head.headers.get("content-range"))
        if found is None or found.start != self.at:
            raise Changed(f"the origin sent another range than the one asked for at byte {self.at}")
        total = found.size
        if total is not None and self.body.total is None:
            self.body.total_is(total)
            self.limit = total if self.limit is None else self.limit
        if total is not None and total != self.body.total:
            raise Changed(f"the object changed while it was fetched ({total} bytes, not {self.body.total})")

    async def _replayed(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """An origin without ranges sends all again: compare what is there byte by byte, then go on.

        What clients get is thereby exactly the new answer's body, whose beginning they already hold.
        """
        offset, target = 0, self.at
        async for chunk in chunks:
            again = max(0, min(len(chunk), target - offset))
            if again and not await self._same(offset, chunk[:again]):
                raise Changed(f"the object changed while it was fetched (within {again} bytes of byte {offset})")
            offset += len(chunk)
            if again < len(chunk):
                yield chunk[again:]
        if offset < target:
            raise Truncated(f"the origin ended the body at byte {offset} of {target} sent before")

    async def _same(self, offset: int, again: bytes) -> bool:
        """True when `again` is what is there at `offset` already."""
        at, end = offset, offset + len(again)
        while at < end:
            piece = self.body.there(at, end)
            if piece is None:
                return False
            parts = [bytes(piece)] if isinstance(piece, bytes | memoryview) else [part async for part in piece.chunks()]
            got = b"".join(parts)
            if got != again[at - offset : at - offset + len(got)]:
                return False
            at += len(got)
        return True
