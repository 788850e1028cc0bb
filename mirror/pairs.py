"""Release and Release.gpg, which clients get together or not at all: a signature of another time fits no release."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from mirror.ecosystems import PLANNERS
from mirror.errors import OriginError
from mirror.heads import same_validators, stored_head
from mirror.model import Entry, Head, Mirror, Plan, Request
from mirror.outcome import Outcome
from mirror.outside import Outside
from mirror.releases import LACKING, Releases
from mirror.reply import InMemory, Reply

_KEPT = 100
_LARGEST = 1 << 20  # bytes of a signature that is kept in memory

Adopt = Callable[[Mirror, str, Entry, Entry | None], Awaitable[None]]
"""Adopts a release (mirror, document, entry, its signature if it has one); OriginError why not."""


class Pairs:
    """Pairs of a release and its signature. Signatures of releases that were replaced are kept in memory a while."""

    def __init__(self, outside: Outside, releases: Releases) -> None:
        self._outside = outside
        self._releases = releases
        self._older: OrderedDict[tuple[str, str], tuple[Head, bytes]] = OrderedDict()

    async def older_signature(self, key: str, client: str) -> Reply | None:
        """The signature of the Release that this client was given, if another is served now."""
        release = key.removesuffix(".gpg")
        given, now = self._releases.given(client, release), await self._outside.index.get(release)
        if not given or now is None or now.digest == given or (release, given) not in self._older:
            return None
        head, body = self._older[release, given]
        return Reply(head, len(body), InMemory(body), Outcome(hit=True, detail="generation"), key=key)

    async def adopt(self, mirror: Mirror, document: str, entry: Entry, adopt: Adopt, *, lasting: bool) -> Entry | None:
        """`entry` is one of the two: the other is fetched, adopted with it, and takes its place just before it. The
        release of the pair, None where there is none.

        `lasting`: it has been refused for so long that a signature may have been made anew.
        """
        is_release = document.endswith("Release")
        other_name = f"{document}.gpg" if is_release else document.removesuffix(".gpg")
        other = await self._fetched(mirror, other_name)
        try:
            if other is not None:
                await self._stands(mirror, document, entry)
            if is_release:
                await self._adopt(mirror, document, entry, other, adopt)
            elif other is not None:
                await self._adopt(mirror, other_name, other, entry, adopt, resigned=lasting)
        except BaseException:
            if other is not None:
                await self._outside.store.delete(other.blob)
            raise
        if other is not None:
            await self.put(other)
        return entry if is_release else other

    async def fetched(self, mirror: Mirror, document: str) -> tuple[Entry, Entry | None] | None:
        """An InRelease, or a Release with its signature, as the origin has it now, stored and not in the index."""
        release = await self._fetched(mirror, document)
        if release is None or document.endswith("/InRelease"):
            return None if release is None else (release, None)
        signature = None
        try:
            signature = await self._fetched(mirror, f"{document}.gpg")
            if signature is not None:
                await self._stands(mirror, document, release)
        except BaseException:
            await self.forget(release, signature)
            raise
        return release, signature

    async def _stands(self, mirror: Mirror, document: str, entry: Entry) -> None:
        """OriginError where the origin has another one by now.

        1. One half is fetched. 2. A release is published, both halves. 3. The other half is fetched: it is of another
        time, and both differ from what is stored.
        """
        again = await self._fetched(mirror, document)
        await self.forget(again)
        if again is None or again.digest != entry.digest:
            raise OriginError(f"{document} has changed while its other half was fetched")

    async def forget(self, *entries: Entry | None) -> None:
        """Delete what was fetched and is not needed."""
        for entry in entries:
            if entry is not None:
                await self._outside.store.delete(entry.blob)

    async def _adopt(
        self,
        mirror: Mirror,
        document: str,
        release: Entry,
        signature: Entry | None,
        adopt: Adopt,
        *,
        resigned: bool = False,
    ) -> None:
        key = f"/{mirror.name}{document}"
        before = await self._outside.index.get(key)
        older = await self._outside.index.get(f"{key}.gpg")
        if before and older and before.head.status == older.head.status == 200:
            changed = signature is None or signature.digest != older.digest
            # A keyring says it for certain; without one, what changes alone is the half of something.
            half = changed != (release.digest != before.digest) and not (changed and resigned)
            if half and not mirror.keyring:
                raise OriginError("Release and Release.gpg are not of one time: one of them is still being published")
            if older.size <= _LARGEST:
                plan = self._plan(mirror, f"{document}.gpg")
                self._older[key, before.digest] = (stored_head(plan, older), await self._releases.body(older))
            while len(self._older) > _KEPT:
                self._older.popitem(last=False)
        await adopt(mirror, document, release, signature)

    async def _fetched(self, mirror: Mirror, document: str) -> Entry | None:
        """The document as it is at the origin now, stored and not in the index; None where there is none."""
        plan = self._plan(mirror, document)
        answer = await self._outside.origin.fetch(plan.urls, headers=plan.send, route=mirror.route(plan))
        try:
            if answer.head.status in LACKING:
                return None
            if answer.head.status != 200:
                raise OriginError(f"the origin answered {answer.head.status} for {document}")
            return await self._outside.keep(plan, answer)
        finally:
            await answer.aclose()

    async def put(self, entry: Entry) -> None:
        """What was fetched takes the place of the one before."""
        older = await self._outside.index.get(entry.key)
        await self._outside.index.put(same_validators(entry, older) if older else entry)
        if older is not None and older.blob != entry.blob:
            await self._outside.store.delete(older.blob)

    def _plan(self, mirror: Mirror, document: str) -> Plan:
        plan = PLANNERS[mirror.ecosystem](mirror, Request("GET", document))
        assert isinstance(plan, Plan)  # noqa: S101 - APT's plans are
        return plan
