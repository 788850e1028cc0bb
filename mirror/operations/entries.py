"""What is stored, entry by entry: in pages, or the first by size, age or use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Literal

from mirror.httpcache.freshness import NEGATIVE, age, expired, ttl
from mirror.model import Entry, Rule
from mirror.operations import cursors
from mirror.operations.places import Places
from mirror.operations.ranking import Order, Ranking
from mirror.ports import Clock, Index, Wanted
from mirror.uses import Uses

PATIENCE = 1.0
"""Seconds after which a page ends where it is."""

AT_ONCE = 100
"""Entries that are asked for together, and looked at before others have their turn."""

State = Literal["fresh", "stale", "expired", "negative"]


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry as an operator sees it. Seconds; `stored_at` in POSIX seconds: when it came, or was last confirmed, or
    was made to expire. `ttl` None: it is never stale, or nobody knows its rule. `hits` and `last_access` are since the
    server started, of the bodies that were used last, else None; `hits` at least."""

    key: str
    mirror: str
    url: str
    status: int
    size: int
    type: str
    stored_at: float
    age: float
    ttl: float | None
    state: State
    tags: tuple[str, ...]
    digest: str
    last_access: float | None
    hits: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """Which entries are wanted ("": any), and how many."""

    mirror: str = ""
    prefix: str = ""
    tag: str = ""
    search: str = ""
    state: State | None = None
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """`complete` False: there was no time to look for more. `cursor`: goes on behind the last of them, None at the end;
    `as_of`: when an order was made (POSIX seconds), None where it never was, or is that of keys."""

    entries: list[Listed]
    cursor: str | None = None
    complete: bool = True
    as_of: float | None = None


class Entries:
    """The entries of an index. `wall`: POSIX seconds; `clock`: monotonic ones."""

    def __init__(self, index: Index, places: Places, uses: Uses, wall: Clock, clock: Clock = time.monotonic) -> None:
        self._index = index
        self._places = places
        self._uses = uses
        self._wall = wall
        self._clock = clock
        self._ranking = Ranking(index, uses, wall, clock)
        self.close: Callable[[], Awaitable[None]] = self._ranking.close

    async def page(self, question: Question) -> Listing:
        """The next of those that are wanted, in the order of keys. An entry that stands all the time comes exactly
        once, whatever is written meanwhile. RequestError for a bad cursor, an unknown mirror; StoreError as
        `Index.scan`."""
        mount = f"/{self._places.named(question.mirror).name}/" if question.mirror else ""
        prefix, after = question.prefix, cursors.read(question.cursor)
        if not prefix.startswith(mount):
            if not mount.startswith(prefix):
                return Listing([])
            prefix = mount
        wanted = Wanted(prefix, question.tag, question.search)
        found: list[Listed] = []
        until = self._clock() + PATIENCE
        while True:
            # Few may be in that state: then they are looked for among many.
            most = AT_ONCE if question.state else min(question.limit - len(found), AT_ONCE)
            entries, last = await self._index.page(wanted, after, most)
            listed = [self.listed(entry) for entry in entries]
            found += [each for each in listed if question.state in (None, each.state)]
            if len(found) > question.limit or (len(found) == question.limit and last is not None):
                found = found[: question.limit]
                return Listing(found, cursors.written(found[-1].key))
            if last is None:
                return Listing(found)
            after = last
            if self._clock() >= until:
                return Listing(found, cursors.written(after), complete=False)
            await asyncio.sleep(0)

    async def first(self, order: Order, mirror: str, limit: int) -> Listing:
        """The first by that order, of one mirror or of all (""), from a look at all entries that is made once a minute,
        behind the requests. RequestError for an unknown mirror, StoreError as `Index.scan`."""
        mount = f"/{self._places.named(mirror).name}/" if mirror else ""
        keys, as_of = await self._ranking.first(order, mount, limit, PATIENCE)
        entries = [await self._index.get(key) for key in keys]  # what went since is left out
        return Listing([self.listed(each) for each in entries if each], None, as_of is not None, as_of)

    def listed(self, entry: Entry) -> Listed:
        """The entry as it is now."""
        now, head = self._wall(), entry.head
        rule = self._rule(entry.key)
        left = ttl(entry, rule or Rule(), now)
        use = self._uses.get(entry.blob)
        return Listed(
            key=entry.key,
            mirror=entry.key[1:].partition("/")[0],
            url=_shown(entry),
            status=head.status,
            size=entry.size,
            type=head.headers.get("content-type") or "",
            stored_at=head.received_at,
            age=age(head, now),
            ttl=None if rule is None or left == inf else left,
            state=_state(entry, rule or Rule(), left),
            tags=entry.tags,
            digest=f"sha256:{entry.digest}",
            last_access=use.last if use else None,
            hits=use.hits if use else None,
        )

    def _rule(self, key: str) -> Rule | None:
        """The rule by which it is fresh: of a file that an index lists, the one that holds once the index is known, as
        it is where clients have asked for that index here."""
        plan = self._places.stored(key)
        if plan is None:
            return None
        return plan.lookup.found if plan.lookup is not None and plan.lookup.found is not None else plan.rule


def _state(entry: Entry, rule: Rule, left: float) -> State:
    if entry.head.status in NEGATIVE:
        return "negative"
    if expired(entry.head):
        return "expired"
    if left > 0:
        return "fresh"
    return "stale" if -left < max(rule.grace, rule.keep) else "expired"


def _shown(entry: Entry) -> str:
    """Where it came from, without credentials: those of the URL, and a query that is not the client's own (a signature,
    of where a redirect led)."""
    plain, _, query = entry.url.partition("?")
    scheme, mark, rest = plain.partition("://")
    authority, slash, path = rest.partition("/")
    url = f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"
    return f"{url}?{query}" if query and entry.key.partition(" ")[0].endswith(f"?{query}") else url
