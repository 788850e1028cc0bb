"""One download of one key: how it begins, who reads it, when it pauses, how it is published. No client ends it."""

from __future__ import annotations

import asyncio
import logging
import weakref
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from mirror.body import Body
from mirror.errors import Changed, MirrorError, Mismatch, OriginError, OriginResting, forget
from mirror.follower import Follower
from mirror.httpcache.conditional import strong_validator
from mirror.model import Entry, Head, Headers
from mirror.opened import FAULTS, Asked, Opened, Streaming, Whole
from mirror.opening import Opening
from mirror.outcome import Outcome
from mirror.outside import Found
from mirror.ports import Answer, Interim, Partial
from mirror.publishing import publish, publish_whole

if TYPE_CHECKING:
    from mirror.fills import Fills

__all__ = ["Asked", "Fill"]

log = logging.getLogger("mirror.fill")

_HELD = 64 << 20
"""Bytes kept in memory of what cannot be stored, and nobody may read before it is whole."""


class Fill:
    """One download of one key. `opened` tells those who wait how it began; `body` then has the bytes."""

    def __init__(self, fills: Fills, asked: Asked, after: Fill | None) -> None:
        loop = asyncio.get_running_loop()
        self.asked = asked
        self.key = asked.plan.key
        self.opened: asyncio.Future[Opened] = loop.create_future()
        self.body: Body | None = None
        self.pausing = False
        self.published = True
        self.begun = False  # its turn has come
        self.held = False  # nobody may have a byte before all is stored and accepted
        self.accepting = False
        self.placing = False  # it is here, and being stored
        self.useless = False  # its origin failed: who waited is told, and nobody wants what it sends
        self.started = loop.time()
        self.kept = 0  # bytes that were on disk already, from an earlier download of it
        self._counted = fills.outside.counters.of(asked.mirror.name)
        self.fills = fills
        self._followers: set[Follower] = set()
        self._had = False
        self._satisfied = False
        self._linger: asyncio.TimerHandle | None = None
        if asked.renew:  # nobody need ever follow it
            self._wait_for_readers()
        self.task = loop.create_task(self._run(after))

    @property
    def over(self) -> bool:
        """It has failed: who comes now must not get what those who waited got."""
        return self.useless or (self.body is not None and self.body.failed is not None)

    @property
    def followers(self) -> int:
        """How many read it, or wait for it to begin."""
        return len(self._followers)

    def follow(self, interim: Interim | None = None) -> Follower:
        """One more reader, registered before it waits for anything; `interim` is told of interim responses."""
        follower = Follower(self, first=not self._had and not self.asked.renew, interim=interim)
        self._had = True
        self._followers.add(follower)
        if self.body:
            self.body.followers.add(follower)
        if self._linger:
            self._linger.cancel()
            self._linger = None
        self.fills.deserted.discard(self)
        return follower

    def _interim(self, status: int, headers: Headers) -> None:
        for follower in tuple(self._followers):
            if follower.interim is not None:
                follower.interim(status, headers)

    def left(self, follower: Follower) -> None:
        """A reader has gone; when it was the last, the fill goes on alone only where that is worth it."""
        self._followers.discard(follower)
        self._satisfied = self._satisfied or follower.satisfied
        if self.body:
            self.body.followers.discard(follower)
            self.body.moved()
            self.body.reconsider()
        if not self._followers and not self._linger and not self.task.done():
            # A storm of those who leave at once would have us fetch for nobody.
            if (follower.gone and not self.begun) or len(self.fills.deserted) >= self.fills.settings.deserted:
                return self.stop()
            self.fills.deserted.add(self)
            self._wait_for_readers()
        return None

    def _wait_for_readers(self) -> None:
        self._linger = asyncio.get_running_loop().call_later(self.fills.settings.linger, self._deserted)

    def _deserted(self) -> None:
        self._linger = None
        if self.task.done():
            return
        if self.body is not None and not self._worth_finishing(self.body):
            self.stop()
        else:
            self._wait_for_readers()

    def stop(self) -> None:
        """Stop where it is; what can be gone on with later is kept."""
        self.pausing = True
        if self.body is not None:
            self.body.pause()
        if (self.body is None and not self.placing) or self.accepting:
            self.task.cancel()
            self._failed(OriginError(f"{self.key}: the download was given up"))  # it may be that it never began

    def _worth_finishing(self, body: Body) -> bool:
        if body.detached or not self.published:
            return False
        if self.asked.renew:
            return True
        if body.missing is None:
            return body.received.size <= self.fills.settings.finish
        if not body.eager:
            return False
        # Who got a range and left is no deserter: the rest is fetched behind it, as `complete_ranges` says.
        near = body.missing <= self.fills.settings.finish or body.missing <= body.received.size
        return near or self._satisfied

    async def _run(self, after: Fill | None) -> None:
        asked, outside = self.asked, self.fills.outside
        try:
            if after is not None and not after.useless:  # of such a one there is nothing on disk
                await asyncio.wait([after.task])
            await self.fills.turnstile.turn()
            self.begun = True
            opening = Opening(outside, asked, self._interim, self.fills.distrusted(asked.plan.urls))
            try:
                opened = await opening.open()
            finally:
                for url in opening.wrong:
                    self._counted.refuted()
                    self.fills.distrust([url])
            match opened:
                case Streaming():
                    await self._fetch(opened)
                case Whole():
                    await self._place(opened)
                case _:
                    self.opened.set_result(opened)
        except MirrorError as exc:
            quiet = self.pausing or isinstance(exc, OriginResting)  # that was told when the rest began
            log.log(logging.INFO if quiet else logging.WARNING, "%s: %s", self.key, exc)
            forget(exc)
            self._failed(exc)
        except BaseException as exc:
            if not isinstance(exc, asyncio.CancelledError):
                log.exception("%s: the fill broke", self.key)
            self._failed(OriginError(f"{self.key}: the download was given up"))
            raise
        finally:
            if self._linger:
                self._linger.cancel()
            if not self.published:
                # 1. A purge disowns this fill and forgets partials. 2. It keeps its own, as it was about to.
                await outside.store.forget(lambda key: key == self.key)
            self.fills.ended(self)

    def _failed(self, exc: MirrorError) -> None:
        if self.body:
            self.body.fail(exc)
            if isinstance(exc, Mismatch):
                self._counted.refuted()
                self.fills.distrust(self.body.segments.sources)
        if not self.opened.done():
            self.opened.set_exception(exc)
            self.opened.exception()  # it may be that nobody waits any more

    def _is_held(self, head: Head) -> bool:
        return bool(self.asked.plan.generation) and 200 <= head.status < 300

    async def _place(self, opened: Whole) -> None:
        self.held = self._is_held(opened.head)
        self.fills.share(self.key)
        self.placing = True
        # Nothing can be wrong with it any more, so its head may go; that of an empty one alone would look complete.
        if self.asked.plan.proven and opened.body and not self.held:
            self.opened.set_result(opened)
        try:
            entry = await publish_whole(self, opened)
        finally:
            self.placing = False
            opened.stored.set()
        if not self.opened.done():
            self.opened.set_result(_adopted(entry, opened) if self.held and entry is not None else opened)

    async def _fetch(self, opened: Streaming) -> None:
        held = self.held = self._is_held(opened.head)
        body = self.body = self._body(opened)
        self.kept = body.received.size
        self.useless = body.partial is None and self.asked.plan.rule.package and opened.head.status in FAULTS
        body.followers.update(self._followers)
        if opened.private:
            self.fills.unshare(self.key)
        else:
            self.fills.share(self.key)
        # An empty body has no last bytes to withhold; its head alone would look complete.
        empty = opened.total == 0 and not (body.digest is None and self.asked.plan.proven)
        if not (empty or held):
            self.opened.set_result(opened)
        try:
            if await body.run(opened.begin, self._end_of_part(opened)):
                entry = await publish(self, body)
            else:
                raise OriginError(f"{self.key}: the download was stopped")  # noqa: TRY301
        except BaseException:
            if body.partial is not None:
                await self._salvage(body, body.partial)
            raise
        finally:
            self.fills.retire(self, body)
        if held and entry is not None:
            self.opened.set_result(_adopted(entry, opened))
        elif empty or held:
            self.opened.set_result(opened)

    def _end_of_part(self, opened: Streaming) -> int | None:
        if opened.answer.head.status != 206 or opened.answer.length is None:
            return None
        return opened.begin + opened.answer.length

    def _body(self, opened: Streaming) -> Body:
        note = opened.partial.note if opened.partial else None
        good, settings = opened.head.status == 200, self.fills.settings
        body = Body(
            self.key,
            replace(settings, ring=_HELD) if self.held else settings,
            first=opened.answer,
            total=note.total if note else opened.total,
            partial=opened.partial,
            strong=note.strong if note else strong_validator(opened.answer.head) or "",
            digest=self.asked.plan.digest if good else None,
            random_access=opened.random_access,
            eager=self.asked.mirror.complete_ranges or self.asked.wanted is None,
            reopen=partial(Fill._reopen, weakref.proxy(self)),  # which has the body
        )
        if note and body.received.size:
            body.segments.sources.add(note.url)
        return body

    async def _reopen(self, at: int, limit: int | None) -> Answer:
        """A connection that goes on at byte `at`; whether it does is the segment's to check."""
        plan, body = self.asked.plan, self.body
        fields = plan.send.without("range", "if-range")
        # A range of what nothing ties to the bytes before could be of another object: then all is fetched and compared.
        if (at or limit is not None) and body and (body.strong or body.digest):
            last = "" if limit is None else str(limit - 1)
            fields = Headers((*fields, ("range", f"bytes={at}-{last}")))
            if body.strong and not (body.digest and len(plan.urls) > 1):  # another upstream's validators may be others
                fields = fields.set("if-range", body.strong)
        there = plan.urls if body is None or body.first.url in plan.urls else plan.alternates
        urls = body.segments.preferred(there) if body else there
        return await self.fills.outside.origin.fetch(
            urls, headers=fields, route=self.asked.mirror.route(plan, self.asked.request)
        )

    async def _salvage(self, body: Body, partial: Partial) -> None:
        """It ends here: what came so far is worth keeping where it can be gone on with."""
        if body.resumable and self.published and not isinstance(body.failed, Changed | Mismatch):
            await partial.keep()
        else:
            await partial.discard()


def _adopted(entry: Entry, opened: Streaming | Whole) -> Found:
    """What was held back is stored and accepted."""
    return Found(entry, Outcome(fwd="miss", fwd_status=opened.answer.head.status, stored=True))
