"""Releases of the past: those that an APT mirror has given to clients, kept so that it can be asked as of a day.

A kept release stands in the index under `<its address>@<when it was first given> kept`, which no client can ask for.
The indexes that it names stand under their digests, as ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, replace

from mirror.documents import parts
from mirror.ecosystems import apt_releases, instants
from mirror.ecosystems.apt_releases import Release
from mirror.errors import NotFound, StoreError
from mirror.model import Entry, Fact, Lookup, Mirror, Plan
from mirror.outcome import Outcome
from mirror.outside import Outside
from mirror.policy import reasons
from mirror.policy.frozen import AsOf
from mirror.ports import Note
from mirror.reply import Reply

log = logging.getLogger("mirror.generations")

_SIGNATURE = ".gpg"
_READ = 16  # releases whose lists are kept in memory


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept release, and since when (POSIX seconds) this mirror gave it to clients."""

    entry: Entry
    since: float


class Snapshots:
    """Keeps releases, and finds the one of a day."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._newest: dict[str, tuple[str, str]] = {}  # key -> digest of the release that was kept last, and its key
        self._turn = asyncio.Lock()
        self._read: OrderedDict[str, Release] = OrderedDict()  # by digest

    async def keep(self, mirror: Mirror, key: str, digest: str) -> None:
        """Keep the release that stands under `key` with that sha256, and its signature, if there is one: it is given to
        a client. One that was replaced longer ago than `Mirror.snapshots` goes."""
        if not mirror.snapshots or key.endswith(_SIGNATURE):
            return
        async with self._turn:  # clients come at the same time
            known, kept = self._newest.get(key, ("", ""))
            if known == digest and await self._outside.index.get(kept) is not None:
                return
            try:
                await self._keep(mirror, key, digest)
            except StoreError as exc:
                log.warning("%s: it cannot be kept for builds as of a day: %s", key, exc)

    async def _keep(self, mirror: Mirror, key: str, digest: str) -> None:
        entry, now = await self._outside.index.get(key), self._outside.wall()
        known = await self._all(key)
        if known and known[-1].entry.digest == digest:
            self._newest[key] = (digest, known[-1].entry.key)
        if entry is None or entry.digest != digest or (known and known[-1].entry.digest == digest):
            return
        # The signature first: a release that is found has it.
        for each in (await self._outside.index.get(key + _SIGNATURE), entry):
            if each is not None and each.head.status == 200:
                await self._copy(each, now)
        self._newest[key] = (digest, _kept(key, now))
        log.info("%s: kept for builds as of a day", key)
        for at, kept in enumerate(known):
            replaced = known[at + 1].since if at + 1 < len(known) else now
            if replaced < now - mirror.snapshots:
                await self._drop(kept.entry)
            else:
                # Nobody may ask for it, and yet it is not to be evicted.
                self._outside.store.touch(kept.entry.blob, now)

    async def _copy(self, entry: Entry, now: float) -> None:
        """Bytes of its own: those of the entry go with it."""
        body = await self._body(entry)
        if body is None:
            raise StoreError(f"{entry.key}: its stored body is gone")
        note = Note(_kept(entry.key, now), entry.url, entry.head, entry.validators, len(body), tags=entry.tags)
        await self._outside.index.put(await self._outside.store.put(note, body))

    async def _body(self, entry: Entry) -> bytes | None:
        blob = await self._outside.store.open(entry.blob)
        if blob is None:
            return None
        try:
            return b"".join(await parts(blob))
        finally:
            await blob.close()

    async def _drop(self, entry: Entry) -> None:
        address, _, since = entry.key.rpartition("@")
        for each in (entry, await self._outside.index.get(f"{address}{_SIGNATURE}@{since}")):
            if each is not None:
                await self._outside.index.delete(each.key)
                await self._outside.store.delete(each.blob)

    async def _all(self, key: str) -> list[Kept]:
        """What is kept of that release, the oldest first."""
        found = [entry async for batch in self._outside.index.scan(f"{key}@") for entry in batch]
        dated = [(instants.seconds(_since(entry.key)), entry) for entry in found if entry.key.endswith(" kept")]
        return [Kept(entry, since) for since, entry in sorted(dated, key=lambda each: each[1].key) if since is not None]

    async def find(self, mirror: Mirror, document: str, as_of: AsOf) -> Entry:
        """The release that this mirror gave to clients then; NotFound where none is kept from then."""
        known = await self._all(f"/{mirror.name}{document}")
        before = [kept for kept in known if kept.since < as_of.end]
        if not before:
            first = f"the first one that is kept is of {reasons.moment(known[0].since)}" if known else "none is kept"
            raise NotFound(f"{document}: {first}, and this is the mirror as of {as_of.text}")
        return before[-1].entry

    async def reply(self, plan: Plan, mirror: Mirror, as_of: AsOf) -> Reply:
        """The release, or its signature, as of then."""
        document = plan.key.removeprefix(f"/{mirror.name}")
        entry: Entry | None = await self.find(mirror, document.removesuffix(_SIGNATURE), as_of)
        if entry is not None and document.endswith(_SIGNATURE):
            entry = await self._outside.index.get(f"{plan.key}@{_since(entry.key)} kept")
        if entry is not None:
            plan = replace(plan, key=entry.key)
            reply = await self._outside.reply(plan, entry, Outcome(hit=True, detail="frozen"))
            if reply is not None:
                return reply
        raise NotFound(f"{document}: it is not kept, and this is the mirror as of {as_of.text}")

    async def fact(self, mirror: Mirror, lookup: Lookup, as_of: AsOf) -> Fact:
        """What the release of then says of an index; NotFound where it does not name it, or none is kept."""
        failed: NotFound | None = None
        for document in lookup.documents:
            try:
                entry = await self.find(mirror, document, as_of)
            except NotFound as exc:
                failed = failed or exc
                continue
            release = await self._release(document, entry)
            if (index := release.indexes.get(lookup.name)) is not None:
                return release.fact(index)
            failed = NotFound(f"{lookup.name} is not named by {document} as of {as_of.text}")
        raise failed or NotFound(f"no release names {lookup.name}")

    async def _release(self, document: str, entry: Entry) -> Release:
        if (known := self._read.get(entry.digest)) is not None:
            self._read.move_to_end(entry.digest)
            return known
        body = await self._body(entry)
        if body is None:
            raise NotFound(f"{document}: the stored body of the one that was kept is gone")
        directory = document[1:].rpartition("/")[0]
        found = await asyncio.to_thread(apt_releases.release, body, entry.head.headers, directory=directory)
        self._read[entry.digest] = found
        if len(self._read) > _READ:
            self._read.popitem(last=False)
        return found


def _kept(key: str, since: float) -> str:
    """The key of what is kept. An instant as text is in order."""
    return f"{key}@{instants.written(since)} kept"


def _since(kept: str) -> str:
    """When it was first given, as it stands in the key."""
    return kept.rpartition("@")[2].removesuffix(" kept")
