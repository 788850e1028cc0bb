"""APT's generations: a release and all that it names, which clients get together or not at all.

A new release takes the place of the one before once it is known to be signed and newer, and once the indexes of it
that clients have used are stored: until then they get the one before, and its indexes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mirror.ecosystems import PLANNERS, apt_releases
from mirror.ecosystems.apt_releases import Release
from mirror.errand import Errand
from mirror.errors import MirrorError, Mismatch, NotAdopted, NotFound, OriginError, StoreError
from mirror.fill import Asked
from mirror.httpcache.decision import failed
from mirror.model import Entry, Fact, Mirror, Plan, Request
from mirror.outcome import Outcome
from mirror.outside import Outside
from mirror.pairs import Pairs
from mirror.ports import Signatures
from mirror.releases import LACKING, Releases
from mirror.reply import Reply

log = logging.getLogger("mirror.generations")

PATIENCE = 5.0
"""Seconds that a client waits for a new release before it gets the one before."""
PAUSE = 15.0
"""Seconds between attempts at a release that was refused; no more than the mirror's ttl."""
INCOMPLETE_FOR = 600.0
"""Seconds after which a release is taken although the origin lacks indexes that it names."""

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Which release (its sha256) was refused, since when, and until when it is not looked at again; wall clock."""

    digest: str
    since: float
    until: float


class Generations:
    """Serves releases, and puts new ones in their place. `carry` has a request answered as a client's is."""

    def __init__(
        self,
        outside: Outside,
        releases: Releases,
        signatures: Signatures,
        carry: Callable[[Errand], Awaitable[Reply]],
    ) -> None:
        self._outside = outside
        self._releases = releases
        self.snapshots = releases.snapshots
        self._signatures = signatures
        self._carry = carry
        self._refusals: dict[str, _Refusal] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._pairs = Pairs(outside, releases)
        self._signed: dict[str, tuple[str, str]] = {}  # key -> the digest that was checked last, and with which keyring
        self._checking = asyncio.Lock()

    def forget(self) -> None:
        """Which releases are signed, and which were refused: keyrings may be others now, or hold other keys."""
        self._signed, self._refusals = {}, {}

    async def reply(self, errand: Errand) -> Reply:
        """A release document. A client that has waited long enough for a new one gets the one before."""
        if (as_of := errand.mirror.as_of) is not None:
            return await self.snapshots.reply(errand.plan, errand.mirror, as_of)
        key, client = errand.plan.key, errand.request.client
        if key.endswith(".gpg") and (older := await self._pairs.older_signature(key, client)):
            return older
        known = await self._signed_still(errand)
        if known is None:
            reply = await self._carry(errand)
        elif self.refused(key) and not errand.hop.again:
            reply = await self._before(errand) or await self._carry(errand)
        else:
            reply = await self._in_time(errand)
        if key.endswith(".gpg") and (older := await self._pairs.older_signature(key, client)):
            await reply.source.close()  # another Release was adopted with it, since this client got its own
            return older
        if reply.head.status == 200 and reply.digest:
            self._releases.give(client, key, reply.digest)
            await self.snapshots.keep(errand.mirror, key, reply.digest)
        return reply

    def refused(self, key: str) -> bool:
        """Whether the newest release was refused so lately that the origin is not asked for another."""
        refusal = self._refusals.get(key)
        return refusal is not None and self._outside.wall() < refusal.until

    async def _in_time(self, errand: Errand) -> Reply:
        carrying = asyncio.ensure_future(self._carry(errand))
        try:
            await asyncio.wait([carrying], timeout=PATIENCE)
            before = await self._before(errand) if await self._stays(errand, carrying) else None
            if before is None:
                return await carrying
        except BaseException:
            await _abandon(carrying)
            raise
        await _abandon(carrying)
        return before

    async def _stays(self, errand: Errand, carrying: asyncio.Future[Reply]) -> bool:
        """Whether this client gets the release before: it has waited long enough, or the new one is none."""
        if not carrying.done() or isinstance(carrying.exception(), NotAdopted):
            return True
        if not isinstance(carrying.exception(), OriginError):
            return False
        known = await self._outside.index.get(errand.plan.key)
        return failed(errand.plan, known, self._outside.wall(), errand.request) is not None

    async def _before(self, errand: Errand) -> Reply | None:
        entry = await self._outside.index.get(errand.plan.key)
        if entry is None:
            return None
        return await self._outside.reply(errand.plan, entry, Outcome(hit=True, ttl=-1, detail="generation"))

    async def _signed_still(self, errand: Errand) -> Entry | None:
        """The release that is stored. It goes where it came before there was this keyring, and is not signed."""
        mirror, plan = errand.mirror, errand.plan
        known = await self._known(plan.key)
        if known is None or not mirror.keyring or plan.key.endswith(".gpg") or self._checked(mirror, known):
            return known
        async with self._checking:
            if self._checked(mirror, known):
                return known
            try:
                await self._check(mirror, plan.key, known, await self._known(f"{plan.key}.gpg"))
            except StoreError as exc:
                raise NotAdopted(f"{plan.key}: what is stored cannot be checked: {exc}") from exc
            except OriginError as exc:
                log.warning("%s: what is stored is not served: %s", plan.key, exc)
                if mirror.offline:  # nothing can take its place, and it may be the keyring that is wrong
                    raise NotAdopted(f"{plan.key}: what is stored is not served: {exc}") from exc
                # 1. It is checked. 2. A fill puts one that is signed in its place. 3. That one stays.
                if await self._outside.index.get(plan.key) == known:
                    await self._outside.index.delete(plan.key)
                    await self._outside.store.delete(known.blob)
                return await self._known(plan.key)
        return known

    def _checked(self, mirror: Mirror, entry: Entry) -> bool:
        return self._signed.get(entry.key) == (entry.digest, mirror.keyring)

    async def accept(self, asked: Asked, entry: Entry | None) -> None:
        """Whether this document, whole and not yet in the index, may be served; OriginError why not. None: it could not
        be stored, and may be served only where nothing is said of what it must be.

        Returns once all of the release that clients have used is stored.
        """
        mirror, key = asked.mirror, asked.plan.key
        if entry is None:
            if mirror.keyring or await self._known(key):
                self._refuse(mirror, key, "")
                raise NotAdopted(f"{key}: the new release cannot be stored, and hence not be checked")
            return
        document = key.removeprefix(f"/{mirror.name}")
        async with self._locks[f"/{mirror.name} {asked.plan.generation}"]:
            known = await self._known(key)
            if known is not None and known.digest == entry.digest:
                return
            try:
                lasting = self._lasting(key, entry.digest)
                if document.endswith("/InRelease"):
                    await self._adopt(mirror, document, entry, None)
                    if not lasting:
                        await self._agree(mirror, f"{document.removesuffix('InRelease')}Release", document, entry)
                else:
                    release = await self._pairs.adopt(mirror, document, entry, self._adopt, lasting=lasting)
                    if release is not None and not lasting:
                        plain = document.removesuffix(".gpg")
                        await self._agree(mirror, f"{plain.removesuffix('Release')}InRelease", plain, release)
            except MirrorError as exc:
                self._refuse(mirror, key, entry.digest)
                raise NotAdopted(f"{key}: the new release is not served: {exc}") from exc
            self._refusals.pop(key, None)

    async def _agree(self, mirror: Mirror, other: str, document: str, entry: Entry) -> None:
        """The other form of the release, where clients have used it, takes its place with this one, or neither does."""
        if await self._known(f"/{mirror.name}{other}") is None:
            return
        found = await self._pairs.fetched(mirror, other)
        if found is None:
            return
        try:
            adopted = await self._releases.read(document, entry)
            release = await self._releases.read(other, found[0])
            _same(release, adopted)
            await self._check(mirror, other, *found)
            await self._releases.keep(mirror, other, found[0].digest, release)
        except BaseException:
            await self._pairs.forget(*found)
            raise
        for each in reversed(found):
            if each is not None:
                await self._pairs.put(each)

    async def _known(self, key: str) -> Entry | None:
        known = await self._outside.index.get(key)
        return known if known is not None and known.head.status == 200 else None

    def _refuse(self, mirror: Mirror, key: str, digest: str) -> None:
        now, refusal = self._outside.wall(), self._refusals.get(key)
        since = refusal.since if refusal and refusal.digest == digest else now
        pause = min(PAUSE, max(1.0, mirror.ttl or 0.0))
        self._refusals[key] = _Refusal(digest, since, now + pause)

    def _lasting(self, key: str, digest: str) -> bool:
        """Whether this one has been refused for so long that the origin means it."""
        refusal = self._refusals.get(key)
        return bool(refusal and refusal.digest == digest and self._outside.wall() - refusal.since > INCOMPLETE_FOR)

    async def _adopt(self, mirror: Mirror, document: str, entry: Entry, signature: Entry | None) -> None:
        """Store all that is needed before this release can be served."""
        await self._check(mirror, document, entry, signature)
        release = await self._releases.read(document, entry)
        older = await self._known(entry.key)
        if older is not None and older.digest != entry.digest:
            before = await self._releases.read(document, older)
            if before.dated is not None and (release.dated is None or release.dated < before.dated):
                raise OriginError("it is older than the one that is served, or undated (purge that one to take it)")
            await self._prefetch(mirror, entry, release, before)
        await self._releases.keep(mirror, document, entry.digest, release)

    async def _check(self, mirror: Mirror, document: str, entry: Entry, signature: Entry | None) -> None:
        if not mirror.keyring:
            return
        signed_by = self._signed  # what is found out by a keyring that is read before `forget` does not count after it
        if signature is None and not document.endswith("/InRelease"):
            raise OriginError("it is not signed")
        signed = (entry,) if document.endswith("/InRelease") else (entry, signature)
        bodies = [await self._releases.body(each) for each in signed if each is not None]
        await self._signatures.check(mirror.keyring, *bodies)
        signed_by[entry.key] = (entry.digest, mirror.keyring)

    async def _prefetch(self, mirror: Mirror, entry: Entry, new: Release, old: Release) -> None:
        """Store the new bytes of all indexes whose old bytes are stored: those that clients have used."""
        changed = [fact for name, fact in new.indexes.items() if old.indexes.get(name, fact) != fact]
        used = [fact for fact in changed if await self._stored(mirror, old.indexes[fact.name])]
        gate = asyncio.Semaphore(_AT_ONCE)
        plans = [_index_plan(mirror, new, fact) for fact in used]
        storing = [self._store(mirror, plan, gate) for plan in plans if plan is not None]
        incomplete = self._lasting(entry.key, entry.digest)
        for result in await asyncio.gather(*storing, return_exceptions=True):
            if isinstance(result, BaseException) and not (incomplete and isinstance(result, NotFound | Mismatch)):
                raise result

    async def _stored(self, mirror: Mirror, fact: Fact) -> bool:
        return await self._outside.index.get(f"/{mirror.name}{apt_releases.hashed(fact)}") is not None

    async def _store(self, mirror: Mirror, plan: Plan, gate: asyncio.Semaphore) -> None:
        async with gate:
            reply = await self._carry(Errand(mirror, plan, Request("GET", plan.key)))
            try:
                if reply.head.status in LACKING:
                    raise NotFound(f"the origin lacks {plan.key}, which it names")
                if reply.head.status != 200:
                    raise OriginError(f"the origin answered {reply.head.status} for {plan.key}")
                async for piece in reply.source.read(0, None):
                    del piece
            finally:
                await reply.source.close()


def _same(one: Release, other: Release) -> None:
    if (one.dated, one.indexes) != (other.dated, other.indexes):
        raise OriginError("InRelease and Release are not of one time: one of them is still being published")


async def _abandon(carrying: asyncio.Future[Reply]) -> None:
    """Nobody waits for it any more: the download goes on, and what follows from it. It may have its reply already."""
    if not carrying.cancel() and not carrying.cancelled() and carrying.exception() is None:
        await carrying.result().source.close()


def _index_plan(mirror: Mirror, release: Release, fact: Fact) -> Plan | None:
    """None for what a release lists and is no index: it is not served by what the release says. A release that lists a
    release would wait for it, and that one for this one's end."""
    plan = PLANNERS[mirror.ecosystem](mirror, Request("GET", fact.name))
    if not isinstance(plan, Plan) or plan.lookup is None or not plan.lookup.generation:
        return None
    return plan.completed(release.fact(fact))
