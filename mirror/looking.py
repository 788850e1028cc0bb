"""The look at what is stored for a request, before anybody is asked; and what is told of an answer from there."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from mirror import variants
from mirror.errors import Offline
from mirror.httpcache.decision import Decision, Hit, Miss, Pass, Revalidate, StaleHit, before
from mirror.model import Entry, Plan, Request
from mirror.outcome import Outcome
from mirror.outside import whole
from mirror.ports import Clock, Index


@dataclass(frozen=True, slots=True)
class Looked:
    """`entry` is stored for this request; without one, `others` are for other requests to the same address. `at`: when
    that was decided (wall clock)."""

    entry: Entry | None
    others: tuple[Entry, ...]
    decision: Decision
    at: float

    @property
    def reason(self) -> str:
        """Why the origin is asked: the fwd of RFC 9211 §2.2; "" where it is not."""
        match self.decision:
            case Revalidate():
                return "stale"
            case Miss(reason):
                return "vary-miss" if self.others else reason
            case Pass(reason):
                return reason
            case Hit() | StaleHit():
                return ""


async def look(index: Index, plan: Plan, request: Request, wall: Clock, *, again: bool = False) -> Looked:
    """What is stored, and what to do with the request, given that. `again`: the origin is to be asked, unless what is
    stored never gets stale."""
    entry, others = await variants.find(index, plan, request)
    now = wall()
    decision = before(request, plan, entry, now)
    if again and isinstance(decision, Hit | StaleHit) and decision.ttl != inf:
        decision = Revalidate(decision.entry)
    return Looked(entry, others, decision, now)


def stored(decision: Hit | StaleHit) -> Outcome:
    """What becomes of a request that what is stored answers."""
    late = isinstance(decision, StaleHit)
    return Outcome(hit=True, ttl=min(-1, int(decision.ttl)) if late else whole(decision.ttl))


def offline(plan: Plan, decision: Decision) -> tuple[Entry, Outcome]:
    """What a mirror that asks nobody answers with; Offline where it has nothing."""
    if isinstance(decision, Hit | StaleHit | Revalidate):
        ttl = None if isinstance(decision, Revalidate) else whole(decision.ttl)
        return decision.entry, Outcome(hit=True, ttl=ttl, detail="offline")
    raise unstored(plan)


def unstored(plan: Plan) -> Offline:
    """Why a mirror that asks nobody has no answer."""
    return Offline(f"{plan.key} is not stored, and this mirror is set to stay offline")
