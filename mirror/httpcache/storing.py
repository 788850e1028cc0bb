"""Whether a response may be stored for others (RFC 9111 §3), and why not."""

from __future__ import annotations

from http import HTTPStatus

from mirror.httpcache import vary
from mirror.httpcache.fields import Directives
from mirror.httpcache.freshness import HEURISTIC, NEGATIVE, asked, directives, lifetime
from mirror.model import Head, Plan, Request, Rule

_UNDERSTOOD = frozenset(int(status) for status in HTTPStatus)  # RFC 9111 §5.2.2.3
_SHARED_IN_SPITE = ("public", "must-revalidate", "s-maxage")  # RFC 9111 §3.5


def refusal(request: Request, plan: Plan, head: Head) -> str | None:
    """The reason (one word) why the answer to a GET is not stored; None: it may be.

    On an `http` mirror by RFC 9111 §3. On a package mirror the rule decides: 200, and 404 and 410 where they have a
    ttl; `private` and `no-store` mean "do not share" unless a digest says that the bytes are public.
    """
    known = directives(head.headers)
    if head.status < 200:
        return "interim"
    if head.status == 206:
        return "partial"  # may fill a hole of an entry, but is none itself
    reason = _unfit(plan, head, known) if plan.rule.package else _unstorable(request, plan.rule, head, known)
    return reason or _not_for_all(request, plan, known)


def _unfit(plan: Plan, head: Head, known: Directives) -> str | None:
    if plan.digest is None:
        for name in ("no-store", "private"):
            if name in known:
                return name
    wanted = head.status == 200 or (head.status in NEGATIVE and plan.rule.negative_ttl is not None)
    return None if wanted else "status"


def _unstorable(request: Request, rule: Rule, head: Head, known: Directives) -> str | None:
    if "no-store" in asked(request):
        return "request"
    if "must-understand" in known:
        # §5.2.2.3: who understands the status may ignore the no-store beside it.
        if head.status not in _UNDERSTOOD:
            return "status"
    elif "no-store" in known:
        return "no-store"
    if "private" in known:
        return "private"
    if vary.never(head):
        return "vary"  # §4.1: it would never match again
    return None if head.status in HEURISTIC or lifetime(head, rule) > 0 else "status"


def _not_for_all(request: Request, plan: Plan, known: Directives) -> str | None:
    """§3.5: what was fetched with a client's own credentials is shared only where the origin says so."""
    forwarded = "authorization" in request.headers and (not plan.rule.package or "authorization" in plan.send)
    return "authorization" if forwarded and not any(name in known for name in _SHARED_IN_SPITE) else None
