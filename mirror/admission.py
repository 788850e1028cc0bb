"""The policy at the door of each artifact, stored or not: what the indexes say of it is found, and the gate decides."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import partial
from math import inf

from mirror.changes import Mark, of_facts
from mirror.ecosystems import views
from mirror.errors import NotFound, OriginError, Unavailable, Withheld
from mirror.heads import IMMUTABLE
from mirror.httpcache.fields import format_date
from mirror.lookup import Lookups
from mirror.model import Fact, Headers, Mirror, Plan, Subject
from mirror.outside import Outside
from mirror.policy.artifact import Artifact, Verdict
from mirror.reply import Again, Lasting, Reply

log = logging.getLogger("mirror.policy")

_KNOWN = 20_000  # artifacts that somebody was given lately
_NEVER = 253402300800.0  # the year 10000, which no date can be written of


@dataclass(frozen=True, slots=True)
class Admitted:
    """What the gate of that fingerprint said of an artifact `at` an instant: so it stays before `verdict.until`, and
    while nothing of `mark` changes. `named`: an index names it. `ends`: when it is given no more, as far as can be
    foreseen; inf: never."""

    artifact: Artifact
    verdict: Verdict
    fingerprint: str
    mark: Mark
    at: float
    named: bool = True
    ends: float = inf

    def bounded(self, reply: Reply) -> Reply:
        """The reply, which lasts no longer than this: neither here nor in caches behind us."""
        lasting = reply.lasting and bounded(reply.lasting, self.verdict.until, self.mark)
        headers = self._ending(reply.head.headers)
        head = reply.head if headers is reply.head.headers else replace(reply.head, headers=headers)
        again = reply.again and partial(self._again, reply.again)
        return replace(reply, head=head, lasting=lasting, again=again, admitted=(self.artifact, self.verdict))

    def _ending(self, headers: Headers) -> Headers:
        """The fields of what may not be given for ever. The end is told as an instant, which means the same whenever
        the reply is sent, and to caches that do not reckon with Date and Age."""
        if self.ends >= _NEVER or headers.get("cache-control") != IMMUTABLE:
            return headers
        return headers.set("cache-control", "public").set("expires", format_date(self.ends))

    async def _again(self, again: Again, begun: bool) -> Reply | None:
        other = await again(begun)
        return other and self.bounded(other)


def bounded(lasting: Lasting, until: float, mark: Mark = ()) -> Lasting:
    """The same until that instant at most, and while nothing of the mark changes."""
    return Lasting(lasting.entry, lasting.rule, min(lasting.until, until), (*lasting.mark, *mark))


def waits(mirror: Mirror, plan: Plan) -> Unavailable | None:
    """Why nobody gets yet what is planned, where that names packages."""
    named = plan.subject is not None or (plan.rewrite is not None and plan.rewrite.judged)
    if not named or not mirror.gate.waits:
        return None
    return Unavailable("the advisories of the policy are still being read; nothing gets through before")


class Admission:
    """Decides whether somebody gets what a plan brings. What got through lately gets through without another look."""

    def __init__(self, outside: Outside, lookups: Lookups) -> None:
        self._outside = outside
        self._lookups = lookups
        self._lately: OrderedDict[tuple[str, str], Admitted] = OrderedDict()  # by key, and as of when

    async def admit(self, mirror: Mirror, plan: Plan) -> Admitted | None:
        """The verdict by which it gets through; None where nobody has to be asked. Withheld where it does not, NotFound
        where there is no such artifact.

        OriginError where nothing but the index that the origin does not give would tell.
        """
        if plan.subject is None or not mirror.gate:
            return None
        name = (plan.key, mirror.as_of.text if mirror.as_of else "")
        known = self._lately.get(name)
        if known is not None and self._holds(known, mirror):
            self._lately.move_to_end(name)
            return known
        found = await self.judge(mirror, plan.subject)
        if found.verdict.refused:
            if found.verdict.rule == "unknown" and not found.named and not await self._may_be(mirror, plan):
                raise NotFound(f"no index page of /{mirror.name}/ names {plan.subject.lookup.name}")
            log.info("%s: refused (rule %s): %s", plan.key, found.verdict.rule, found.verdict.reason)
            raise Withheld(found.verdict.reason, found.verdict.until, rule=found.verdict.rule)
        told = known is not None and (known.fingerprint, known.verdict.rule) == (found.fingerprint, found.verdict.rule)
        if not found.verdict.allowed and not told:
            log.warning("%s: would be refused (rule %s): %s", plan.key, found.verdict.rule, found.verdict.reason)
        self._lately[name] = found
        self._lately.move_to_end(name)
        if len(self._lately) > _KNOWN:
            self._lately.popitem(last=False)
        return found

    async def _may_be(self, mirror: Mirror, plan: Plan) -> bool:
        """Whether there is something, though no index names it."""
        required = plan.lookup is not None and plan.lookup.required
        return not required or mirror.offline or await self._outside.index.get(plan.key) is not None

    def _holds(self, known: Admitted, mirror: Mirror) -> bool:
        fresh = known.at <= self._outside.wall() < known.verdict.until
        return fresh and known.fingerprint == mirror.gate.fingerprint and not self._outside.changes.since(known.mark)

    async def judge(self, mirror: Mirror, subject: Subject, *, asks: bool = True) -> Admitted:
        """What the gate says now. Without `asks`: by what is stored. OriginError as `admit`."""
        mark = self._outside.changes.mark(*of_facts(mirror.name, subject.lookup.slots))
        failed: OriginError | None = None
        try:
            fact = await self._lookups.about(mirror, subject.lookup, asks=asks)
        except OriginError as exc:
            failed, fact = exc, await self._lookups.about(mirror, subject.lookup, asks=False)
        artifact, now = _known(subject.artifact, fact), self._outside.wall()
        verdict = mirror.gate.verdict(artifact, now)
        if failed is not None and verdict.refused and verdict.rule == "unknown":
            raise failed  # that it is not known is the origin's fault, and may be over soon
        ends = _ends(mirror, artifact, verdict)
        return Admitted(artifact, verdict, mirror.gate.fingerprint, mark, now, fact is not None, ends)


def _known(told: Artifact, fact: Fact | None) -> Artifact:
    """What there is to know of an artifact: what the index says, and what its address does where that says nothing."""
    if fact is None:
        return told
    known = views.artifact(told.ecosystem, fact)
    return replace(known, package=known.package or told.package, version=known.version or told.version)


def _ends(mirror: Mirror, artifact: Artifact, verdict: Verdict) -> float:
    """When an artifact that is given now will be refused: never, where it is old enough when its exemption ends."""
    until = verdict.until
    while until < _NEVER:
        later = mirror.gate.verdict(artifact, until)
        if later.refused or later.until <= until:
            return until
        until = later.until
    return inf
