"""How a fill begins: asking the origin, and deciding what its head means for those who wait."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from mirror.errors import MirrorError, Mismatch, OriginError, OriginResting
from mirror.heads import client_head, validators
from mirror.httpcache import vary
from mirror.httpcache.conditional import chosen, offered, strong_validator
from mirror.httpcache.conditional import validators as conditional
from mirror.httpcache.decision import Freshen, Hit, Lend, Relay, Store, UseStale, after, failed
from mirror.httpcache.fields import content_range
from mirror.httpcache.freshness import NEGATIVE
from mirror.looking import look, stored
from mirror.model import Entry, Head, Headers, Plan
from mirror.opened import Apart, Asked, Opened, Streaming, Whole
from mirror.outside import Found, Outside
from mirror.parts import drop, missing, useless
from mirror.peeked import PEEK, peek
from mirror.ports import Answer, Interim, Note, Partial

log = logging.getLogger("mirror.fill")

FAILING = (429, 500, 502, 503, 504)

SMALL = 64 * 1024
"""Bytes of a body that is waited for, for a moment, so that it can be stored and given at once."""

PATIENCE = 0.005
"""Seconds of that moment."""


@dataclass(frozen=True, slots=True)
class Opening:
    """One question to the origin, on behalf of everybody who waits for the key. `useless`: URLs that are known not to
    have what is asked for, whatever they answer; `wrong`: that had other bytes than these."""

    outside: Outside
    asked: Asked
    interim: Interim | None = None
    useless: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)

    @property
    def plan(self) -> Plan:
        return self.asked.plan

    async def open(self) -> Opened:
        """Ask and decide. Raises OriginError when the origin fails and nothing stored may be served in its place."""
        if self.asked.given is not None:
            return await self._decide(self.asked.given, None)
        # 1. A asks, finds nothing. 2. B's fill for the key commits and leaves. 3. A starts a fill. Hence: look again.
        again = self.asked.again
        looked = await look(self.outside.index, self.plan, self.asked.request, self.outside.wall, again=again)
        decision = looked.decision
        if isinstance(decision, Hit):
            return Found(decision.entry, replace(stored(decision), collapsed=not self.asked.renew))
        known = getattr(decision, "entry", None)
        partial = None if known else await self._resumable()
        try:
            return await self._ask(known, partial)
        except OriginError as exc:
            stale = failed(self.plan, known, self.outside.wall(), self.asked.request)
            if stale is None:
                raise
            quiet = isinstance(exc, OriginResting)  # that was told when the rest began
            log.log(logging.INFO if quiet else logging.WARNING, "%s: %s; what is stored is served", self.plan.key, exc)
            return self.outside.stale(self.plan, stale)

    async def _resumable(self) -> Partial | None:
        """The kept partial of this key, if it is of this object still and can be gone on with."""
        partial = await self.outside.store.resume(self.plan.key)
        if partial is None:
            return None
        note = partial.note
        same = note.url in self.plan.urls or self.plan.digest is not None
        provable = bool(note.strong) or self.plan.digest is not None
        alike = self.plan.rule.package or note.variant == vary.key(self.plan.key, note.head, self.asked.request)
        if same and alike and provable and note.digest == self.plan.digest and next(iter(missing(partial)), None):
            return partial
        await partial.discard()
        await partial.close()
        return None

    async def _ask(self, known: Entry | None, partial: Partial | None) -> Opened:
        try:
            answer = await self._fetch(known, partial)
            if useless(answer, partial, self.asked.wanted, self.plan):
                await answer.aclose()
                await drop(partial)
                partial = None
                answer = await self._fetch(known, None, whole=True)
        except BaseException:
            if partial:
                await partial.keep()
                await partial.close()
            raise
        if answer.head.status == 206:
            return await self._part(answer, partial)
        if partial and answer.head.status in FAILING:  # says nothing of the object
            await partial.keep()
            await partial.close()
        else:
            await drop(partial)
        return await self._taken(answer, known)

    async def _taken(self, answer: Answer, known: Entry | None) -> Opened:
        """What the answer means; where it cannot be what was asked for, what another upstream's does, before a byte of
        it is out. That another has nothing is then no answer: one that is preferred may have it."""
        if answer.head.status in NEGATIVE and self.useless.intersection(self.plan.urls):
            await answer.aclose()
            raise OriginError(f"{self.plan.key}: who has it has something else, and the others have nothing")
        try:
            return await self._decide(answer, known, self.asked.others)
        except OriginError as exc:
            if isinstance(exc, Mismatch):
                self.wrong.add(answer.url)
            if len(self.plan.urls) == 1:
                raise
            failure = type(exc)(f"{urlsplit(answer.url).netloc.rpartition('@')[2]}: {exc}")
            self.useless.add(answer.url)
            if self.useless.issuperset(self.plan.urls):
                raise failure from exc
        log.warning("%s: %s; another upstream is asked", self.plan.key, failure)
        try:
            return await self._taken(await self._fetch(known, None, whole=True), known)
        except OriginError as exc:
            raise type(exc)(f"{failure}; {exc}") from exc

    def _urls(self) -> tuple[str, ...]:
        return tuple(url for url in self.plan.urls if url not in self.useless) or self.plan.urls

    async def _fetch(self, known: Entry | None, partial: Partial | None, *, whole: bool = False) -> Answer:
        fields = list(self.plan.send)
        if known:
            fields += list(conditional(known.validators))
        elif partial:
            begin, end = missing(partial)[0]
            fields.append(("range", f"bytes={begin}-{end - 1}"))
            told = partial.note.strong if len(self.plan.urls) == 1 or self.plan.digest is None else ""
            fields += [("if-range", told)] if told else []  # another upstream's validators may be others
        elif self.asked.wanted and not whole:
            fields.append(("range", self._range(*self.asked.wanted)))
        elif not whole and (tags := offered(self.asked.others)):
            fields.append(("if-none-match", tags))
        instead = self.plan.rule.package and self._may_fail(known)
        answer = await self._fetched(self._urls(), Headers(tuple(fields)), instead=instead)
        if answer.head.status in NEGATIVE and self.plan.alternates:
            await answer.aclose()
            return await self._fetched(self.plan.alternates, Headers(tuple(fields)), instead=instead)
        return answer

    async def _fetched(self, urls: tuple[str, ...], headers: Headers, *, instead: bool) -> Answer:
        route = self.asked.mirror.route(self.plan, self.asked.request)
        return await self.outside.origin.fetch(
            urls, headers=headers, route=route, interim=self.interim, instead=instead
        )

    def _may_fail(self, known: Entry | None) -> bool:
        """True where what is stored may be served in place of an answer."""
        return failed(self.plan, known, self.outside.wall(), self.asked.request) is not None

    def _range(self, start: int, end: int | None) -> str:
        if start < 0:
            return f"bytes={start}"
        last = "" if end is None or self.asked.mirror.complete_ranges else str(end - 1)
        return f"bytes={start}-{last}"

    async def _decide(self, answer: Answer, known: Entry | None, others: tuple[Entry, ...] = ()) -> Opened:
        """What a whole answer means (RFC 9111 §3, §4.3)."""
        if known is None and answer.head.status == 304:
            known = chosen(others, answer.head)
        now = self.outside.wall()
        decision = after(self.asked.request, self.plan, known, answer.head, now)
        if answer.head.status == 304 and not isinstance(
            decision, Freshen | Lend
        ):  # of another object than the stored one
            await answer.aclose()
            if known is None and not others:
                raise OriginError(f"{self.plan.key}: the origin answered 304 though nothing was asked about")
            return await self._decide(await self._fetch(None, None, whole=True), None)
        match decision:
            case Freshen() as fresh:
                await answer.aclose()
                known = known or fresh.entry
                return await self.outside.freshened(self.plan, self.asked.request, known, fresh, answer.head)
            case Lend() as lent:
                await answer.aclose()
                return self.outside.lent(lent, answer.head)
            case UseStale() as stale:
                await answer.aclose()
                log.warning("%s: the origin answered %d; what is stored is served", self.plan.key, answer.head.status)
                return self.outside.stale(self.plan, stale)
            case Relay(reason):
                log.debug("%s: not stored (%s)", self.plan.key, reason)
                total = answer.length
                head = client_head(self.plan, answer.head, total)
                return Streaming(head, answer, total, private=not self.plan.rule.package)
            case Store():
                return await self._whole(answer)

    async def _whole(self, answer: Answer) -> Streaming | Whole:
        try:
            body = await answer.arrived(SMALL, PATIENCE)
        except BaseException:
            await answer.aclose()
            raise
        if body is not None:
            await answer.aclose()
            return self._arrived(answer, body)
        if self.plan.check and answer.head.status == 200:
            answer, first = await peek(answer)
            try:
                self.plan.check(first, answer.head.headers)
            except MirrorError:
                await answer.aclose()
                raise
        good = answer.head.status == 200
        total = answer.length
        if good and total is not None and self.plan.size is not None and total != self.plan.size:
            await answer.aclose()
            raise Mismatch(f"{self.plan.key}: expected {self.plan.size} bytes, got {total} from {answer.url}")
        head = client_head(self.plan, answer.head, total)
        digest = self.plan.digest if good else None
        if not answer.delimited and digest is None:  # its end cannot be told from a broken connection
            return Streaming(head, answer, None, private=not self.plan.rule.package)
        partial = self.outside.store.create(self._note(answer, head, total))
        return Streaming(head, answer, total, 0, partial, self._random_access(answer, partial.note))

    def _arrived(self, answer: Answer, body: bytes) -> Whole:
        digest, name = None, self.plan.key
        if answer.head.status == 200:
            digest = self.plan.digest
            if self.plan.check:
                self.plan.check(body[:PEEK], answer.head.headers)
            if self.plan.size not in (None, len(body)):
                raise Mismatch(f"{name}: expected {self.plan.size} bytes, got {len(body)} from {answer.url}")
        if digest is not None:
            got = hashlib.new(digest.algorithm, body, usedforsecurity=False).hexdigest()
            if got != digest.value:
                raise Mismatch(f"{name}: expected {digest}, got {digest.algorithm}:{got} from {answer.url}")
        head = client_head(self.plan, answer.head, len(body))
        return Whole(head, answer, self._note(answer, head, len(body)), body)

    async def _part(self, answer: Answer, partial: Partial | None) -> Opened:
        """A 206: the missing bytes of a partial, or the beginning of a new one in the middle of the object."""
        found = content_range(answer.head.headers.get("content-range"))
        if partial is not None and found is not None:
            return Streaming(partial.note.head, answer, partial.note.total, found.start, partial, True)
        head = answer.head
        strong = strong_validator(head)
        if found is None or found.size is None:
            await answer.aclose()
            raise OriginError(f"{self.plan.key}: the origin answered a range that was not asked for")
        as_whole = replace(head, status=200, headers=head.headers.without("content-range"))
        storable = isinstance(after(self.asked.request, self.plan, None, as_whole, self.outside.wall()), Store)
        if not storable or (strong is None and self.plan.digest is None):
            await answer.aclose()
            return Apart()
        shown = client_head(self.plan, as_whole, found.size)
        created = self.outside.store.create(self._note(answer, shown, found.size))
        return Streaming(shown, answer, found.size, found.start, created, True)

    def _note(self, answer: Answer, head: Head, total: int | None) -> Note:
        strong = strong_validator(answer.head) or ""
        good = head.status == 200
        digest = self.plan.digest if good else None
        size = total if total is not None else (self.plan.size if good else None)
        known = (self.plan.key, answer.url, head, validators(answer.head))
        variant = "" if self.plan.rule.package else vary.key(self.plan.key, head, self.asked.request)
        return Note(*known, size, strong, digest, self.plan.tags, variant)

    def _random_access(self, answer: Answer, note: Note) -> bool:
        ranges = (answer.head.headers.get("accept-ranges") or "").lower() == "bytes"
        return ranges and note.total is not None and bool(note.strong or note.digest) and answer.length is not None
