"""One download of one key: how it begins, who reads it, when it pauses, how it is published. No client ends it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from mirror import variants
from mirror.body import Body
from mirror.errors import Changed, MirrorError, Mismatch, OriginError, OriginResting, StoreError
from mirror.follower import Follower
from mirror.heads import same_validators
from mirror.httpcache import vary
from mirror.httpcache.conditional import strong_validator
from mirror.model import Entry, Headers
from mirror.opening import Asked, Opened, Opening, Streaming
from mirror.outcome import Outcome
from mirror.outside import Found
from mirror.ports import Answer, Interim, Partial

if TYPE_CHECKING:
    from mirror.fills import Fills

__all__ = ["Asked", "Fill"]

log = logging.getLogger("mirror.fill")


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
        self.started = loop.time()
        self._fills = fills
        self._followers: set[Follower] = set()
        self._had = False
        self._satisfied = False
        self._linger: asyncio.TimerHandle | None = None
        if asked.renew:  # nobody need ever follow it
            self._wait_for_readers()
        self.task = loop.create_task(self._run(after))

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
            self._wait_for_readers()

    def _wait_for_readers(self) -> None:
        self._linger = asyncio.get_running_loop().call_later(self._fills.settings.linger, self._deserted)

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
        else:
            self.task.cancel()
            self._failed(OriginError(f"{self.key}: the download was given up"))  # it may be that it never began

    def _worth_finishing(self, body: Body) -> bool:
        if body.detached or not self.published:
            return False
        if self.asked.renew:
            return True
        if body.missing is None:
            return body.received.size <= self._fills.settings.finish
        if not body.eager:
            return False
        # Who got a range and left is no deserter: the rest is fetched behind it, as `complete_ranges` says.
        near = body.missing <= self._fills.settings.finish or body.missing <= body.received.size
        return near or self._satisfied

    async def _run(self, after: Fill | None) -> None:
        asked, outside = self.asked, self._fills.outside
        try:
            if after is not None:
                await asyncio.wait([after.task])
            opening = Opening(outside, asked, self._interim, self._fills.distrusted(asked.plan.urls))
            opened = await opening.open()
            if not isinstance(opened, Streaming):
                self.opened.set_result(opened)
                return
            await self._fetch(opened)
        except MirrorError as exc:
            quiet = self.pausing or isinstance(exc, OriginResting)  # that was told when the rest began
            log.log(logging.INFO if quiet else logging.WARNING, "%s: %s", self.key, exc)
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
            self._fills.ended(self)

    def _failed(self, exc: MirrorError) -> None:
        if self.body:
            self.body.fail(exc)
            if isinstance(exc, Mismatch):
                self._fills.distrust(self.body.segments.sources)
        if not self.opened.done():
            self.opened.set_exception(exc)
            self.opened.exception()  # it may be that nobody waits any more

    async def _fetch(self, opened: Streaming) -> None:
        body = self.body = self._body(opened)
        body.followers.update(self._followers)
        if opened.private:
            self._fills.unshare(self.key)
        else:
            self._fills.share(self.key)
        # An empty body has no last bytes to withhold; its head alone would look complete.
        empty = opened.total == 0 and body.digest is not None
        held = self._held(opened)
        if not (empty or held):
            self.opened.set_result(opened)
        try:
            if await body.run(opened.begin, self._end_of_part(opened)):
                entry = await self._publish(body)
            else:
                raise OriginError(f"{self.key}: the download was stopped")  # noqa: TRY301
        except BaseException:
            if body.partial is not None:
                await self._salvage(body, body.partial)
            raise
        finally:
            self._fills.retire(self, body)
        if held and entry is not None:
            outcome = Outcome(fwd="miss", fwd_status=opened.answer.head.status, stored=True)
            self.opened.set_result(Found(entry, outcome))
        elif empty or held:
            self.opened.set_result(opened)

    def _held(self, opened: Streaming) -> bool:
        """Whether nobody may have a byte before all is stored and accepted."""
        return bool(self.asked.plan.generation) and opened.head.status == 200

    def _end_of_part(self, opened: Streaming) -> int | None:
        if opened.answer.head.status != 206 or opened.answer.length is None:
            return None
        return opened.begin + opened.answer.length

    def _body(self, opened: Streaming) -> Body:
        note = opened.partial.note if opened.partial else None
        good = opened.head.status == 200
        body = Body(
            self.key,
            self._fills.settings,
            first=opened.answer,
            total=note.total if note else opened.total,
            partial=opened.partial,
            strong=note.strong if note else strong_validator(opened.answer.head) or "",
            digest=self.asked.plan.digest if good else None,
            random_access=opened.random_access,
            eager=self.asked.mirror.complete_ranges or self.asked.wanted is None,
            reopen=self._reopen,
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
        return await self._fills.outside.origin.fetch(urls, headers=fields, route=self.asked.mirror.route(plan))

    async def _salvage(self, body: Body, partial: Partial) -> None:
        """It ends here: what came so far is worth keeping where it can be gone on with."""
        if body.resumable and self.published and not isinstance(body.failed, Changed | Mismatch):
            await partial.keep()
        else:
            await partial.discard()

    async def _publish(self, body: Body) -> Entry | None:
        """Verified, stored, in the index: then, and not before, the last bytes may go. The entry, if there is one."""
        outside, partial = self._fills.outside, body.partial
        if partial is None or body.refused or body.total is None:
            if partial is not None:
                await partial.discard()
            body.release()
            return None
        if not self.asked.plan.rule.package:
            found = vary.key(self.key, partial.note.head, self.asked.request)
            partial.note = replace(partial.note, key=found or self.key)
        try:
            entry = await partial.commit(body.total, body.digest)
        except StoreError as exc:
            log.warning("%s: served and not stored: %s", self.key, exc)
            await partial.discard()
            body.release()
            return None
        if not self.published:
            await outside.store.delete(entry.blob)
        else:
            await self._accepted(entry)
            entry = await self._enter(entry)
        body.release()
        return entry if self.published else None

    async def _accepted(self, entry: Entry) -> None:
        try:
            if self.asked.plan.generation and entry.head.status == 200:
                await self._fills.accept(self.asked, entry)
        except BaseException:
            await self._fills.outside.store.delete(entry.blob)
            raise

    async def _enter(self, entry: Entry) -> Entry:
        outside = self._fills.outside
        older = await outside.index.get(self.key)
        replaced = older if entry.key == self.key else await outside.index.get(entry.key)
        if older is not None:
            entry = same_validators(entry, older)
        await outside.index.put(entry)
        if older is not None and older.key != entry.key:  # it did not vary, and does now
            await outside.index.delete(older.key)
        for blob in {known.blob for known in (older, replaced) if known is not None} - {entry.blob}:
            await self._release(entry.key, blob)
        if self.published:
            await self._fills.stored(self.asked, entry)
            return entry
        # 1. This looks the index up. 2. A purge goes through it. 3. This puts the entry.
        if await outside.index.get(entry.key) == entry:
            await outside.index.delete(entry.key)
        await outside.store.delete(entry.blob)
        return entry

    async def _release(self, key: str, blob: str) -> None:
        """Delete a blob that was replaced, unless another variant of the address is the same bytes."""
        outside = self._fills.outside
        if not self.asked.plan.rule.package:
            async for other in variants.stored(outside.index, variants.address(key)):
                if other.blob == blob:
                    return
        await outside.store.delete(blob)
