"""What is foreseen of a request, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from mirror.foreseeing import Foreseen
from mirror.httpcache.decision import Hit, Miss, Pass, Revalidate, StaleHit
from mirror.httpcache.freshness import NEGATIVE, Reckoned, expired, ttl
from mirror.model import Entry, Plan
from mirror.operations.reached import Upstream

_MISSES = {
    "uri-miss": "nothing is stored under its key",
    "vary-miss": "what is stored at this address is for other requests (Vary)",
    "miss": "what is stored has other bytes than are wanted now, or came from an upstream that is none any more",
    "request": "the request does not want what is stored",
}


def word(found: Foreseen) -> str:
    """The decision in a word."""
    if found.error is not None:
        return "error"
    if found.outcome is not None:
        return "stale hit" if found.outcome.x_cache == "STALE" else "hit"
    match found.decision:
        case Revalidate():
            return "revalidate"
        case Pass():
            return "pass"
        case _:
            return "miss"


def reason(found: Foreseen, plan: Plan, now: float) -> str:
    """Why, as a sentence."""
    if found.error is not None:
        return str(found.error)
    if found.outcome is not None:
        return _from_store(found, plan, now)
    said = [_asked(found, plan, now)]
    if found.learns:
        said.append(f"{' or '.join(found.learns)} is asked for first, which says where it is and what it must be")
    if found.fill is not None:
        said.append("a download of it runs already, which the request joins")
    if found.alone:
        said.append("its answers are for one client each, so that it gets one of its own")
    return "; ".join(said)


def _from_store(found: Foreseen, plan: Plan, now: float) -> str:
    if found.outcome is not None and found.outcome.detail == "generation":
        return "the newest release was refused, and is not looked at again yet: the one before is served"
    if found.outcome is not None and found.outcome.detail == "offline":
        return "it is stored, and this mirror asks nobody (offline)"
    if found.outcome is not None and found.outcome.detail == "frozen":
        return "it is the newest one that this mirror gave to clients by then, and has kept"
    match found.decision:
        case StaleHit(_, left):
            return f"it is stored and stale since {-left:.0f} s: it is served, and renewed behind the client"
        case Hit(_, left) if left != inf:
            return f"it is stored, and fresh for {left:.0f} s more"
    proven = plan.digest is not None and found.looked is not None and found.looked.entry is not None
    return "it is stored, and " + ("its digest is the one that is wanted" if proven else "it never gets stale")


def _asked(found: Foreseen, plan: Plan, now: float) -> str:
    match found.decision:
        case Revalidate(entry):
            return f"{_doubt(entry, plan, now)}: the upstream is asked whether it is right still"
        case Pass(why):
            return f"answers to this are never stored ({why}): the upstream's own goes to the client"
    if found.gone:
        return "it is stored, and its bytes are gone or damaged"
    assert found.looked is not None  # noqa: S101 - there is a decision
    why = found.looked.reason if isinstance(found.decision, Miss) else ""
    return _MISSES.get(why, why)


def _doubt(entry: Entry, plan: Plan, now: float) -> str:
    left = ttl(entry, plan.rule, now)
    if expired(entry.head):
        return f"it was made to expire {now - entry.head.received_at:.0f} s ago"
    if left > 0:
        return "it is stored and fresh, and its origin wants each use validated"
    if entry.head.status in NEGATIVE:
        return f"that there is nothing was stored, {-left:.0f} s too long ago to be said again unasked"
    return f"it is stored, and stale since {-left:.0f} s"


def resting(states: Sequence[Upstream], *, served: bool, package: bool) -> str:
    """What follows from upstreams left alone now; "" where one is asked. `served`: what is stored may stand in, and
    does so on a package mirror before one in trouble is asked."""
    spared = ("down", "busy") if served and package else ("down",)
    if not states or any(known.state not in spared or not known.resting for known in states):
        return ""
    soonest = min(known.resting for known in states)
    then = "what is stored is served (stale-if-error)" if served else "the answer is an error"
    return f"; no upstream is asked for {soonest:.0f} s ({states[0].error}): {then}"


def arithmetic(found: Reckoned) -> str:
    """How the freshness comes about."""
    if found.expired:
        return f"made to expire by an operator, {-found.ttl:.0f} s ago"
    if found.lifetime == inf:
        return f"immutable: {found.age:.0f} s old, and never stale"
    left = f"{found.ttl:.0f} s remain" if found.ttl > 0 else f"stale since {-found.ttl:.0f} s"
    whose = {
        "rule": "by this mirror's rule",
        "heuristic": "by a tenth of the time since Last-Modified (the origin says nothing)",
    }.get(found.source, f"by the origin's {found.source}")
    return f"{found.lifetime:.0f} s {whose} - {found.age:.0f} s old: {left}"
