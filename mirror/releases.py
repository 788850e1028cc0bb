"""What is known of APT's releases: what each says of its indexes, and which one each client was given."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from mirror.documents import parts
from mirror.ecosystems import apt_releases
from mirror.ecosystems.apt_releases import Release
from mirror.errors import MirrorError, OriginError
from mirror.model import Entry, Fact, Lookup, Mirror, Plan, Request
from mirror.outside import Outside
from mirror.ports import FactStore
from mirror.snapshots import Snapshots

log = logging.getLogger("mirror.generations")

GIVEN_FOR = 600.0
"""Seconds that a client may take for the indexes of the release that it was given."""

LACKING = (403, 404, 410)
"""What origins say of what they do not have: stores of objects forbid it to those who may not list them."""

_CLIENTS = 10_000


class Releases:
    """A release is known by its document (a path below the mirror) and the sha256 of that. `fetch` gets a document's
    entry, from the origin where need be."""

    def __init__(
        self,
        outside: Outside,
        facts: FactStore,
        fetch: Callable[[Mirror, Request], Awaitable[tuple[Plan, Entry]]],
    ) -> None:
        self._outside = outside
        self._facts = facts
        self._fetch = fetch
        self.snapshots = Snapshots(outside)
        self._slots: OrderedDict[tuple[str, str], str] = OrderedDict()  # (key, digest) -> where its facts are
        self._given: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()  # (client, key) -> digest, until

    def give(self, client: str, key: str, digest: str) -> None:
        """This client gets that release, and will ask for the indexes that it names."""
        for who in {client, client.partition(" ")[0]} - {""}:
            self._given[who, key] = (digest, self._outside.wall() + GIVEN_FOR)
            self._given.move_to_end((who, key))
        while len(self._given) > _CLIENTS:
            self._given.popitem(last=False)

    def given(self, client: str, key: str) -> str:
        """The digest of the release that this client was given lately, or "": on this connection, else at this address,
        which others may share."""
        for who in (client, client.partition(" ")[0]):
            digest, until = self._given.get((who, key), ("", 0.0))
            if until > self._outside.wall():
                return digest
        return ""

    async def fact(self, mirror: Mirror, lookup: Lookup, client: str, *, asks: bool = True) -> Fact | None:
        """What the release says of an index: the one that this client was given, else the one that is served now.
        Without `asks`: the one that is stored, as far as what it says is known. As of a day: that of then."""
        if mirror.as_of is not None:
            return await self.snapshots.fact(mirror, lookup, mirror.as_of)
        for document in lookup.documents:
            key = f"/{mirror.name}{document}"
            current, given = await self._current(mirror, document, asks=asks), self.given(client, key)
            slot = await self._slot(key, mirror, document, given) if given else None
            if slot is None and current is not None:
                slot = await self._slot(key, mirror, document, current.digest, current if asks else None)
            if slot and (fact := await self._facts.find(mirror.name, (slot,), lookup.name)):
                return fact
        return None

    async def replaced(self, mirror: Mirror, key: str) -> bool:
        """Whether the index that is stored under `key` (by its digest) is listed by older releases alone."""
        path = key.removeprefix(f"/{mirror.name}")
        for document, digest in [(known[0].removeprefix(f"/{mirror.name}"), known[1]) for known in self._slots]:
            served = await self._outside.index.get(f"/{mirror.name}{document}")
            if served is None or served.digest != digest or not path.startswith(document.rpartition("/")[0] + "/"):
                continue
            now = self._slots.get((served.key, digest))
            others = [slot for slot in apt_releases.slots(document) if slot != now]
            if now and not await self._facts.find(mirror.name, (now,), path):
                return await self._facts.find(mirror.name, others, path) is not None
        return False

    async def _current(self, mirror: Mirror, document: str, *, asks: bool) -> Entry | None:
        entry = await self._outside.index.get(f"/{mirror.name}{document}")
        if entry is None and asks and not mirror.offline:
            try:
                _, entry = await self._fetch(mirror, Request("GET", document, base=f"/{mirror.name}"))
            except MirrorError as exc:
                log.debug("/%s%s: %s", mirror.name, document, exc)
        return entry if entry is not None and entry.head.status == 200 else None

    async def _slot(
        self, key: str, mirror: Mirror, document: str, digest: str, entry: Entry | None = None
    ) -> str | None:
        """Where the facts of that release are; read once more, from its entry, where they were lost."""
        found = await self._found(key, mirror, document, digest)
        if found is not None or entry is None:
            return found
        try:
            return await self.keep(mirror, document, digest, await self.read(document, entry))
        except MirrorError as exc:
            log.warning("%s: what it says cannot be read: %s", key, exc)
            return None

    async def _found(self, key: str, mirror: Mirror, document: str, digest: str) -> str | None:
        if (known := self._slots.get((key, digest))) is not None:
            return known
        for slot in apt_releases.slots(document):
            if await self._facts.source(mirror.name, slot) == digest:
                self._know(key, digest, slot)
                return slot
        return None

    async def keep(self, mirror: Mirror, document: str, digest: str, release: Release) -> str:
        """Keep what a release says, in the place of the oldest one that is known; where that is."""
        key, slots = f"/{mirror.name}{document}", apt_releases.slots(document)
        newest = next((slot for (known, _), slot in reversed(self._slots.items()) if known == key), None)
        if newest is None and (served := await self._outside.index.get(key)):  # after a restart
            newest = await self._found(key, mirror, document, served.digest)
        slot = slots[(slots.index(newest or slots[-1]) + 1) % len(slots)]
        await self._facts.put(mirror.name, slot, digest, apt_releases.facts(release), self._outside.wall())
        self._know(key, digest, slot)
        return slot

    def _know(self, key: str, digest: str, slot: str) -> None:
        for other in [known for known, at in self._slots.items() if known[0] == key and at == slot]:
            del self._slots[other]
        self._slots[key, digest] = slot

    async def read(self, document: str, entry: Entry) -> Release:
        """What the stored release says; OriginError where it is none."""
        body = await self.body(entry)
        directory = document[1:].rpartition("/")[0]
        return await asyncio.to_thread(apt_releases.release, body, entry.head.headers, directory=directory)

    async def body(self, entry: Entry) -> bytes:
        blob = await self._outside.store.open(entry.blob)
        if blob is None:
            raise OriginError(f"{entry.key}: its stored body is gone")
        try:
            return b"".join(await parts(blob))
        finally:
            await blob.close()
