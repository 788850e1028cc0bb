"""Purge: remove, or expire, what is stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mirror.errors import Unavailable
from mirror.fills import Fills
from mirror.httpcache.freshness import expire
from mirror.model import Entry
from mirror.operations.jobs import Job, Jobs
from mirror.operations.places import Places
from mirror.operations.selecting import Chosen, Selection
from mirror.ports import BlobStore, Clock, Index

LISTED = 100
"""Entries that a purge names in its answer."""

PATIENCE = 2.0
"""Seconds after which a purge goes on as a job."""

AT_ONCE = 50
"""Entries that are looked at, and blobs that are removed, before others have their turn."""


@dataclass(slots=True)
class Purged:
    """`matched` entries, of which `purged` went or expired; `bytes` freed, of a dry run: that would be; downloads
    `in_flight` disowned; `job`: the id of the job that goes on with it, and these are the counts so far."""

    matched: int = 0
    purged: int = 0
    bytes: int = 0
    in_flight: int = 0
    soft: bool = False
    dry_run: bool = False
    entries: list[str] = field(default_factory=list)
    job: str | None = None


class Purging:
    """Removes what a selection names. `clock`: monotonic seconds."""

    def __init__(
        self,
        store: BlobStore,
        index: Index,
        fills: Fills,
        places: Places,
        jobs: Jobs,
        clock: Clock = time.monotonic,
    ) -> None:
        self._store = store
        self._index = index
        self._fills = fills
        self._places = places
        self._jobs = jobs
        self._clock = clock

    async def purge(self, selection: Selection, *, soft: bool = False, dry_run: bool = False) -> Purged:
        """Remove what matches, all variants of it; `soft` expires it and keeps the bytes; `dry_run` only tells.

        A running download of a purged key goes on for its readers and is not published; the next request starts afresh.
        (A soft purge lets downloads be: what comes in is newer than what expires.)

        When it ends, nothing is left, or fresh, that was stored when it began, also where the origin confirmed it
        meanwhile. What clients fetched anew meanwhile stays where the purge has been before, or has looked already;
        where it comes later it may go, too, and is fetched once more.

        What takes longer than PATIENCE goes on as a job, whose result is what this would have been. RequestError names
        what cannot be meant, StoreError says that the index cannot be read, Unavailable that there are too many jobs:
        what is done is done then.
        """
        chosen = Chosen(selection, self._places)
        purged, until = Purged(soft=soft, dry_run=dry_run), self._clock() + PATIENCE
        if dry_run or soft:
            purged.in_flight = sum(chosen.key(fill.key) for fill in self._fills.running())
        else:
            # Before the entries: a download that commits meanwhile must not put its key back, nor a new one go on with
            # bytes from before.
            purged.in_flight = self._fills.disown(chosen.key)
        if not soft:
            purged.bytes = await self._store.forget(chosen.key, dry_run=dry_run)
        walk = Walk(chosen, purged, self._store, self._index, self._fills.outside.wall)
        if await walk.go_on(lambda: self._clock() >= until):
            return purged
        # A copy: the answer's counts do not move on with the job's.
        answer = replace(purged, entries=[*purged.entries])
        try:
            answer.job = self._jobs.start("purge", walk.job).id
        except Unavailable as exc:
            raise Unavailable(f"{exc} (of this purge, {purged.matched} entries are done)") from exc
        return answer


class Walk:
    """A purge on its way: it can be left between two batches, and gone on with by another task."""

    def __init__(self, chosen: Chosen, purged: Purged, store: BlobStore, index: Index, wall: Clock) -> None:
        self._chosen = chosen
        self._purged = purged
        self._store = store
        self._index = index
        self._wall = wall
        self._batches = chosen.entries(index)

    async def go_on(self, enough: Callable[[], bool], moved: Callable[[Entry], None] = lambda _entry: None) -> bool:
        """Until it is done: True, or `enough` says so after a batch. `moved` is told of the last entry of each."""
        async for batch in self._batches:
            for at in range(0, len(batch), AT_ONCE):
                # To the end, also where it is stopped: a blob without its entry would be nobody's.
                await _whole(self._some(batch[at : at + AT_ONCE]))
            if batch:
                moved(batch[-1])
            if enough():
                return False
        return True

    async def job(self, job: Job) -> dict[str, Any]:
        """The rest, as a job; what it comes to in the end."""

        def moved(entry: Entry) -> None:
            job.done, job.bytes, job.current = self._purged.matched, self._purged.bytes, entry.key

        await self.go_on(lambda: False, moved)
        job.done, job.bytes = self._purged.matched, self._purged.bytes
        return asdict(self._purged)

    async def _some(self, entries: list[Entry]) -> None:
        purged, found = self._purged, [entry for entry in entries if self._chosen.entry(entry)]
        if not found:
            return await asyncio.sleep(0)
        purged.matched += len(found)
        purged.entries += [entry.key for entry in found[: LISTED - len(purged.entries)]]
        if purged.dry_run:
            purged.bytes += 0 if purged.soft else await self._store.weigh([entry.blob for entry in found])
        elif purged.soft:
            now = self._wall()
            went = await self._index.swap([(entry, replace(entry, head=expire(entry.head, now))) for entry in found])
            purged.purged += sum(entry is not None for entry in went)
        else:
            went = await self._index.swap([(entry, None) for entry in found])
            purged.purged += sum(entry is not None for entry in went)
            purged.bytes += sum(await asyncio.gather(*(self._store.delete(entry.blob) for entry in went if entry)))
        return None


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """To its end, even where the caller is cancelled meanwhile; it learns of that then."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
