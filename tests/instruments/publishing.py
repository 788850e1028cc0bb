"""apt-get update in a loop while generations are published at random moments, one half after the other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from .apt import Apt, Said
from .archive import Archive

HALVES = (("*/InRelease", "*/Release", "*/Release.gpg"), ("*/Packages*", "*/Translation*", "*/by-hash/*", "pool/*"))
ENDLESS = 100
"""Generations after which nothing else will come. Which updates fall in one depends on the machine, and on chance."""


class Publisher:
    """Publishes until told to stop. Between the halves of a generation, and between generations, it waits for random
    times, in seconds and as the seed decides: which half comes first, too."""

    def __init__(self, archive: Archive, seed: int, *, pause: float, between: float) -> None:
        self.archive = archive
        self._dice = random.Random(seed)
        self._pause = pause
        self._between = between

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Publishes meanwhile; the last generation is whole at the end."""
        over = asyncio.Event()
        task = asyncio.ensure_future(self._run(over))
        try:
            yield
        finally:
            over.set()
            await task

    async def _run(self, over: asyncio.Event) -> None:
        while not await self._waited(over, self._pause):
            await asyncio.to_thread(self.archive.make)
            first, _ = self._dice.sample(HALVES, 2)
            self.archive.show(*first)
            await self._waited(over, self._between)
            self.archive.show("*")

    async def _waited(self, over: asyncio.Event, longest: float) -> bool:
        """Waits for a random time; True where it is over before."""
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), self._dice.uniform(0, longest))
        return over.is_set()


@dataclass
class Rounds:
    """What became of the updates: which failed, which generations were seen, in order, and how many there were."""

    failed: list[Said] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    published: int = 0

    @property
    def turns(self) -> int:
        return len(self.seen) + len(self.failed)


async def rounds(
    apt: Apt, publisher: Publisher, count: int, *, enough: Callable[[Rounds], bool] = lambda found: True
) -> Rounds:
    """Update that often while the publisher is at work, each other time by a client that knows nothing yet; and go on
    until what has been found is `enough`, or `ENDLESS` generations were published."""
    found = Rounds()
    async with publisher.at_work():
        while found.turns < count or not (enough(found) or publisher.archive.newest.number >= ENDLESS):
            if found.turns % 2:
                apt.forget()
            said = await apt.update()
            if said.fine:
                found.seen.append(apt.generation())
            else:
                found.failed.append(said)
    found.published = publisher.archive.newest.number
    return found
