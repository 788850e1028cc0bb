"""Requests that are answered from their key's fill: who may join it, and who needs an answer of its own."""

from __future__ import annotations

from dataclasses import replace

from mirror.errand import Errand
from mirror.fill import Asked, Fill
from mirror.fills import Fills
from mirror.follower import Follower
from mirror.forwarding import Forwarding
from mirror.httpcache import vary
from mirror.httpcache.decision import Hit, StaleHit, before, failed, reusable
from mirror.model import Request
from mirror.opened import Apart, Opened, Streaming, Whole
from mirror.outcome import Outcome
from mirror.outside import Found, Outside
from mirror.ports import Answer
from mirror.reply import Reply, Storing


class Joining:
    """Has a request follow the fill of its key, which is begun where there is none."""

    def __init__(self, outside: Outside, fills: Fills, forwarding: Forwarding) -> None:
        self._outside = outside
        self._fills = fills
        self._forwarding = forwarding

    def renew(self, errand: Errand) -> None:
        """Renew a stale answer behind the clients."""
        self._fills.start(Asked(errand.mirror, errand.plan, errand.plain(), renew=True))

    async def join(self, errand: Errand, reason: str, given: Answer | None = None) -> Reply | Apart | None:
        """The reply from the key's fill; Apart or None where this client needs an answer of its own.

        `given` is an answer of the origin to begin the fill with, where none is running.
        """
        known = (errand.mirror, errand.plan, errand.plain(), errand.range())
        asked = Asked(*known, others=errand.others, given=given, again=errand.hop.again)
        fill = self._fills.start(asked)
        told = fill.opened.done()  # its answer is older than this request
        follower = fill.follow(errand.hop.interim)
        try:
            opened = await follower.opened(errand.hop.when_left)
            if not follower.first:  # those who wait for one download learn of it at the same moment
                await self._fills.turnstile.turn()
            reply = await self._reply(errand, fill, opened, follower, reason, told=told)
        except BaseException:
            await follower.close()
            raise
        if not isinstance(reply, Reply) or reply.source is not follower:
            await follower.close()
        return reply

    async def _reply(
        self, errand: Errand, fill: Fill, opened: Opened, follower: Follower, reason: str, *, told: bool
    ) -> Reply | Apart | None:
        if isinstance(opened, Apart):
            return opened
        if not follower.first and not self._shared(errand, fill, opened):
            return None
        if isinstance(opened, Found):
            outcome = replace(opened.outcome, collapsed=not follower.first)
            return await self._outside.reply(errand.plan, opened.entry, outcome)
        if told and not reusable(errand.request, errand.plan, opened.head, self._outside.wall()):
            other = await self._forwarding.confirm(errand, opened.head, reason)
            if other is not None:
                return other
        outcome = _outcome(opened, follower, reason)
        if isinstance(opened, Whole):
            source = Storing(opened.body, opened.stored)
            return Reply(opened.head, len(opened.body), source, outcome, key=fill.key)
        return Reply(opened.head, opened.total, follower, outcome, key=fill.key)

    def _shared(self, errand: Errand, fill: Fill, opened: Found | Streaming | Whole) -> bool:
        """Whether what another's request brought is for this one, too."""
        if opened.private or not (errand.plan.rule.package or _alike(opened, errand.request, fill.asked.request)):
            return False
        if not isinstance(opened, Found) or not opened.outcome.hit:
            return True
        # Nobody was asked, or in vain: this request may want more, or take less (RFC 9111 §4.2.4, §5.2.1).
        now = self._outside.wall()
        decision = before(errand.request, errand.plan, opened.entry, now)
        return isinstance(decision, Hit | StaleHit) or bool(failed(errand.plan, opened.entry, now, errand.request))


def _outcome(opened: Streaming | Whole, follower: Follower, reason: str) -> Outcome:
    return Outcome(
        fwd=reason,
        fwd_status=opened.answer.head.status,
        stored=isinstance(opened, Whole) or opened.partial is not None,
        collapsed=not follower.first,
    )


def _alike(opened: Found | Streaming | Whole, request: Request, other: Request) -> bool:
    """Whether the answer to the other request, which caused the fill, is one to this request, too (RFC 9111 §4.1)."""
    head = opened.entry.head if isinstance(opened, Found) else opened.head
    return vary.key("", head, request) == vary.key("", head, other)
