"""One reader of a running fill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from mirror.errors import Changed, OriginError
from mirror.httpcache.conditional import strong_validator
from mirror.httpcache.fields import content_range
from mirror.ports import Piece

if TYPE_CHECKING:
    from mirror.body import Body
    from mirror.fill import Fill
    from mirror.opening import Opened


class Follower:
    """A Source over a fill. `position` is the next byte that it wants; it never holds up the others.

    `first`: it caused the fill, so that an answer which may not be shared is for it.
    """

    def __init__(self, fill: Fill, *, first: bool) -> None:
        self._fill = fill
        self.first = first
        self.position = 0
        self.satisfied = False  # it got all that it asked for

    async def opened(self) -> Opened:
        """How the fill began; raises what kept it from beginning."""
        # shield: this client's departure must not cancel what the others wait for.
        return await asyncio.shield(self._fill.opened)

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
        if body.total is not None and at >= body.total:
            await body.finished()  # an empty body has no last bytes that would have waited for it
        self.satisfied = True

    async def _alone(self, body: Body, at: int, end: int | None) -> AsyncGenerator[Piece, None]:
        """The rest from a connection of its own: the disk refused, and this reader fell behind what memory holds."""
        self._fill.left(self)
        answer = await body.reopen(at, end)
        try:
            found = content_range(answer.head.headers.get("content-range"))
            known = body.strong and strong_validator(answer.head) == body.strong
            if answer.head.status != 206 or found is None or found.start != at or not (known or body.digest):
                raise Changed(f"{body.name}: the rest cannot be fetched apart (at byte {at})")
            async for chunk in answer.chunks():
                yield chunk
                at += len(chunk)
            if at < (end or body.total or at):
                raise OriginError(f"{body.name}: the origin ended at byte {at}")
        finally:
            await answer.aclose()

    async def close(self) -> None:
        self._fill.left(self)
