"""Whether a response may be stored for others (RFC 9111 §3), and why not."""

from __future__ import annotations

from http import HTTPStatus

from mirror.httpcache import vary
from mirror.httpcache.fields import Directives
from mirror.httpcache.freshness import HEURISTIC, NEGATIVE, asked, directives, explicit, lifetime
from mirror.model import Head, Plan, Request

_LAST = 599  # RFC 9110 §15: no status above it has a meaning
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
    reason = _unfit(plan, head, known) if plan.rule.package else _unstorable(request, plan, head, known)
    return reason or _not_for_all(plan, known)


def _unfit(plan: Plan, head: Head, known: Directives) -> str | None:
    if plan.digest is None and not plan.rule.public:
        for name in ("no-store", "private"):
            if name in known:
                return name
    wanted = head.status == 200 or (head.status in NEGATIVE and plan.rule.negative_ttl is not None)
    return None if wanted else "status"


def _unstorable(request: Request, plan: Plan, head: Head, known: Directives) -> str | None:
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
    return "status" if head.status > _LAST else _unspoken(plan, head, known)


def _unspoken(plan: Plan, head: Head, known: Directives) -> str | None:
    """Without a word of the origin's on freshness: only what may be guessed, and nothing that may be a session's."""
    if head.status not in HEURISTIC and lifetime(head, plan.rule) <= 0:
        return "status"
    # Stricter than §3: an origin that forgets to say `private` would have its sessions handed on.
    personal = "cookie" in plan.send or "set-cookie" in head.headers
    return "cookie" if personal and not explicit(head, plan.rule, known) else None


def _not_for_all(plan: Plan, known: Directives) -> str | None:
    """§3.5: what was fetched with a client's own credentials is shared only where the origin says so."""
    shared = any(name in known for name in _SHARED_IN_SPITE)
    return "authorization" if "authorization" in plan.send and not shared else None
