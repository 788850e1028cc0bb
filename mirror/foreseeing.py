"""What the engine would do with a request, found without doing it: nobody is asked, nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from mirror import looking
from mirror.admission import Admission, waits
from mirror.ecosystems import PLANNERS
from mirror.errand import Errand
from mirror.errors import MirrorError, NotFound, Unavailable, Withheld
from mirror.fill import Fill
from mirror.fills import Fills
from mirror.generations import Generations
from mirror.httpcache.decision import Decision, Hit, Miss, Pass, StaleHit
from mirror.looking import Looked, look
from mirror.lookup import Lookups
from mirror.model import Entry, Lookup, Mirror, Plan, Ready, Request
from mirror.outcome import Outcome
from mirror.outside import Outside
from mirror.policy.artifact import Verdict
from mirror.policy.frozen import AsOf


@dataclass(frozen=True, slots=True)
class Foreseen:
    """`plan` is what the request means, completed by what is stored (None where it means nothing); `ready` the answer
    that needs neither; `error` why there is no answer.

    `looked`: what is stored, and what is decided; `outcome` what is told of an answer from the store, None where the
    origin is asked first. `learns` are the documents (addresses here) that are asked for before that, because
    they say where the answer is. `fill`: the running download that the request would join. `alone`: answers of this key
    are for one client each. `gone`: an entry's bytes are not there any more. `verdict`: the policy's, of the artifact
    that is asked for or spoken of, where what is stored tells.
    """

    plan: Plan | None = None
    ready: Ready | None = None
    error: MirrorError | None = None
    looked: Looked | None = None
    outcome: Outcome | None = None
    learns: tuple[str, ...] = ()
    fill: Fill | None = None
    alone: bool = False
    gone: bool = False
    verdict: Verdict | None = None

    @property
    def decision(self) -> Decision | None:
        return self.looked.decision if self.looked else None


class Foreseeing:
    """Goes the way of `Engine.answer` with the same parts, as far as that leads without asking."""

    def __init__(
        self, outside: Outside, fills: Fills, lookups: Lookups, generations: Generations, admission: Admission
    ) -> None:
        self._admission = admission
        self._outside = outside
        self._fills = fills
        self._lookups = lookups
        self._generations = generations

    async def foresee(self, mirror: Mirror, request: Request) -> Foreseen:
        """What would become of that request now."""
        if mirror.unavailable:
            return Foreseen(error=Unavailable(mirror.unavailable))
        try:
            plan = PLANNERS[mirror.ecosystem](mirror, request)
        except MirrorError as exc:
            return Foreseen(error=exc)
        if isinstance(plan, Ready):
            return Foreseen(ready=plan)
        if (waiting := waits(mirror, plan)) is not None:
            return Foreseen(plan=plan, error=waiting)
        verdict, documents = await self._judged(mirror, plan)
        if verdict is not None and verdict.refused:
            error = Withheld(verdict.reason, verdict.until, verdict.rule)
            return Foreseen(plan=plan, error=error, verdict=verdict)
        found = await self._through(Errand(mirror, plan, request))
        return replace(found, verdict=verdict, learns=found.learns or documents)

    async def _judged(self, mirror: Mirror, plan: Plan) -> tuple[Verdict | None, tuple[str, ...]]:
        """What the gate says; or the documents that would be asked for before it says anything."""
        if not mirror.gate or (subject := plan.subject) is None:
            return None, ()
        judged = await self._admission.judge(mirror, subject, asks=False)
        dates = (judged.artifact.published, judged.artifact.first_seen)
        if dates == (None, None) and subject.lookup.documents and not mirror.offline:
            return None, tuple(f"/{mirror.name}{document}" for document in subject.lookup.documents)
        return judged.verdict, ()

    async def _through(self, errand: Errand) -> Foreseen:
        plan, as_of = errand.plan, errand.mirror.as_of
        if plan.generation and as_of is not None:
            return await self._of_then(errand.mirror, plan, as_of)
        learns: tuple[str, ...] = ()
        if plan.lookup is not None and plan.lookup.eager:
            errand, learns = await self._learned(errand, plan.lookup)
        found = await self._stored(errand)
        found = replace(found, learns=learns or found.learns)
        if plan.generation and self._generations.refused(plan.key) and found.looked and found.looked.entry:
            return replace(found, outcome=Outcome(hit=True, ttl=-1, detail="generation"), fill=None)
        return found

    async def _of_then(self, mirror: Mirror, plan: Plan, as_of: AsOf) -> Foreseen:
        """A release that was kept."""
        try:
            reply = await self._generations.snapshots.reply(plan, mirror, as_of)
        except MirrorError as exc:
            return Foreseen(plan=plan, error=exc)
        await reply.source.close()
        entry = await self._outside.index.get(reply.key)
        looked = Looked(entry, (), Hit(entry, inf), self._outside.wall()) if entry is not None else None
        return Foreseen(plan=replace(plan, key=reply.key), looked=looked, outcome=reply.outcome)

    async def _stored(self, errand: Errand) -> Foreseen:
        looked = await look(self._outside.index, errand.plan, errand.request, self._outside.wall)
        plan = errand.plan if looked.entry is None else replace(errand.plan, key=looked.entry.key)
        gone = looked.entry is not None and not await self._there(looked.entry)
        known = Foreseen(plan=plan, looked=looked, gone=gone)
        decision = looked.decision
        if errand.mirror.offline:
            return self._offline(known, decision)
        if isinstance(decision, Hit | StaleHit) and not gone:
            return replace(known, outcome=looking.stored(decision))
        if isinstance(decision, Hit | StaleHit):
            return await self._asked(errand, replace(known, looked=replace(looked, decision=Miss("uri-miss"))))
        if isinstance(decision, Pass):
            return known
        return await self._asked(errand, known)

    def _offline(self, known: Foreseen, decision: Decision) -> Foreseen:
        assert known.plan is not None  # noqa: S101 - the caller has made one
        try:
            _, outcome = looking.offline(known.plan, decision)
        except MirrorError as exc:
            return replace(known, error=exc)
        return replace(known, error=looking.unstored(known.plan)) if known.gone else replace(known, outcome=outcome)

    async def _asked(self, errand: Errand, known: Foreseen) -> Foreseen:
        """The origin is asked, unless what an index says of the file makes what is stored right."""
        assert known.plan is not None  # noqa: S101
        plan, fill = known.plan, self._fills.get(known.plan.key)
        learns: tuple[str, ...] = ()
        if fill is not None:
            return replace(known, fill=fill)
        if plan.lookup is not None and not plan.lookup.eager:
            errand, learns = await self._learned(replace(errand, plan=plan), plan.lookup)
        again = await look(self._outside.index, errand.plan, errand.request, self._outside.wall)
        shared = self._fills.shared(plan.key)
        if shared and isinstance(again.decision, Hit) and not known.gone:  # as the fill finds it that would begin
            return replace(known, plan=errand.plan, looked=again, outcome=looking.stored(again.decision))
        return replace(known, plan=errand.plan, learns=learns, alone=not shared)

    async def _learned(self, errand: Errand, lookup: Lookup) -> tuple[Errand, tuple[str, ...]]:
        """The errand with what the stored documents say, and those that would be asked for because they do not."""
        mirror, plan = errand.mirror, errand.plan
        try:
            resolved = await self._lookups.resolve(mirror, plan, errand.request.client, asks=False)
        except NotFound:
            return errand, () if mirror.offline else tuple(f"/{mirror.name}{path}" for path in lookup.documents)
        if resolved is not plan or mirror.offline:
            return replace(errand, plan=resolved), ()
        keys = [f"/{mirror.name}{document}" for document in lookup.documents]
        stored = [lookup.generation and await self._outside.index.get(key) is not None for key in keys]
        return errand, tuple(key for key, known in zip(keys, stored, strict=True) if not known)

    async def _there(self, entry: Entry) -> bool:
        blob = await self._outside.store.open(entry.blob)
        if blob is not None:
            await blob.close()
        return blob is not None
