"""One request through the cache: look up, decide, act. The only part that acts on decisions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from mirror.admission import Admission, waits
from mirror.changes import Mark, of_facts, of_key
from mirror.documents import Documents, parts
from mirror.ecosystems import PLANNERS
from mirror.errand import Errand
from mirror.errors import Elsewhere, MirrorError, NotAdopted, NotFound, Offline, OriginError, StoreError, Unavailable
from mirror.fill import Asked
from mirror.fills import Fills
from mirror.foreseeing import Foreseeing
from mirror.forwarding import Forwarding, relayed
from mirror.generations import Generations
from mirror.heads import missing
from mirror.httpcache.conditional import strong_validator
from mirror.httpcache.decision import Decision, Hit, Miss, Pass, Revalidate, StaleHit, only_if_cached
from mirror.httpcache.invalidation import answers_get
from mirror.inside import Insides
from mirror.joining import Joining
from mirror.looking import Looked, look, offline, stored, unstored
from mirror.lookup import Lookups, unless_stored
from mirror.model import Entry, Head, Mirror, Plan, Ready, Request
from mirror.opened import FAULTS
from mirror.outcome import Outcome
from mirror.outside import Found, Outside
from mirror.ports import Answer, Blob, FactStore, Hop, Signatures, Source
from mirror.releases import Releases
from mirror.reply import Lasting, Reply, instead, ready
from mirror.rewriting import Rewriting
from mirror.uses import Use

log = logging.getLogger("mirror.engine")

_AGAIN = ("cache-control", "no-cache")


class Engine:
    """Answers requests from what is stored, from running fills, or from the origin."""

    def __init__(
        self, outside: Outside, fills: Fills, facts: FactStore, documents: Documents, signatures: Signatures
    ) -> None:
        self.facts = facts
        self._outside = outside
        self._fills = fills
        self._documents = documents
        releases = Releases(outside, facts, self._document)
        self._generations = Generations(outside, releases, signatures, self._carry_out)
        self._lookups = Lookups(facts, outside, self._document, releases)
        self._rewriting = Rewriting(outside, documents, self._lookups)
        self._admission = admission = Admission(outside, self._lookups)
        self.foresee = Foreseeing(outside, fills, self._lookups, self._generations, admission).foresee
        self._insides = Insides(outside, self._lookups, self._carry_out)
        self._forwarding = Forwarding(outside, fills)
        self._joining = Joining(outside, fills, self._forwarding)
        fills.stored, fills.accept = self._lookups.stored, self._accept

    async def answer(self, mirror: Mirror, request: Request, hop: Hop = Hop()) -> Reply:  # noqa: B008 - it is frozen
        """The reply to a client's request; its source is the caller's to close. Raises MirrorError."""
        if mirror.unavailable:
            raise Unavailable(mirror.unavailable)
        plan = PLANNERS[mirror.ecosystem](mirror, request)
        if isinstance(plan, Ready):
            return ready(plan, self._outside.wall())
        if (waiting := waits(mirror, plan)) is not None:
            raise waiting
        errand = Errand(mirror, plan, request, hop)
        admitted = await self._admission.admit(mirror, plan)
        reply = await self._found(errand)
        if admitted is not None:
            reply = admitted.bounded(reply)
        if plan.rule.package and reply.head.status in FAULTS:
            await reply.source.close()
            raise OriginError(f"{plan.key}: the origin answered {reply.head.status}")
        if plan.missing is not None and missing(reply.head):
            return await instead(reply, plan.missing)
        if (plan.rewrite is None and plan.proof is None) or not plan.rule.package:
            return reply
        try:
            return await self._rewriting.reply(mirror, plan, request, reply)
        except NotFound:
            # What the document lacks may be new: it is asked for again, as often as the rules let clients cause that.
            if not reply.outcome.hit or _AGAIN in request.headers.pairs:
                raise
            return await self.answer(mirror, replace(request, headers=request.headers.set(*_AGAIN)), hop)

    async def _accept(self, asked: Asked, entry: Entry | None) -> None:
        if asked.plan.generation:
            await self._generations.accept(asked, entry)
        elif entry is not None:
            await self._lookups.prove(asked.plan, asked.mirror, entry)

    async def _found(self, errand: Errand) -> Reply:
        if errand.plan.generation:
            return await self._generations.reply(errand)
        if errand.plan.inside is not None:
            return await self._insides.reply(errand, errand.plan.inside)
        return await self._carry_out(errand)

    def forget(self) -> None:
        """The mirrors may be others from now on: nothing that was made ready or found out by their rules counts."""
        self._generations.forget()
        self._fills.forget()
        self._outside.changes.all_changed()

    async def digest(self, reply: Reply) -> str:
        """The SHA-256 of the bytes of a reply that was stored while it was sent; "" where it was not."""
        try:
            entry = await self._outside.index.get(reply.key) if reply.key else None
        except StoreError:
            return ""
        return entry.digest if entry is not None and entry.head.received_at == reply.head.received_at else ""

    def used(self, lasting: Lasting) -> Use:
        """What is stored for a lasting reply is in use; see `Uses.of`."""
        return self._outside.used(lasting.entry.blob)

    @property
    def since(self) -> Callable[[Mark], bool]:
        """Whether anything has changed since a mark was taken: then what was lasting lasts no more."""
        return self._outside.changes.since

    def at_hand(self, lasting: Lasting) -> Blob | None:
        """The stored bytes of a lasting reply, open, where that takes no waiting."""
        return self._outside.store.at_hand(lasting.entry.blob)

    async def opened(self, lasting: Lasting) -> Source | None:
        """The stored bytes of a lasting reply."""
        return await self._outside.store.open(lasting.entry.blob)

    async def _carry_out(self, errand: Errand) -> Reply:
        # Before anything is looked at: what changes from here on must be noticed.
        mark = self._outside.changes.mark(of_key(errand.plan.key), *_facts(errand.mirror, errand.plan))
        steady = not (errand.plan.generation or (errand.plan.lookup and errand.plan.lookup.generation))
        if errand.plan.lookup is not None and errand.plan.lookup.eager:
            resolved = await self._lookups.resolve(errand.mirror, errand.plan, errand.request.client)
            errand = replace(errand, plan=resolved)
        again = errand.hop.again
        looked = await look(self._outside.index, errand.plan, errand.request, self._outside.wall, again=again)
        errand, decision = _known(errand, looked), looked.decision
        if errand.mirror.offline:
            return await self._offline(errand.plan, decision)
        match decision:
            case Hit(entry, ttl):
                mark = (*mark, *self._outside.changes.mark(entry.blob))
                lasting = Lasting(entry, errand.plan.rule, looked.at + ttl, mark)
                reply = await self._hit(errand, entry, stored(decision))
                if reply is not None:
                    return replace(reply, lasting=lasting) if steady else reply
                return await self._fill(replace(errand, entry=None), "uri-miss")
            case StaleHit(entry):
                reply = await self._hit(errand, entry, stored(decision))
                if reply is None:
                    return await self._fill(replace(errand, entry=None), "uri-miss")
                self._joining.renew(errand)
                return reply
            case Revalidate():
                return await self._fill(errand, looked.reason)
            case Miss():
                return await self._fill(replace(errand, entry=None), looked.reason)
            case Pass():
                return await self._pass(errand, looked.reason)

    async def _hit(self, errand: Errand, entry: Entry, outcome: Outcome) -> Reply | None:
        reply = await self._outside.reply(errand.plan, entry, outcome)
        return reply and replace(reply, again=partial(self._again, errand, entry, reply.head))

    async def _again(self, errand: Errand, entry: Entry, head: Head, begun: bool) -> Reply | None:
        """See `mirror.reply.Again`."""
        try:
            await self._outside.lose(entry)
            reply = await self._fill(replace(errand, entry=None), "uri-miss")
        except Elsewhere:
            if begun:
                return None
            raise
        if begun and (strong_validator(head) is None or strong_validator(reply.head) != strong_validator(head)):
            await reply.source.close()
            return None
        return reply

    async def _offline(self, plan: Plan, decision: Decision) -> Reply:
        reply = await self._outside.reply(plan, *offline(plan, decision))
        if reply is None:
            raise unstored(plan)
        return reply

    async def _fill(self, errand: Errand, reason: str) -> Reply:
        """From the key's fill, or else as `_pass`."""
        plan, request = errand.plan, errand.request
        if not plan.rule.package and only_if_cached(request):
            raise Offline(f"{plan.key} is not stored, and the request wants nothing else")
        if self._fills.get(plan.key) is None:
            plan = await self._lookups.resolve(errand.mirror, plan)
            errand = replace(errand, plan=plan)
            if request.method == "HEAD" and plan.rewrite is None and not plan.generation:
                return await self._alone(errand, reason)
        if not self._fills.shared(plan.key):
            whole = errand.entry is not None or "range" not in request.headers
            return await (self._alone(errand, reason) if whole else self._pass(errand, reason))
        joined = await self._joining.join(errand, reason)
        return joined if isinstance(joined, Reply) else await self._pass(errand, reason, apart=joined is not None)

    async def _alone(self, errand: Errand, reason: str) -> Reply:
        """Past the key's fill, for this client: whether what is stored is right, or what is right instead."""
        with self._fills.watch(errand.plan.key) as watch:
            told = await self._forwarding.validate(errand)
        if isinstance(told, Found):
            reply = await self._outside.reply(errand.plan, told.entry, told.outcome)
            return reply or await self._alone(replace(errand, entry=None), "uri-miss")
        reply = None
        if errand.request.method == "GET" and not errand.plan.rule.package:
            reply = await self._stored_after_all(errand, reason, told, changes=watch.changes)
        return reply or relayed(errand, told, reason, verbatim=False)

    async def _pass(self, errand: Errand, reason: str, *, apart: bool = False) -> Reply:
        """The origin's own answer, for this client alone. `apart`: to its range, as the origin has it."""
        plan, verbatim = errand.plan, apart or not errand.plan.rule.package
        if plan.generation:  # 1. It is adopted. 2. A purge. 3. Its bytes are opened. The origin's may be another one.
            raise NotAdopted(f"{plan.key}: the release went before it could be served")
        with self._fills.watch(plan.key) as watch:
            answer = await self._forwarding.ask(errand, verbatim=verbatim)
        reply = None
        if not plan.rule.package and answers_get(errand.request.method, answer.url, answer.head):
            others = watch.changes - 1  # one is its own
            reply = await self._stored_after_all(errand, reason, answer, changes=others)
        return reply or relayed(errand, answer, reason, verbatim=verbatim)

    async def _stored_after_all(self, errand: Errand, reason: str, answer: Answer, *, changes: int) -> Reply | None:
        """The reply from a fill that begins with this answer; None where one runs already, or the answer may be old.

        1. A is answered. 2. B's PUT is, and nothing is stored. 3. A's answer, older than B's, is stored.
        """
        if changes or self._fills.get(errand.plan.key) is not None:
            return None
        joined = await self._joining.join(replace(errand, entry=None), reason, answer)
        return joined if isinstance(joined, Reply) else None

    async def _document(self, mirror: Mirror, request: Request) -> tuple[Plan, Entry]:
        """The entry of an index document, fetched when it is not stored; NotFound when the origin has none, Unstored
        where the disk refused it."""
        plan = PLANNERS[mirror.ecosystem](mirror, request)
        if isinstance(plan, Ready):
            raise NotFound(f"{request.path} is no document")
        reply = await self._carry_out(Errand(mirror, plan, request))
        try:
            body = [] if reply.digest else await parts(reply.source)  # to the end: then it is in the index
        finally:
            await reply.source.close()
        entry = await self._outside.index.get(plan.key)
        if body and reply.head.status == 200 and plan.facts is not None and not plan.generation:
            await unless_stored(entry, plan, reply.head, body)
        if entry is None or entry.head.status != reply.head.status:
            raise _no_document(plan, reply)
        if entry.head.status in (404, 410):
            raise NotFound(f"{plan.key}: the origin has no such document")
        return plan, entry

    async def close(self) -> None:
        await self._lookups.close()
        self._documents.close()


def _facts(mirror: Mirror, plan: Plan) -> tuple[str, ...]:
    """The names of the facts that the reply to a plan depends on: none where it looks none up."""
    if plan.lookup is not None and not plan.lookup.slots:
        return of_facts(mirror.name)
    slots = (*(plan.lookup.slots if plan.lookup else ()), *(plan.rewrite.slots if plan.rewrite else ()))
    return of_facts(mirror.name, slots) if slots else ()


def _known(errand: Errand, looked: Looked) -> Errand:
    """With what is stored for this request, and the key under which it is (RFC 9111 §4.1)."""
    if looked.entry is None:
        return replace(errand, others=looked.others)
    return replace(errand, plan=replace(errand.plan, key=looked.entry.key), entry=looked.entry)


def _no_document(plan: Plan, reply: Reply) -> MirrorError:
    return OriginError(f"{plan.key}: the origin answered {reply.head.status}, and it could not be stored")
