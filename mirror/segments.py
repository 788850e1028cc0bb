"""The connections that fill one body: which hole is fetched by which, and when there is one more."""

from __future__ import annotations

import asyncio
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mirror.segment import Segment

if TYPE_CHECKING:
    from mirror.body import Body
    from mirror.ports import Answer


class Segments:
    """The segments of a body: running ones and, where there is no file, those whose ring is all that is left.

    `sources` are the URLs that any of its bytes came from.
    """

    def __init__(self, body: Body) -> None:
        self._body: Body = weakref.proxy(body)  # which has these
        self._all: list[Segment] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Event()
        self._broken: Counter[str] = Counter()
        self._others: set[str] = set()
        self.sources: set[str] = set()

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._all)

    @property
    def busy(self) -> bool:
        """True while any connection has something to do."""
        return bool(self._tasks)

    @property
    def running(self) -> int:
        """How many connections there are."""
        return sum(segment.running for segment in self._all)

    def need(self, at: int, end: int | None) -> None:
        """Make sure that byte `at` is on its way: by a running segment that is there soon, else by one more.

        `end` is how far the reader wants to get (None: to the end of the body).
        """
        body = self._body
        if body.complete or body.failed or body.paused or body.received.end_of_run(at) > at:
            return
        if body.total is not None and at >= body.total:  # who waits there waits for the whole to be verified
            return
        if any(segment.broke for segment in self._all):
            return  # 1. A connection breaks off for good. 2. A reader waits for more. 3. The body learns of (1).
        running = [segment for segment in self._all if segment.running]
        passing = next((segment for segment in running if segment.reaches(at)), None)
        if passing and at - passing.at <= body.settings.soon:
            return
        if not running:
            self.start(at if body.random_access else body.received.end_of_run(0), end)
        elif body.random_access and len(running) < body.settings.max_segments:
            self.start(at, end)
        elif body.random_access and not any(segment.yielding for segment in running):
            # All connections are taken: one that nobody follows ends, and its place goes to who waits.
            idle = [segment for segment in running if segment is not passing and not self._followed(segment)]
            if idle:
                idle[0].yielding = True

    def _followed(self, segment: Segment) -> bool:
        behind = self._body.settings.soon
        return any(segment.at - behind <= f.position <= segment.at + behind for f in self._body.followers)

    def start(self, at: int, end: int | None) -> None:
        """One more connection, from byte `at` to the next byte that is there or on its way."""
        body = self._body
        ahead = [segment.begin for segment in self._all if segment.running and segment.begin > at]
        stops = [body.received.next_start(at), body.total, None if body.eager else end, *ahead]
        limit = min((stop for stop in stops if stop is not None), default=None)
        for segment in self._all:
            if segment.reaches(at):
                segment.cut(at)
        self.launch(at, limit)

    def launch(self, at: int, limit: int | None, answer: Answer | None = None) -> None:
        """Let one run: over bytes `[at, limit)`, of an answer that has begun or of another one."""
        segment = Segment(self._body, at, limit, answer)
        self._all.append(segment)
        task = asyncio.get_running_loop().create_task(segment.run())
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._turn.set())

    def broke(self, url: str, *, other: bool = False) -> None:
        """What came from that URL broke off, or was of no use; `other`: it has another object than the one begun."""
        self._broken[url] += 1
        self._others |= {url} if other else set()

    def preferred(self, urls: Sequence[str]) -> list[str]:
        """In which order to go on: what broke off is asked again last, what has another object not at all."""
        those = [url for url in urls if url not in self._others]
        return sorted(those or urls, key=self._broken.__getitem__)

    def remove(self, segment: Segment) -> None:
        """Its bytes are on disk."""
        self._all.remove(segment)

    def shed(self) -> None:
        """There is no disk, and memory is short: of the segments that have ended, only the newest keep their ring."""
        for segment in [segment for segment in self._all if not segment.running][: -self._body.settings.max_segments]:
            self._all.remove(segment)

    def no_ranges(self, segment: Segment) -> None:
        """The origin has no ranges after all: the holes are filled from the beginning."""
        self._body.random_access = False
        self._all.remove(segment)
        for other in self._all:
            if other.running and other.limit == segment.begin:
                other.limit = segment.limit

    async def turn(self) -> None:
        """Until a segment has ended, or all were interrupted. Raises what it ended with."""
        await self._turn.wait()
        self._turn.clear()
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            if not task.cancelled():
                task.result()

    def interrupt(self) -> None:
        """Stop all where they are."""
        for task in self._tasks:
            if not task.cancelling():  # a second time would interrupt the closing of its file
                task.cancel()
        self._turn.set()

    async def stop(self) -> None:
        """Stop all, and wait until they have ended."""
        self.interrupt()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # the first failure is the one that counts
        self._tasks.clear()
