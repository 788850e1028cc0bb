"""What goes to the origin past the fills: other methods, HEAD, what is one client's alone; and what follows from it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from functools import partial

from mirror import variants
from mirror.errand import CONDITIONS, Errand
from mirror.errors import OriginError, StoreError
from mirror.fills import Fills
from mirror.heads import client_head, validators
from mirror.httpcache.conditional import disproves
from mirror.httpcache.conditional import validators as conditional
from mirror.httpcache.decision import Freshen, Lend, Relay, Store, UseStale, after, failed
from mirror.httpcache.freshness import NEGATIVE, expire
from mirror.httpcache.invalidation import invalidates, targets
from mirror.limited import Limited
from mirror.model import Head, Headers, Mirror
from mirror.outcome import Outcome
from mirror.outside import Found, Outside
from mirror.ports import Answer, Upload
from mirror.reply import Relayed, Reply

log = logging.getLogger("mirror.forwarding")


class Forwarding:
    """Asks origins on behalf of one client."""

    def __init__(self, outside: Outside, fills: Fills) -> None:
        self._outside = outside
        self._fills = fills

    async def ask(self, errand: Errand, *, verbatim: bool) -> Answer:
        """The origin's own answer. `verbatim`: to the client's conditions and range, too.

        What a successful unsafe request may have changed is not served again (RFC 9111 §4.4).
        """
        conditions = errand.request.headers.only(CONDITIONS) if verbatim else Headers()
        answer = await self._fetch(errand, errand.request.method, conditions)
        if invalidates(errand.request.method, answer.head.status):
            try:
                await self._invalidate(errand.mirror, targets(answer.url, answer.head.headers))
            except BaseException:
                await answer.aclose()
                raise
        return answer

    async def validate(self, errand: Errand) -> Found | Answer:
        """Whether what is stored is right still, or the origin's answer; of a HEAD with what that means for the stored
        answer to a GET (RFC 9111 §4.3.5)."""
        plan, entry = errand.plan, errand.entry
        method = "HEAD" if errand.request.method == "HEAD" else "GET"
        try:
            answer = await self._fetch(errand, method, conditional(entry.validators) if entry else Headers())
        except OriginError as exc:
            stale = failed(plan, entry, self._outside.wall(), errand.request)
            if stale is None:
                raise
            log.warning("%s: %s; what is stored is served", plan.key, exc)
            return self._outside.stale(plan, stale)
        try:
            found = await self._decided(errand, answer.head)
        except BaseException:
            await answer.aclose()
            raise
        if found is None:
            return answer
        await answer.aclose()
        return found

    async def _decided(self, errand: Errand, told: Head) -> Found | None:
        plan, entry, now = errand.plan, errand.entry, self._outside.wall()
        decided = after(errand.request, plan, entry, told, now)
        if entry is None:
            return None
        match decided:
            case Freshen() as fresh:
                return await self._outside.freshened(plan, errand.request, entry, fresh, told)
            case Lend() as lent:
                return self._outside.lent(lent, told)
            case UseStale() as stale:
                return self._outside.stale(plan, stale)
            case Relay() | Store():
                refuted = errand.request.method == "HEAD" and disproves(entry, told)
                if refuted and await self._outside.index.get(entry.key) == entry:
                    await self._outside.index.put(replace(entry, head=expire(entry.head, now)))
                return None

    async def confirm(self, errand: Errand, head: Head, reason: str) -> Reply | None:
        """Ask whether an answer that is still coming, and may not be used unasked, is right: None; else what is."""
        asked = replace(errand, request=errand.plain())
        answer = await self._fetch(asked, "GET", conditional(validators(head)))
        if answer.head.status == 304:
            await answer.aclose()
            return None
        return relayed(errand, answer, reason, verbatim=False)

    async def _fetch(self, errand: Errand, method: str, conditions: Headers) -> Answer:
        plan, upload = errand.plan, errand.hop.upload
        limited = Limited(upload, plan.most) if upload is not None and plan.most is not None else None
        sent = limited.upload if limited is not None else upload
        if sent is not None and plan.tells is not None:
            sent = await _told(plan.tells, sent, errand.request.headers)
        fetch = partial(
            self._outside.origin.fetch,
            method=method,
            headers=Headers((*plan.send, *conditions)),
            route=errand.mirror.route(plan, errand.request),
            upload=sent,
            interim=errand.hop.interim,
        )
        try:
            answer = await fetch(plan.urls)
        except OriginError as exc:
            if limited is not None and limited.exceeded:  # that is why it broke off
                raise limited.exceeded from exc
            raise
        if answer.head.status in NEGATIVE and plan.alternates:
            await answer.aclose()
            return await fetch(plan.alternates)
        return answer

    async def _invalidate(self, mirror: Mirror, urls: Iterable[str]) -> None:
        """Forget what is stored under these addresses of the origin, and publish no download of them."""
        bases = [(f"{upstream}/", len(upstream)) for upstream in mirror.upstreams]
        found = {f"/{mirror.name}{url[size:]}" for url in urls for base, size in bases if url.startswith(base)}
        self._fills.disown(lambda key: variants.address(key) in found)
        try:
            for address in found:
                for entry in await self._outside.index.under(address):
                    await self._outside.index.delete(entry.key)
                    await self._outside.store.delete(entry.blob)
            await self._outside.store.forget(lambda key: variants.address(key) in found)
        except StoreError as exc:  # the origin has acted: the client gets its answer all the same
            log.warning("%s: what is stored could not be invalidated: %s", ", ".join(found), exc)


async def _told(tells: Callable[[bytes, Headers], bytes], upload: Upload, headers: Headers) -> Upload:
    """What of a request's body goes to the origin."""
    body = await asyncio.to_thread(tells, b"".join([chunk async for chunk in upload.chunks]), headers)

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    return Upload(len(body), chunks())


def relayed(errand: Errand, answer: Answer, reason: str, *, verbatim: bool) -> Reply:
    """The reply that hands an origin's answer on. `verbatim`: conditions and range were the origin's to judge."""
    head_only = errand.request.method == "HEAD"
    length = _announced(answer.head, errand.plan.size) if head_only else answer.length
    head = client_head(errand.plan, answer.head, length, ours=False)
    part = answer.head.headers.get("content-range")
    if part is not None:
        head = replace(head, headers=head.headers.set("content-range", part))
    outcome = Outcome(fwd=reason, fwd_status=answer.head.status)
    return Reply(head, length, Relayed(answer), outcome, verbatim=verbatim, key=errand.plan.key)


def _announced(head: Head, known: int | None) -> int | None:
    """The Content-Length that a GET would have: what the HEAD says, else what is `known`."""
    length = head.headers.get("content-length")
    return int(length) if length and length.isascii() and length.isdigit() else known
