"""How long a stored response is fresh: lifetime, age, and what remains (RFC 9111 §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from mirror.httpcache.fields import Directives, cache_control, delta_seconds, parse_date, targeted
from mirror.model import Entry, Head, Headers, Request, Rule

Source = Literal["rule", "max-age", "s-maxage", "expires", "heuristic", "immutable"]
"""Who says how long a response is fresh."""

CLOCK_SLACK = 60.0  # seconds that a clock may go back before what lies in its future is distrusted

# RFC 9110 §15.1: cacheable by default, so a heuristic lifetime is allowed (RFC 9111 §4.2.2).
HEURISTIC = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
NEGATIVE = frozenset({404, 410})


def directives(headers: Headers) -> Directives:
    """What a response says to us: CDN-Cache-Control where it is valid (RFC 9213 §2.2), else Cache-Control."""
    cdn = headers.get("cdn-cache-control")
    valid = targeted(cdn) if cdn is not None else None
    return valid if valid is not None else cache_control(headers.get("cache-control"))


def asked(request: Request) -> Directives:
    """What a client says: Cache-Control, or without one `Pragma: no-cache` (RFC 9111 §5.2.1, §5.4)."""
    text = request.headers.get("cache-control")
    if text is not None:
        return cache_control(text)
    pragma = request.headers.get("pragma")
    return Directives({"no-cache": None} if pragma and "no-cache" in cache_control(pragma) else {})


def ruled(status: int, rule: Rule) -> float | None:
    """The lifetime that the rule gives to a response of this status, in seconds; None where the origin's counts."""
    return rule.negative_ttl if status in NEGATIVE else rule.ttl


def lifetime(head: Head, rule: Rule) -> float:
    """The freshness lifetime in seconds: the rule's, else the origin's (RFC 9111 §4.2.1), else guessed (§4.2.2)."""
    overruled = ruled(head.status, rule)
    return overruled if overruled is not None else _granted(head, directives(head.headers))


def explicit(head: Head, rule: Rule, known: Directives) -> bool:
    """True where the rule or the origin says how long the response is fresh, and nobody has to guess (§4.2.1)."""
    if ruled(head.status, rule) is not None or "s-maxage" in known or "max-age" in known:
        return True
    return "expires" in head.headers and not known.targeted


def _granted(head: Head, known: Directives) -> float:
    """The lifetime that the origin granted, explicitly or by silence."""
    return _found(head, known)[1]


def _found(head: Head, known: Directives) -> tuple[Source, float]:
    """Where that stands, too."""
    names: tuple[Literal["s-maxage", "max-age"], ...] = ("s-maxage", "max-age")
    for name in names:
        seconds = known.seconds(name)
        if seconds is not None:
            return name, seconds
    expires = None if known.targeted else head.headers.get("expires")
    if expires is None:
        return "heuristic", _heuristic(head, known)
    # §5.3: what is no date, `0` or two lines, has expired.
    moment = parse_date(expires, head.received_at)
    return "expires", max(0.0, moment - _dated(head)) if moment is not None else 0.0


def _heuristic(head: Head, known: Directives) -> float:
    """10 % of the time since Last-Modified, where §4.2.2 allows a guess."""
    if head.status not in HEURISTIC and "public" not in known:
        return 0.0
    modified = parse_date(head.headers.get("last-modified"), head.received_at)
    return max(0.0, (_dated(head) - modified) / 10) if modified is not None else 0.0


def _dated(head: Head) -> float:
    """When the origin made the response: its Date, else the arrival (RFC 9110 §6.6.1)."""
    moment = parse_date(head.headers.get("date"), head.received_at)
    return moment if moment is not None else head.received_at


def age(head: Head, now: float) -> float:
    """The current age in seconds (RFC 9111 §4.2.3), never negative, whatever the clocks do.

    Of a list in Age the first value counts; what is not all digits is ignored (§5.1).
    """
    apparent = max(0.0, head.received_at - _dated(head))
    delay = max(0.0, head.received_at - abs(head.requested_at))
    told = delta_seconds((head.headers.get("age") or "").partition(",")[0].strip(" \t")) or 0
    return max(apparent, told + delay) + max(0.0, now - head.received_at)


def expire(head: Head, now: float) -> Head:
    """The head, stale from now on whatever any rule says (a soft purge); its age goes on. One that was made to expire
    before stays as it is: however often that is done, what is stale may stand in for no longer."""
    return head if expired(head) else replace(head, requested_at=-head.requested_at, received_at=now)


def expired(head: Head) -> bool:
    """True for a head that was made to expire."""
    return head.requested_at < 0


def ttl(entry: Entry, rule: Rule, now: float, known: Directives | None = None) -> float:
    """Seconds for which the entry is fresh yet; fresh only while positive (RFC 9111 §4.2), negative: stale for so long.

    `known` are the entry's directives where the caller has read them already: reading them costs most.

    Under a lifetime of the rule's the age counts from the arrival alone. More `now` never means more ttl, from
    `CLOCK_SLACK` before the arrival on. Earlier than that the clock has gone back, or was ahead when the entry came:
    nobody knows how old the entry is, so that the distance counts as its age, lest it stay fresh for years.
    """
    head = entry.head
    if expired(head):  # since then, or by itself before that
        came = -head.requested_at
        itself = replace(entry, head=replace(head, requested_at=came, received_at=came))
        return min(0.0, head.received_at - now, ttl(itself, rule, now, known))
    overruled = ruled(head.status, rule)
    if overruled is None:
        remaining = _granted(head, known or directives(head.headers)) - age(head, now)
    else:
        remaining = overruled - max(0.0, now - head.received_at)
    ahead = head.received_at - now
    return remaining if ahead <= CLOCK_SLACK else remaining - ahead


@dataclass(frozen=True, slots=True)
class Reckoned:
    """The terms of `ttl`, in seconds: what remains (negative: stale for so long) of `lifetime` after `age`, and where
    the lifetime comes from. `expired`: stale by an operator's word, whatever they say."""

    age: float
    lifetime: float
    ttl: float
    source: Source
    expired: bool


def reckoned(entry: Entry, rule: Rule, now: float) -> Reckoned:
    """How the freshness of this entry comes about."""
    head, remaining = entry.head, ttl(entry, rule, now)
    overruled = ruled(head.status, rule)
    if overruled is None:
        source, seconds = _found(head, directives(head.headers))
        return Reckoned(age(head, now), seconds, remaining, source, expired(head))
    since = max(0.0, now - head.received_at)
    return Reckoned(since, overruled, remaining, "immutable" if overruled == inf else "rule", expired(head))
