"""Documents as clients get them: read whole, proven, rewritten; the last good one where the new one is none."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial

from mirror.documents import Documents, parts, takes_gzip
from mirror.errors import OriginError, Unreadable
from mirror.heads import rewritten_head, varying
from mirror.httpcache.decision import failed
from mirror.lookup import Lookups
from mirror.model import Mirror, Plan, Request, Rewrite
from mirror.outside import Outside
from mirror.policy.artifact import Artifact, Verdict
from mirror.reply import InMemory, Reply, document

log = logging.getLogger("mirror.engine")


class Rewriting:
    """Makes of a reply with a document what the client asked for; see `Plan.rewrite` and `Plan.proof`."""

    def __init__(self, outside: Outside, documents: Documents, lookups: Lookups) -> None:
        self._outside = outside
        self._documents = documents
        self._lookups = lookups

    async def reply(self, mirror: Mirror, plan: Plan, request: Request, reply: Reply) -> Reply:
        """What this client gets; a document that breaks off, or is none, is as if the origin had failed.

        Raises OriginError where nothing stored may be served in its place.
        """
        if reply.head.status != 200:
            return replace(reply, head=varying(reply.head, plan.rewrite))
        try:
            return await self._made(mirror, plan, request, reply)
        except Unreadable:
            other = await reply.again(False) if reply.again is not None else None
            if other is None:
                raise
            return await self.reply(mirror, plan, request, other)
        except OriginError as exc:
            older = await self._older(plan, request, reply)
            if older is None:
                raise
            log.warning("%s: %s; what is stored is served", plan.key, exc)
            return await self._made(mirror, plan, request, older)

    async def _older(self, plan: Plan, request: Request, reply: Reply) -> Reply | None:
        """What is stored and may be served, unless that is what `reply` was."""
        entry = await self._outside.index.get(plan.key)
        if entry is not None and entry.digest == reply.digest:
            await self._outside.index.delete(plan.key)
            return None
        stale = failed(plan, entry, self._outside.wall(), request)
        if stale is None:
            return None
        found = self._outside.stale(plan, stale)
        return await self._outside.reply(plan, found.entry, found.outcome)

    async def _made(self, mirror: Mirror, plan: Plan, request: Request, reply: Reply) -> Reply:
        if plan.rewrite is None:
            return await self._proven(plan, reply)
        rewrite, now = _of(mirror, plan.rewrite), self._outside.wall()
        try:
            made = self._documents.known(plan.key, reply.digest, rewrite, now) if reply.digest else None
            if made is None:
                stored = bool(reply.digest) or reply.outcome.stored
                made = await self._documents.made(
                    *(plan.key, rewrite, reply.source, reply.head.headers),
                    stored=stored,
                    digest=reply.digest,
                    now=now,
                    seen=partial(self._seen, mirror, plan, rewrite, now) if rewrite is not plan.rewrite else None,
                )
        finally:
            await reply.source.close()
        if reply.lasting is not None and made.until < reply.lasting.until:
            reply = replace(reply, lasting=replace(reply.lasting, until=made.until))
        gzip = takes_gzip(request.headers)
        head = rewritten_head(reply.head, rewrite, made.content_type, made.digest, gzip=gzip)
        source = InMemory(made.packed) if gzip else made.plain()
        return document(reply, head, len(made.packed) if gzip else made.size, source)

    async def _seen(self, mirror: Mirror, plan: Plan, rewrite: Rewrite, now: float, digest: str) -> Rewrite:
        """The rewrite that leaves out what the gate refuses at `now`, and adds dates where that is wanted."""
        seen = {} if rewrite.listing else await self._lookups.seen(mirror, plan, rewrite.slots, digest)
        known = {"dates": seen.get} if mirror.dated and rewrite.dated else {}
        if not mirror.gate:
            return replace(rewrite, apply=partial(rewrite.apply, **known))

        def view(artifact: Artifact) -> Verdict:
            return mirror.gate.verdict(artifact, now)

        return replace(rewrite, apply=partial(rewrite.apply, view=view, seen=seen.get, **known))

    async def _proven(self, plan: Plan, reply: Reply) -> Reply:
        """The document whole; that of a hit was proven before it was stored."""
        if reply.digest or plan.proof is None:
            return reply
        try:
            body = b"".join(await parts(reply.source))
        finally:
            await reply.source.close()
        await asyncio.to_thread(plan.proof, body, reply.head.headers)
        return document(reply, reply.head, len(body), InMemory(body))


def _of(mirror: Mirror, rewrite: Rewrite) -> Rewrite:
    """The rewrite as it is remembered: what the gate lets through changes with its rules, and dates may be added."""
    gated = mirror.gate.fingerprint if mirror.gate and rewrite.judged else ""
    dated = "dated" if mirror.dated and rewrite.dated else ""
    return replace(rewrite, variant=f"{rewrite.variant} {gated} {dated}") if gated or dated else rewrite
