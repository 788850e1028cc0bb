"""The file with holes while any byte of it is missing: who reads, what is there, which connection fetches what.

Every follower asks for bytes. Bytes that are there are given; a hole is filled from the origin, once, whoever asked.
The last bytes to arrive are given to nobody before the whole is verified, stored and in the index: no client, by
whatever ranges, ever holds a complete copy of a bad body.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from mirror.errors import MirrorError, Mismatch, StoreError
from mirror.extents import Extents
from mirror.model import Digest
from mirror.ports import Answer, Hash, Partial, Piece
from mirror.segment import Segment
from mirror.segments import Segments
from mirror.settings import FillSettings
from mirror.waiters import END, Waiters

MiB = 1024 * 1024

MAX_SPAN = 8 * MiB
"""Bytes of one piece from the file, so that a follower looks into the ring again when it has caught up."""


class Reader(Protocol):
    """What a body knows of a follower."""

    position: int


class Body:
    """See the module. `total` None: not announced. `strong`: the validator that ties segments together, or "".

    `partial` None: the body is not stored (`detached`); followers then live from the rings alone, and the origin is
    read at the pace of the fastest. `random_access`: holes may be filled in any order. `eager`: holes that nobody
    asked for are filled too.
    """

    def __init__(
        self,
        name: str,
        settings: FillSettings,
        *,
        first: Answer,
        total: int | None,
        partial: Partial | None,
        strong: str = "",
        digest: Digest | None = None,
        random_access: bool = False,
        eager: bool = True,
        reopen: Callable[[int, int | None], Awaitable[Answer]],
    ) -> None:
        self.name = name
        self.settings = settings
        self.first = first
        self.total = total
        self.partial = partial
        self.strong = strong
        self.digest = digest
        self.random_access = random_access
        self.eager = eager
        self.reopen = reopen
        self.received = Extents(list(partial.extents)) if partial else Extents()
        self.followers: set[Reader] = set()
        self.failed: MirrorError | None = None
        self.refused: StoreError | None = None
        self.verified = False
        self._held: tuple[int, int] | None = None
        self.paused = False
        self.segments = Segments(self)
        self._waiters = Waiters()
        self._moved = asyncio.Event()
        self._hash: Hash | None = None  # of a body without a file; the store has it otherwise
        self._hashed = 0
        if digest and not partial:
            self._hash = hashlib.new(digest.algorithm, usedforsecurity=False)

    # What is there

    @property
    def detached(self) -> bool:
        return self.partial is None or self.refused is not None

    @property
    def resumable(self) -> bool:
        """True when what is on disk can be gone on with by a later fill."""
        return not self.detached and self.total is not None and bool(self.strong or self.digest)

    @property
    def complete(self) -> bool:
        return self.total is not None and self.received.covers(0, self.total)

    @property
    def missing(self) -> int | None:
        """Bytes that are still to come; None when the total is not known."""
        return None if self.total is None else self.total - self.received.size

    def piece(self, at: int, end: int | None) -> Piece | None:
        """The next bytes from `at` on that may be given now, at most up to `end`; None: wait."""
        end = at + MAX_SPAN if end is None else min(end, at + MAX_SPAN)
        if self._withheld(at):
            return None
        if self._held and not self.verified and at < self._held[0]:
            end = min(end, self._held[0])
        return self.there(at, end)

    def there(self, at: int, end: int) -> Piece | None:
        """The bytes from `at` on that are held, be they to be given or not."""
        view = self._in_memory(at, end)
        if view is not None or self.partial is None:
            return view
        there = min(self.partial.extents.end_of_run(at), end)
        return self.partial.span(at, there) if there > at else None

    def _in_memory(self, at: int, end: int) -> memoryview | None:
        views = (segment.ring.slice(at, end) for segment in self.segments)
        return next((view for view in views if view is not None), None)

    def over(self, at: int) -> bool:
        """True when `at` is the end of the body, and all of it may be trusted."""
        return self.verified and self.total is not None and at >= self.total

    def lost(self, at: int) -> bool:
        """True when that byte came and went: nothing keeps it any more."""
        if not self.detached or self.received.end_of_run(at) == at or self._withheld(at):
            return False
        return self.piece(at, at + 1) is None

    def _withheld(self, at: int) -> bool:
        return self._held is not None and not self.verified and self._held[0] <= at < self._held[1]

    # What followers do

    async def wait(self, at: int, end: int | None) -> None:
        """Until that byte may be given, the end is known, or the body failed (raises what failed)."""
        self.check()
        self.moved()  # to where it waits: one who read elsewhere may have held up the origin
        self.segments.need(at, end)
        await self._waiters.wait(at, end)
        self.check()

    def check(self) -> None:
        """Raise what failed."""
        if self.failed is not None:
            raise self.failed.with_traceback(None)

    def moved(self) -> None:
        """A follower has taken bytes, or has gone."""
        self._moved.set()

    def reconsider(self) -> None:
        """A reader has gone, or a segment ended: see whether all who wait are being served."""
        for at, end in self._waiters:
            self.segments.need(at, end)

    # What segments do

    def arrived(self, start: int, end: int) -> None:
        """Bytes `[start, end)` are in a ring now."""
        self._hash_on()
        self.received.add(start, end)
        if self.complete:
            self._held = self._held or (start, end)
        elif self.total is None and self.digest:  # any chunk may turn out to be the last
            self._hold((start, end))
        else:
            self._waiters.wake(start, end)

    def _hold(self, newest: tuple[int, int] | None) -> None:
        before, self._held = self._held, newest
        if before:
            self._waiters.wake(*before)

    def total_is(self, total: int) -> None:
        """The length was not announced at first, and is known now."""
        self.total = total
        self._hold(None)

    def ends_at(self, end: int) -> None:
        """The body ended, properly framed, at `end`."""
        self.total = end

    async def pace(self, segment: Segment) -> None:
        """Wait while the origin is too far ahead: of the disk; without one, of the fastest follower."""
        ring = self.settings.ring
        if segment.writer and not self.detached:
            try:
                if segment.at - segment.writer.written > ring:
                    await segment.writer.drain(segment.at - ring // 2)
                segment.ring.drop(segment.writer.written, ring)
                return
            except StoreError as exc:
                self.detach(exc)
        while segment.ring.size > ring:
            self._moved.clear()
            fastest = max((min(f.position, segment.at) for f in self.followers), default=0)
            segment.ring.drop(fastest, ring)
            if segment.ring.size > ring:
                await self._moved.wait()

    def detach(self, exc: StoreError) -> None:
        """The disk refused: go on without it. What was written stays readable, and nothing will be stored."""
        if self.refused is None and self.partial:
            self.refused = exc
            self.random_access = False  # each connection more would leave a ring in memory, and a gap in the hash
            if self.digest:
                self._hashed, self._hash = self.partial.hashed()
                self._hash_on()
        self._waiters.wake_all()

    def _hash_on(self) -> None:
        while self._hash and (view := self._in_memory(self._hashed, END)):
            self._hash.update(view)
            self._hashed += len(view)

    async def settle(self, segment: Segment) -> None:
        """A segment has all its bytes: put them on disk, so that its ring can go."""
        if segment.writer:
            try:
                await segment.writer.close()
            except StoreError as exc:
                self.detach(exc)
        if self.detached:
            self.segments.shed()
        else:
            self.segments.remove(segment)
            self._waiters.wake_all()

    # Its life

    async def run(self, begin: int, limit: int | None) -> bool:
        """Fetch until nothing is missing: True. False when it was paused. Raises what the origin did wrong."""
        stops = (limit, self.total, self.received.next_start(begin))
        limit = min((stop for stop in stops if stop is not None), default=None)
        try:
            self.segments.launch(begin, limit, self.first)
            while not self.paused:
                await self.segments.turn()
                if not self.segments.busy and self.complete:
                    self._check_hash()
                    return True
                if not self.paused:
                    self._go_on()
            return False
        except MirrorError as exc:
            self.fail(exc)
            raise
        finally:
            await self.segments.stop()
            await self.first.aclose()  # a segment that is stopped before its first step closes nothing

    def _go_on(self) -> None:
        self.reconsider()
        if not self.segments.busy and self.eager and self.total is not None:
            hole = next(self.received.holes(self.total), None)
            if hole:
                self.segments.start(hole[0], None)

    def _check_hash(self) -> None:
        if self.digest is None or not self.detached:  # the store verifies what it has
            return
        if self._hash is None or self._hashed != self.total:
            raise Mismatch(f"{self.name}: the disk refused, and what came out of order cannot be verified")
        if self._hash.hexdigest() != self.digest.value:
            got = f"{self.digest.algorithm}:{self._hash.hexdigest()}"
            raise Mismatch(f"{self.name}: expected {self.digest}, got {got}")

    def pause(self) -> None:
        """Nobody reads any more: stop where it is."""
        self.paused = True
        self.segments.interrupt()

    def release(self) -> None:
        """All is verified, and stored where it may be: the last bytes may go."""
        self.verified = True
        self._waiters.wake_all()

    async def finished(self) -> None:
        """Until all is verified, stored and in the index; raises what failed."""
        while not self.verified:
            self.check()
            await self._waiters.wait(END, None)
        self.check()

    async def emptied(self) -> None:
        """Until the last follower has gone; then the file is closed."""
        while self.followers:
            self._moved.clear()
            await self._moved.wait()
        if self.partial:
            await self.partial.close()

    def fail(self, exc: MirrorError) -> None:
        self.failed = exc
        self._waiters.wake_all()
