"""One request through the cache: look up, decide, act. The only part that acts on decisions."""

from __future__ import annotations

import logging
from dataclasses import replace

from mirror.documents import Documents, NoDocument, tag
from mirror.ecosystems import PLANNERS
from mirror.errors import MirrorError, NotFound, Offline, OriginError, Unavailable
from mirror.fill import Asked
from mirror.fills import Fills
from mirror.follower import Follower
from mirror.heads import client_head, etag, rewritten_head, stored_head
from mirror.httpcache import vary
from mirror.httpcache.decision import Decision, Hit, Miss, Pass, Revalidate, StaleHit, before, only_if_cached
from mirror.httpcache.ranges import wanted
from mirror.lookup import Lookups
from mirror.model import Entry, Headers, Mirror, Outcome, Plan, Ready, Request
from mirror.opening import Apart, Found, Opened, Outside, whole
from mirror.ports import FactStore
from mirror.reply import Relayed, Reply, bodiless, in_memory, ready

log = logging.getLogger("mirror.engine")

CLIENT_CONDITIONS = ("range", "if-range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since")


class Engine:
    """Answers requests from what is stored, from running fills, or from the origin."""

    def __init__(self, outside: Outside, fills: Fills, facts: FactStore, documents: Documents) -> None:
        self._outside = outside
        self._fills = fills
        self._documents = documents
        self._lookups = Lookups(facts, outside.store, self._document)
        fills.stored = self._lookups.stored

    async def answer(self, mirror: Mirror, request: Request) -> Reply:
        """The reply to a client's request; its source is the caller's to close. Raises MirrorError."""
        if mirror.unavailable:
            raise Unavailable(mirror.unavailable)
        plan = PLANNERS[mirror.ecosystem](mirror, request)
        if isinstance(plan, Ready):
            return ready(plan, self._outside.wall())
        reply = await self._carry_out(mirror, plan, request)
        if plan.rewrite is None or reply.head.status != 200:
            return reply
        return await self._rewritten(plan, reply)

    async def _carry_out(self, mirror: Mirror, plan: Plan, request: Request) -> Reply:
        if plan.lookup is not None and plan.lookup.eager:
            plan = await self._lookups.resolve(mirror, plan)
        plan, entry = await self._known(plan, request)
        decision = before(request, plan, entry, self._outside.wall())
        if mirror.offline:
            return await self._offline(plan, decision)
        match decision:
            case Hit(entry, ttl):
                reply = await self._stored(plan, entry, Outcome(hit=True, ttl=whole(ttl)))
                return reply or await self._fill(mirror, plan, request, "uri-miss")
            case StaleHit(entry, ttl):
                reply = await self._stored(plan, entry, Outcome(hit=True, ttl=min(-1, int(ttl))))
                if reply is None:
                    return await self._fill(mirror, plan, request, "uri-miss")
                self._fills.start(Asked(mirror, plan, _plain(request), renew=True))
                return reply
            case Revalidate():
                return await self._fill(mirror, plan, request, "stale")
            case Miss(reason):
                return await self._fill(mirror, plan, request, reason)
            case Pass(reason):
                return await self._pass(mirror, plan, request, reason)

    async def _known(self, plan: Plan, request: Request) -> tuple[Plan, Entry | None]:
        """What is stored for this request, and the plan for the key under which it is (RFC 9111 §4.1)."""
        entry = await self._outside.index.get(plan.key)
        if entry is not None or plan.rule.package:  # what varies stands under keys of its own
            return plan, entry
        async for batch in self._outside.index.scan(f"{plan.key} "):
            for other in batch:
                chosen = other.key == vary.key(plan.key, other.head, request)
                if chosen and (entry is None or other.head.received_at > entry.head.received_at):
                    entry = other
        return (plan, None) if entry is None else (replace(plan, key=entry.key), entry)

    async def _offline(self, plan: Plan, decision: Decision) -> Reply:
        if isinstance(decision, Hit | StaleHit | Revalidate):
            ttl = None if isinstance(decision, Revalidate) else whole(decision.ttl)
            reply = await self._stored(plan, decision.entry, Outcome(hit=True, ttl=ttl, detail="offline"))
            if reply is not None:
                return reply
        raise Offline(f"{plan.key} is not stored, and this mirror is set to stay offline")

    async def _stored(self, plan: Plan, entry: Entry, outcome: Outcome) -> Reply | None:
        """The stored answer; None when its bytes are not there any more, which makes it a miss."""
        blob = await self._outside.store.open(entry.blob)
        if blob is None:
            # 1. A reads the entry. 2. A fill replaces it and deletes its blob. 3. A opens. Only a stale row goes.
            if await self._outside.index.get(entry.key) == entry:
                log.warning("%s: its stored body is gone or damaged; fetched again", entry.key)
                await self._outside.index.delete(entry.key)
            return None
        self._outside.store.touch(entry.blob, self._outside.wall())
        return Reply(stored_head(plan, entry), entry.size, blob, outcome, digest=entry.digest)

    async def _fill(self, mirror: Mirror, plan: Plan, request: Request, reason: str) -> Reply:
        if not plan.rule.package and only_if_cached(request):
            raise Offline(f"{plan.key} is not stored, and the request wants nothing else")
        running = self._fills.get(plan.key) is not None
        if not running:
            plan = await self._lookups.resolve(mirror, plan)
            if request.method == "HEAD" and plan.rewrite is None:
                return await self._head(mirror, plan, reason)
        if not self._fills.shared(plan.key):
            return await self._pass(mirror, plan, request, reason)
        asked = Asked(mirror, plan, _plain(request), _range(mirror, request))
        fill = self._fills.start(asked)
        follower = fill.follow()
        try:
            opened = await follower.opened()
            same = plan.rule.package or _alike(opened, request, fill.asked.request)
            reply = await self._opened(plan, opened, follower, reason) if same else None
        except BaseException:
            await follower.close()
            raise
        if reply is not None:
            return reply
        await follower.close()
        return await self._pass(mirror, plan, request, reason, apart=isinstance(opened, Apart))

    async def _opened(self, plan: Plan, opened: Opened, follower: Follower, reason: str) -> Reply | None:
        """None: this client needs an answer of its own."""
        if isinstance(opened, Found):
            outcome = replace(opened.outcome, collapsed=not follower.first)
            reply = await self._stored(plan, opened.entry, outcome)
            await follower.close()
            return reply
        if isinstance(opened, Apart) or (opened.private and not follower.first):
            return None
        outcome = Outcome(
            fwd=reason,
            fwd_status=opened.answer.head.status,
            stored=opened.partial is not None,
            collapsed=not follower.first,
        )
        return Reply(opened.head, opened.total, follower, outcome)

    async def _head(self, mirror: Mirror, plan: Plan, reason: str) -> Reply:
        """HEAD on a cold cache: what GET would say, without its body."""
        origin = self._outside.origin
        answer = await origin.fetch(plan.urls, method="HEAD", headers=plan.send, auth=mirror.auth_for(plan.urls))
        await answer.aclose()
        length = answer.head.headers.get("content-length")
        total = int(length) if length and length.isascii() and length.isdigit() else plan.size
        head = client_head(plan, answer.head, total)
        return bodiless(head, total, Outcome(fwd=reason, fwd_status=answer.head.status))

    async def _pass(self, mirror: Mirror, plan: Plan, request: Request, reason: str, *, apart: bool = False) -> Reply:
        """The origin's own answer, for this client alone, never stored. `apart`: to its range, as the origin has it."""
        verbatim = apart or not plan.rule.package
        fields = Headers((*plan.send, *request.headers.only(CLIENT_CONDITIONS))) if verbatim else plan.send
        auth = mirror.auth_for(plan.urls)
        answer = await self._outside.origin.fetch(plan.urls, method=request.method, headers=fields, auth=auth)
        head = client_head(plan, answer.head, answer.length)
        part = answer.head.headers.get("content-range")
        if part is not None:
            head = replace(head, headers=head.headers.set("content-range", part))
        outcome = Outcome(fwd=reason, fwd_status=answer.head.status)
        return Reply(head, answer.length, Relayed(answer), outcome, verbatim=verbatim)

    async def _rewritten(self, plan: Plan, reply: Reply) -> Reply:
        """The document in the form that this client asked for."""
        rewrite = plan.rewrite
        if rewrite is None:
            return reply
        try:
            name = f"{plan.key} {reply.digest}" if reply.digest else ""
            made = self._documents.known(name, rewrite) if name else None
            if made is None:
                made = await self._documents.rewritten(name, rewrite, reply.source, reply.head.headers)
        except NoDocument as exc:
            log.warning("%s: %s", plan.key, exc)
            await self._outside.index.delete(plan.key)
            raise
        finally:
            await reply.source.close()
        head = rewritten_head(reply.head, made, etag(tag(made)), rewrite.vary)
        return in_memory(head, made.body, reply.outcome, reply.digest)

    async def _document(self, mirror: Mirror, request: Request) -> tuple[Plan, Entry]:
        """The entry of an index document, fetched when it is not stored; NotFound when the origin has none."""
        plan = PLANNERS[mirror.ecosystem](mirror, request)
        if isinstance(plan, Ready):
            raise NotFound(f"{request.path} is no document")
        reply = await self._carry_out(mirror, plan, request)
        try:
            async for piece in reply.source.read(0, None):  # to the end: then it is in the index
                del piece
        finally:
            await reply.source.close()
        entry = await self._outside.index.get(plan.key)
        if entry is None or entry.head.status != reply.head.status:
            raise _no_document(plan, reply)
        if entry.head.status in (404, 410):
            raise NotFound(f"{plan.key}: the origin has no such document")
        return plan, entry

    async def close(self) -> None:
        await self._lookups.close()
        self._documents.close()


def _no_document(plan: Plan, reply: Reply) -> MirrorError:
    return OriginError(f"{plan.key}: the origin answered {reply.head.status}, and it could not be stored")


def _alike(opened: Opened, request: Request, other: Request) -> bool:
    """Whether the answer to the other request, which caused the fill, is one to this request, too (RFC 9111 §4.1)."""
    if isinstance(opened, Apart):
        return True
    head = opened.entry.head if isinstance(opened, Found) else opened.head
    return request is other or vary.key("", head, request) == vary.key("", head, other)


def _plain(request: Request) -> Request:
    """The request as the key's fill makes it: what one client wants of the answer is not the others' concern."""
    return replace(request, method="GET", headers=request.headers.without(*CLIENT_CONDITIONS))


def _range(mirror: Mirror, request: Request) -> tuple[int, int | None] | None:
    """The range with which a cold object is begun, None for its beginning."""
    asked = wanted(request) if request.method == "GET" else None
    if asked is None or (asked[0] == 0 and (mirror.complete_ranges or asked[1] is None)):
        return None
    return asked
