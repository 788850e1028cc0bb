"""The ports by which the engine acts, and what an origin's word makes of what is stored."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from mirror import variants
from mirror.changes import Changes
from mirror.counters import Counters
from mirror.errors import OriginError
from mirror.heads import client_head, stored_head, validators
from mirror.httpcache import vary
from mirror.httpcache.decision import Freshen, Lend, UseStale
from mirror.httpcache.freshness import ttl
from mirror.model import Entry, Head, Plan, Request
from mirror.outcome import Outcome
from mirror.ports import Answer, BlobStore, Clock, Index, Note, Origin
from mirror.reply import Reply
from mirror.uses import Use, Uses

log = logging.getLogger("mirror.engine")

SMALL = 16 << 20
"""Bytes of an answer that is kept in memory until it is whole."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is stored may be served after all: renewed by the origin, or stale because the origin failed.

    `private`: to the one who asked first, and to nobody else.
    """

    entry: Entry
    outcome: Outcome
    private: bool = False


@dataclass(frozen=True, slots=True)
class Outside:
    """The ports."""

    origin: Origin
    store: BlobStore
    index: Index
    wall: Clock
    changes: Changes = field(default_factory=Changes)
    uses: Uses = field(default_factory=Uses)
    counters: Counters = field(default_factory=lambda: Counters(()))

    async def freshened(self, plan: Plan, request: Request, known: Entry, fresh: Freshen, head: Head) -> Found:
        """The origin confirmed the `known` entry: put it in its place, renewed, if it is there still.

        What was stored for another request, and is right for this one, stands under this one's variant from now on too;
        what did not vary, and does now, under its variant alone.
        """
        entry = fresh.entry
        key = entry.key if plan.rule.package else vary.key(plan.key, entry.head, request)
        if await self.index.get(entry.key) == known:
            if entry.key == key or variants.address(entry.key) != entry.key:
                await self.index.put(entry)
            else:
                await self.index.delete(entry.key)
            if key != entry.key:
                await self.index.put(replace(entry, key=key))
        return Found(entry, Outcome(fwd="stale", fwd_status=head.status))

    def lent(self, lent: Lend, head: Head) -> Found:
        """The origin confirmed an entry for one client."""
        return Found(lent.entry, Outcome(fwd="stale", fwd_status=head.status), private=True)

    def stale(self, plan: Plan, stale: UseStale) -> Found:
        """The origin failed, and an entry stands in."""
        left = ttl(stale.entry, plan.rule, self.wall())
        return Found(stale.entry, Outcome(hit=True, ttl=min(-1, int(left)), detail=stale.detail))

    async def keep(self, plan: Plan, answer: Answer) -> Entry:
        """The whole of a small answer, stored and not in the index; OriginError where it breaks off, or is not what the
        plan wants."""
        if not answer.delimited:
            raise OriginError(f"{plan.key}: its end cannot be told from a broken connection")
        body = b""
        async for chunk in answer.chunks():
            body += chunk
            if len(body) > SMALL:
                raise OriginError(f"{plan.key}: it has more than {SMALL} bytes")
        if plan.check:
            plan.check(body[:512], answer.head.headers)
        head = client_head(plan, answer.head, len(body))
        note = Note(plan.key, answer.url, head, validators(answer.head), len(body), tags=plan.tags)
        partial = self.store.create(note)
        try:
            writer = partial.writer(0)
            writer.add(body)
            await writer.close()
            return await partial.commit(len(body), plan.digest)
        except BaseException:
            await partial.discard()
            raise
        finally:
            await partial.close()

    async def reply(self, plan: Plan, entry: Entry, outcome: Outcome) -> Reply | None:
        """The stored answer; None when its bytes are not there any more, which makes it a miss."""
        blob = await self.store.open(entry.blob)
        if blob is None:
            # 1. A reads the entry. 2. A fill replaces it and deletes its blob. 3. A opens. Only a stale row goes.
            if await self.index.get(entry.key) == entry:
                log.warning("%s: its stored body is gone or damaged; fetched again", entry.key)
                await self.index.delete(entry.key)
            return None
        self.used(entry.blob).hits += 1
        return Reply(stored_head(plan, entry), entry.size, blob, outcome, digest=entry.digest, key=plan.key)

    async def lose(self, entry: Entry) -> None:
        """What is stored for it cannot be read: it is stored no more. Told once."""
        if await self.index.get(entry.key) == entry:
            log.warning("%s: its stored body cannot be read; fetched again", entry.key)
            await self.index.delete(entry.key)
            await self.store.delete(entry.blob)

    def used(self, blob: str) -> Use:
        """It is in use, and thereby the last to be evicted; see `Uses.of`."""
        now = self.wall()
        self.store.touch(blob, now)
        return self.uses.of(blob, now)


def whole(seconds: float) -> int | None:
    """A ttl as RFC 9211 §2.4 wants it: whole seconds; None for an answer that never gets stale."""
    return None if seconds == float("inf") else int(seconds)
