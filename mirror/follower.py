"""One reader of a running fill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from mirror.errors import Changed, OriginError
from mirror.httpcache.conditional import strong_validator
from mirror.httpcache.fields import content_range
from mirror.ports import Answer, Interim, Piece, WhenLeft
from mirror.segment import same_object

if TYPE_CHECKING:
    from mirror.body import Body
    from mirror.fill import Fill
    from mirror.opened import Opened


class Follower:
    """A Source over a fill. `position` is the next byte that it wants; it never holds up the others.

    `first`: it caused the fill, so that an answer which may not be shared is for it.
    """

    def __init__(self, fill: Fill, *, first: bool, interim: Interim | None = None) -> None:
        self._fill = fill
        self.first = first
        self.interim = interim
        self.position = 0
        self.satisfied = False  # it got all that it asked for
        self.gone = False  # its client left before it got anything

    async def opened(self, when_left: WhenLeft | None = None) -> Opened:
        """How the fill began; raises what kept it from beginning, and ConnectionResetError when the client has left."""
        # shield: this client's departure must not cancel what the others wait for.
        waiting = asyncio.shield(self._fill.opened)
        if when_left is None:
            return await waiting

        def left() -> None:
            self.gone = waiting.cancel()

        when_left(left)
        try:
            return await waiting
        except asyncio.CancelledError:
            if self.gone:
                raise ConnectionResetError("the client has gone") from None
            raise
        finally:
            when_left(None)

    async def read(self, start: int, end: int | None) -> AsyncGenerator[Piece, None]:
        body = self._fill.body
        if body is None:  # the fill found a stored answer; its caller reads that
            return
        at = self.position = start
        while end is None or at < end:
            body.check()
            piece = body.piece(at, end)
            if piece is not None:
                count = len(piece) if isinstance(piece, bytes | memoryview) else piece.count
                yield piece
                at = self.position = at + count
                body.moved()
            elif body.over(at):
                break
            elif body.lost(at):
                async with aclosing(self._alone(body, at, end)) as rest:
                    async for piece in rest:
                        yield piece
                return
            else:
                await body.wait(at, end)
        if body.total == 0:
            await body.finished()  # an empty body has no last bytes that would have waited for it
        self.satisfied = True

    async def _alone(self, body: Body, at: int, end: int | None) -> AsyncGenerator[Piece, None]:
        """The rest from a connection of its own: the disk refused, and this reader fell behind what memory holds."""
        last = body.total if end is None else end
        ends = last == body.total  # then it may get the end only when the others may, and is waited for
        if not (ends and body.digest):
            self._fill.left(self)
        answer = await body.reopen(at, last)
        try:
            self._check(body, answer, at, last)
            async for chunk in answer.chunks():
                piece = chunk if last is None else chunk[: last - at]
                at = self.position = at + len(piece)
                body.moved()
                if at == last and ends and body.digest:
                    await body.finished()
                yield piece
                if at == last:
                    return
            if last is not None:
                raise OriginError(f"{body.name}: the origin ended at byte {at}")
        finally:
            await answer.aclose()

    def _check(self, body: Body, answer: Answer, at: int, last: int | None) -> None:
        """Changed unless this is for certain the rest of the same object."""
        found = content_range(answer.head.headers.get("content-range"))
        known = body.strong and strong_validator(answer.head) == body.strong
        whole = found is not None and found.start == at and found.size in (None, body.total)
        if answer.head.status != 206 or not known or not whole or (last is None and body.digest):
            raise Changed(f"{body.name}: the rest cannot be fetched apart (at byte {at})")
        same_object(body, answer)

    async def close(self) -> None:
        self._fill.left(self)
