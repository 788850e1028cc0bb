"""What index documents say of files: gathered when a document is stored, looked up before a file is fetched."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator

from mirror.documents import parts
from mirror.ecosystems import PLANNERS
from mirror.errors import MirrorError, NotFound, OriginError
from mirror.fill import Asked
from mirror.model import Entry, Fact, Head, Headers, Lookup, Mirror, Plan, Request
from mirror.outside import Outside
from mirror.ports import FactStore
from mirror.releases import Releases

log = logging.getLogger("mirror.lookup")


class Unstored(OriginError):
    """A document came whole, and the disk refused it: what it says can be had from its bytes alone."""

    def __init__(self, plan: Plan, headers: Headers, body: list[bytes]) -> None:
        super().__init__(f"{plan.key}: it could not be stored")
        self.plan = plan
        self.headers = headers
        self.body = body


async def unless_stored(entry: Entry | None, plan: Plan, head: Head, body: list[bytes]) -> None:
    """Raise Unstored, where the entry is of another document than this one, or there is none."""
    if entry is None or entry.digest != await asyncio.to_thread(_sha256, body):
        raise Unstored(plan, head.headers, body)


class Lookups:
    """Completes plans from facts. `fetch` brings the stored entry of a document of the mirror, and its plan; or raises
    Unstored."""

    def __init__(
        self,
        facts: FactStore,
        outside: Outside,
        fetch: Callable[[Mirror, Request], Awaitable[tuple[Plan, Entry]]],
        releases: Releases,
    ) -> None:
        self._facts = facts
        self._outside = outside
        self._fetch = fetch
        self._releases = releases
        self._gathering: dict[tuple[str, str], asyncio.Task[OriginError | None]] = {}

    async def resolve(self, mirror: Mirror, plan: Plan, client: str = "", *, asks: bool = True) -> Plan:
        """The plan with address, digest and size from the documents of its mirror; as it is when it asks for nothing.
        `client` is who asks, because not all were given the same release. Without `asks`: from stored ones alone.

        NotFound when the plan requires a fact and no document has it.
        """
        lookup = plan.lookup
        if lookup is None:
            return plan
        if lookup.generation:
            release = await self._releases.fact(mirror, lookup, client, asks=asks)
            return plan.completed(release) if release else plan
        fact = await self._find(mirror, lookup)
        for slot, document in zip(lookup.slots, lookup.documents, strict=False):
            if fact is None and asks and not mirror.offline:
                fact = await self._learn(mirror, lookup, slot, document)
        if fact is not None and not fact.package and asks:
            fact = await self._again(mirror, lookup) or fact
        if fact is None:
            if lookup.required:
                raise NotFound(f"no index page of /{mirror.name}/ names {lookup.name}")
            return plan
        return plan.completed(fact)

    async def about(self, mirror: Mirror, lookup: Lookup, *, asks: bool = True) -> Fact | None:
        """What the documents say of an artifact: its date, too, if one of them has it. Without `asks`: the stored ones.

        OriginError where the origin does not give the document that may know it.
        """
        fact = await self._find(mirror, lookup)
        if (fact is None or not fact.package) and asks:
            fact = await self._again(mirror, lookup) or fact
        for slot, document in zip(lookup.slots, lookup.documents, strict=False):
            if not asks or mirror.offline or (fact is not None and fact.published is not None):
                break
            if fact is None or not fact.package or slot.endswith(fact.package):
                fact = await self._learn(mirror, lookup, slot, document, anew=fact is None) or fact
        return fact

    async def seen(self, mirror: Mirror, plan: Plan, slots: Iterable[str], digest: str) -> dict[str, float]:
        """When the mirror first saw the files that a document names, whose stored bytes have this sha256."""
        if running := self._gathering.get((mirror.name, plan.slot)):
            await asyncio.wait([running])
        if await self._facts.source(mirror.name, plan.slot) != digest:
            entry = await self._outside.index.get(plan.key)
            if entry is not None and entry.digest == digest:
                await self._gathered_now(mirror, plan, entry)
        found: dict[str, float] = {}
        for slot in slots:
            found = await self._facts.seen(mirror.name, slot) | found
        return found

    async def _find(self, mirror: Mirror, lookup: Lookup) -> Fact | None:
        running = [
            task
            for (name, slot), task in self._gathering.items()
            if name == mirror.name and (not lookup.slots or slot in lookup.slots)
        ]
        if running:
            await asyncio.wait(running)
        if (suits := lookup.suits) is None:
            return await self._facts.find(mirror.name, lookup.slots, lookup.name)
        listed = [fact for slot in lookup.slots for fact in await self._facts.listed(mirror.name, slot)]
        return next(filter(suits, listed), None)

    async def _learn(
        self, mirror: Mirror, lookup: Lookup, slot: str, document: str, *, anew: bool = True
    ) -> Fact | None:
        """Fetch the document (`anew`, when its facts lack the file), and wait for its facts. Where the disk refuses,
        the file must be found all the same."""
        known = await self._facts.source(mirror.name, slot)
        fields = [("accept", lookup.accept)]
        if known is not None and anew:
            fields.append(("cache-control", "no-cache"))  # one revalidation, which the rules limit in rate
        request = Request("GET", document, headers=Headers(tuple(fields)), base=f"/{mirror.name}")
        try:
            plan, entry = await self._fetch(mirror, request)
        except NotFound:
            return None
        except Unstored as exc:
            return await asyncio.to_thread(_fact, exc.plan, exc.body, exc.headers, lookup)
        if entry.head.status == 200 and entry.digest != known:
            await self._gathered_now(mirror, plan, entry)
        return await self._find(mirror, lookup)

    async def _again(self, mirror: Mirror, lookup: Lookup) -> Fact | None:
        """The fact, read once more from the documents as they are stored, where an older version has read them and left
        out of whom and when they speak; None where it has not."""
        old = [
            document
            for slot, document in zip(lookup.slots, lookup.documents, strict=False)
            if await self._facts.source(mirror.name, slot) is None
        ]
        for document in old:  # npm's full form has the dates
            _ = await self._read_again(mirror, document, "*/*") or await self._read_again(
                mirror, document, lookup.accept
            )
        return await self._find(mirror, lookup) if old else None

    async def _read_again(self, mirror: Mirror, document: str, accept: str) -> bool:
        """Whether the document is stored in the form that `accept` gets; its facts are what it says, then."""
        headers = Headers((("accept", accept),))
        plan = PLANNERS[mirror.ecosystem](mirror, Request("GET", document, headers=headers, base=f"/{mirror.name}"))
        entry = await self._outside.index.get(plan.key) if isinstance(plan, Plan) else None
        if not isinstance(plan, Plan) or entry is None or entry.head.status != 200:
            return False
        await self._gathered_now(mirror, plan, entry)
        return True

    async def prove(self, plan: Plan, mirror: Mirror, entry: Entry) -> None:
        """OriginError where a document that has come whole cannot be read; else what it says is known from now on."""
        if plan.proven or entry.head.status != 200:
            return
        if plan.facts is not None:
            if (wrong := await self._gathered_now(mirror, plan, entry)) is not None:
                raise OriginError(f"{entry.key}: {wrong}")
        elif plan.proof is not None and (blob := await self._outside.store.open(entry.blob)) is not None:
            try:
                await asyncio.to_thread(plan.proof, b"".join(await parts(blob)), entry.head.headers)
            finally:
                await blob.close()

    async def stored(self, asked: Asked, entry: Entry) -> None:
        """A document was stored: gather its facts behind the clients; who looks one up waits for it."""
        if asked.plan.facts is None or entry.head.status != 200:
            return
        # 1. An index is replaced. 2. A slow client asks for the old one. 3. What that says is not so any more.
        if asked.plan.digest is None or not await self._releases.replaced(asked.mirror, entry.key):
            self._start(asked.mirror, asked.plan, entry)

    async def _gathered_now(self, mirror: Mirror, plan: Plan, entry: Entry) -> OriginError | None:
        """What is wrong with the document, once its facts are known. Who leaves meanwhile does not stop that."""
        await asyncio.wait([task := self._start(mirror, plan, entry)])
        return task.result()

    def _start(self, mirror: Mirror, plan: Plan, entry: Entry) -> asyncio.Task[OriginError | None]:
        key = (mirror.name, plan.slot)
        task = asyncio.get_running_loop().create_task(self._gather(mirror, plan, entry, self._gathering.get(key)))
        self._gathering[key] = task
        task.add_done_callback(lambda done: self._gathered(key, done))
        return task

    def _gathered(self, key: tuple[str, str], task: asyncio.Task[OriginError | None]) -> None:
        if self._gathering.get(key) is task:
            del self._gathering[key]

    async def _gather(
        self, mirror: Mirror, plan: Plan, entry: Entry, before: asyncio.Task[OriginError | None] | None
    ) -> OriginError | None:
        """What is wrong with the document, if something is."""
        if before is not None:
            await asyncio.wait([before])
        if plan.facts is None or await self._facts.source(mirror.name, plan.slot) == entry.digest:
            return None
        blob = await self._outside.store.open(entry.blob)
        if blob is None:
            return None
        try:
            read = _read(plan.facts, await parts(blob), entry.head.headers)
            await self._facts.put(mirror.name, plan.slot, entry.digest, read, self._outside.wall())
        except MirrorError as exc:
            log.warning("%s: its facts cannot be read: %s", entry.key, exc)
            return exc if isinstance(exc, OriginError) else None
        finally:
            await blob.close()
        return None

    async def close(self) -> None:
        """Wait for what is being gathered."""
        if self._gathering:
            await asyncio.wait(list(self._gathering.values()), timeout=10.0)


def _fact(plan: Plan, body: list[bytes], headers: Headers, lookup: Lookup) -> Fact | None:
    """What the document says of that file. OriginError where it cannot be read. Blocks."""
    facts = _read(plan.facts, body, headers) if plan.facts is not None else ()
    suits = lookup.suits or (lambda fact: fact.name == lookup.name)
    return next((fact for fact in facts if suits(fact)), None)


def _sha256(body: list[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in body:
        digest.update(chunk)
    return digest.hexdigest()


def _read(facts: Callable[[bytes, Headers], Iterable[Fact]], body: list[bytes], headers: Headers) -> Iterator[Fact]:
    """The document's facts; it is read when the first one is asked for: on a thread of the store."""
    joined = b"".join(body)
    body.clear()
    yield from facts(joined, headers)
