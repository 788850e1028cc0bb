"""The file with holes while any byte of it is missing: who reads, what is there, which connection fetches what.

Every follower asks for bytes. Bytes that are there are given; a hole is filled from the origin, once, whoever asked.
The last bytes to arrive are given to nobody before the whole is verified, stored and in the index: no client, by
whatever ranges, ever holds a complete copy of a bad body.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from mirror.errors import MirrorError, Mismatch, StoreError
from mirror.extents import Extents
from mirror.model import Digest
from mirror.ports import Answer, Hash, Partial, Piece
from mirror.segment import Segment
from mirror.segments import Segments
from mirror.waiters import END, Waiters

MiB = 1024 * 1024

MAX_SPAN = 8 * MiB
"""Bytes of one piece from the file, so that a follower looks into the ring again when it has caught up."""


@dataclass(frozen=True, slots=True)
class FillSettings:
    """Bytes and seconds. `ring`: kept in memory for each segment; `soon`: how far ahead of a running segment a reader
    waits instead of starting another; `finish`: missing bytes that are fetched though nobody reads any more; `linger`:
    how long a fill without readers waits for one; `unshared`: how long a key is known as not to be shared."""

    ring: int = 4 * MiB
    soon: int = 8 * MiB
    max_segments: int = 4
    retries: int = 4
    finish: int = 16 * MiB
    linger: float = 2.0
    unshared: float = 120.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


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
        for segment in self.segments:
            view = segment.ring.slice(at, end)
            if view is not None:
                return view
        if self.partial is None:
            return None
        there = min(self.partial.extents.end_of_run(at), end)
        return self.partial.span(at, there) if there > at else None

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
        if self._hash and self.received.end_of_run(0) == start:
            self._hash.update(next(iter(self.segments)).ring.slice(start, end) or b"")
        self.received.add(start, end)
        if self.complete:
            self._held = (start, end)
        else:
            self._waiters.wake(start, end)

    def total_is(self, total: int) -> None:
        """The length was not announced at first, and is known now."""
        self.total = total

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
            self._take_hash(self.partial)
        self._waiters.wake_all()

    def _take_hash(self, partial: Partial) -> None:
        first, *others = self.segments
        if self.digest is None or others or first.begin:
            return
        at, self._hash = partial.hashed()
        while (piece := first.ring.slice(at, first.at)) is not None:
            self._hash.update(piece)
            at += len(piece)

    async def settle(self, segment: Segment) -> None:
        """A segment has all its bytes: put them on disk, so that its ring can go."""
        if segment.writer:
            try:
                await segment.writer.close()
            except StoreError as exc:
                self.detach(exc)
        if not self.detached:
            self.segments.remove(segment)
            self._waiters.wake_all()

    # Its life

    async def run(self, begin: int, limit: int | None) -> bool:
        """Fetch until nothing is missing: True. False when it was paused. Raises what the origin did wrong."""
        try:
            self.segments.launch(Segment(self, begin, limit, self.first))
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

    def _go_on(self) -> None:
        self.reconsider()
        if not self.segments.busy and self.eager and self.total is not None:
            hole = next(self.received.holes(self.total), None)
            if hole:
                self.segments.start(hole[0], None)

    def _check_hash(self) -> None:
        if self._hash and self.digest and self._hash.hexdigest() != self.digest.value:
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
