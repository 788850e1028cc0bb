"""Purge: remove, or expire, what is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from mirror import variants
from mirror.fills import Fills
from mirror.httpcache.freshness import expire
from mirror.model import Entry
from mirror.operations.places import Places
from mirror.ports import BlobStore, Index

LISTED = 100
"""Entries that a purge names in its answer."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a purge is about: addresses as clients ask them (`/pypi/simple/six/`), prefixes of such, or everything."""

    urls: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    everything: bool = False


@dataclass(slots=True)
class Purged:
    """`matched` entries, of which `purged` went or expired; `bytes` freed; downloads `in_flight` disowned."""

    matched: int = 0
    purged: int = 0
    bytes: int = 0
    in_flight: int = 0
    soft: bool = False
    dry_run: bool = False
    entries: list[str] = field(default_factory=list)


class Purging:
    """Removes what a selection names."""

    def __init__(self, store: BlobStore, index: Index, fills: Fills, places: Places) -> None:
        self._store = store
        self._index = index
        self._fills = fills
        self._places = places

    async def purge(self, selection: Selection, *, soft: bool = False, dry_run: bool = False) -> Purged:
        """Remove what matches, all variants of it; `soft` expires it and keeps the bytes; `dry_run` only tells.

        A running download of a purged key goes on for its readers and is not published; the next request starts afresh.
        RequestError names what cannot be meant.
        """
        urls = frozenset(self._places.key(url) for url in selection.urls)
        prefixes = tuple(self._places.prefix(prefix) for prefix in selection.prefixes)

        def matches(key: str) -> bool:
            address = variants.address(key)
            return selection.everything or address in urls or address.startswith(prefixes)

        purged = Purged(soft=soft, dry_run=dry_run)
        if dry_run or soft:
            purged.in_flight = sum(matches(fill.key) for fill in self._fills.running())
        else:
            # Before the entries: a download that commits meanwhile must not put its key back.
            purged.in_flight = self._fills.disown(matches)
        async for entry in self._entries(selection.everything, urls, prefixes):
            purged.matched += 1
            if len(purged.entries) < LISTED:
                purged.entries.append(entry.key)
            if not dry_run:
                purged.purged += 1
                purged.bytes += await self._remove(entry, soft=soft)
        if not dry_run and not soft:
            purged.bytes += await self._store.forget(matches)
        return purged

    async def _remove(self, entry: Entry, *, soft: bool) -> int:
        if soft:
            await self._index.put(replace(entry, head=expire(entry.head, self._fills.outside.wall())))
            return 0
        await self._index.delete(entry.key)
        return await self._store.delete(entry.blob)

    async def _entries(self, everything: bool, urls: frozenset[str], prefixes: tuple[str, ...]) -> AsyncIterator[Entry]:
        if everything:
            async for batch in self._index.scan():
                for entry in batch:
                    yield entry
            return
        seen: set[str] = set()
        for url in urls:
            for entry in await self._index.under(url):
                seen.add(entry.key)
                yield entry
        for prefix in prefixes:
            async for batch in self._index.scan(prefix):
                for entry in batch:
                    if entry.key not in seen:
                        seen.add(entry.key)
                        yield entry
