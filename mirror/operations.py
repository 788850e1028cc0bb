"""What an operator can do. The admin API exposes these verbs; the command line and the page are its clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from mirror import variants
from mirror.counters import Count, Counters
from mirror.ecosystems import PLANNERS
from mirror.errors import MirrorError, NotFound, RequestError
from mirror.fills import Fills
from mirror.httpcache.freshness import expire
from mirror.model import Entry, Mirror, Ready, Request
from mirror.ports import BlobStore, Index

RECENT = 5.0
"""Seconds for which sums over all that is stored are not made again."""

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


@dataclass(frozen=True, slots=True)
class Held:
    """What was counted of a mirror, and what is stored of it: `entries`, and the bytes of their bodies."""

    count: Count
    entries: int
    size: int


class Operations:
    """The verbs, over the ports."""

    def __init__(
        self,
        store: BlobStore,
        index: Index,
        fills: Fills,
        mirrors: tuple[Mirror, ...],
        counters: Counters | None = None,
    ) -> None:
        self._counters = counters or Counters([mirror.name for mirror in mirrors])
        self._sums: dict[str, tuple[int, int]] = {}
        self._summed_at = float("-inf")
        self._store = store
        self._index = index
        self._fills = fills
        self._mirrors = {mirror.name: mirror for mirror in mirrors}

    async def purge(self, selection: Selection, *, soft: bool = False, dry_run: bool = False) -> Purged:
        """Remove what matches, all variants of it; `soft` expires it and keeps the bytes; `dry_run` only tells.

        A running download of a purged key goes on for its readers and is not published; the next request starts afresh.
        RequestError names what cannot be meant.
        """
        urls = frozenset(self._key(url) for url in selection.urls)
        prefixes = tuple(self._prefix(prefix) for prefix in selection.prefixes)

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

    async def stats(self) -> dict[str, Held]:
        """By mirror (NOBODY: requests for none). What is stored was summed up at most RECENT seconds ago."""
        now = self._fills.outside.wall()
        if not 0 <= now - self._summed_at < RECENT:
            self._sums = {name: await self._index.sums(f"/{name}/") for name in self._mirrors}
            self._summed_at = now
        return {name: Held(count, *self._sums.get(name, (0, 0))) for name, count in self._counters.totals().items()}

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

    def _check(self, address: str) -> Mirror:
        name = address[1:].partition("/")[0]
        mirror = self._mirrors.get(name)
        if not address.startswith("/") or mirror is None:
            known = ", ".join(sorted(f"/{name}/" for name in self._mirrors))
            raise RequestError(f"{address!r} is not below a mirror ({known})")
        return mirror

    def _prefix(self, prefix: str) -> str:
        """`/npm` means what is below it, and not the mirror `/npm-private/` too."""
        self._check(prefix)
        return prefix if "/" in prefix[1:] else f"{prefix}/"

    def _key(self, url: str) -> str:
        """The canonical address of what a client asks with this URL path: the plan's key, less its variant."""
        mirror = self._check(url)
        path, _, query = url[1 + len(mirror.name) :].partition("?")
        try:
            plan = PLANNERS[mirror.ecosystem](mirror, Request("GET", path or "/", query, base=f"/{mirror.name}"))
        except NotFound:
            return url
        except MirrorError as exc:
            raise RequestError(f"{url!r}: {exc}") from exc
        if isinstance(plan, Ready):
            location = (plan.headers.get("location") or url).partition("?")[0]
            return location if location == url else self._key(location)
        return variants.address(plan.key)
