"""The two questions of a cache: what to do with a request before the origin is asked, and with its answer after."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TypeAlias

from mirror.httpcache import vary
from mirror.httpcache.conditional import contradicts, describes, renewed
from mirror.httpcache.fields import Directives, cache_control
from mirror.httpcache.freshness import NEGATIVE, age, asked, directives, expired, ttl
from mirror.httpcache.storing import refusal
from mirror.model import Entry, Head, Headers, Plan, Request, Rule

__all__ = [
    *("Answer", "Decision", "Freshen", "Hit", "Lend", "Miss", "Pass", "Relay", "Revalidate", "StaleHit", "Store"),
    *("UseStale", "after", "before", "failed", "merge", "only_if_cached", "strong_validator", "validators"),
]

VALIDATED_AGAIN_AFTER = 5.0  # seconds: how often a client may cause the validation of a fresh entry of a package mirror

_CACHED_METHODS = frozenset({"GET", "HEAD"})
_FAILING = frozenset({500, 502, 503, 504})  # RFC 5861 §4
_NEVER_STALE = ("must-revalidate", "proxy-revalidate", "s-maxage")  # RFC 9111 §4.2.4, §5.2.2.10


@dataclass(frozen=True, slots=True)
class Hit:
    """Serve the entry; `ttl` seconds of freshness remain (inf: for ever)."""

    entry: Entry
    ttl: float


@dataclass(frozen=True, slots=True)
class StaleHit:
    """Serve the entry, stale for `-ttl` seconds, and refresh it behind."""

    entry: Entry
    ttl: float


@dataclass(frozen=True, slots=True)
class Revalidate:
    """Ask the origin whether the entry is still right, then serve."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing stored can be used; `reason` is the fwd of RFC 9211 §2.2: uri-miss, vary-miss, miss or request."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pass:
    """Not for the cache: forward, and never store; `reason` is the fwd of RFC 9211 §2.2: bypass, method or request."""

    reason: str


@dataclass(frozen=True, slots=True)
class Freshen:
    """Put this entry, renewed by the origin's answer, in the place of the stored one, and serve it."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Lend:
    """Serve this entry, renewed by the origin's answer, to who asked alone; the stored one stays as it is.

    `reason` is why others may not have it: what the answer adds is this client's.
    """

    entry: Entry
    reason: str


@dataclass(frozen=True, slots=True)
class UseStale:
    """Serve the stored entry although the origin failed."""

    entry: Entry
    detail: str


@dataclass(frozen=True, slots=True)
class Relay:
    """Give the answer to who asked, and store nothing. A 304 that no client asked for: ask again without validators."""

    reason: str


@dataclass(frozen=True, slots=True)
class Store:
    """Store the answer once it is whole."""


Decision: TypeAlias = Hit | StaleHit | Revalidate | Miss | Pass
Answer: TypeAlias = Freshen | Lend | UseStale | Relay | Store


def before(request: Request, plan: Plan, entry: Entry | None, now: float) -> Decision:
    """What to do with a request, given what is stored under its key. `now` in POSIX seconds."""
    if not plan.rule.store:
        return Pass("bypass")
    if request.method not in _CACHED_METHODS:
        return Pass("method")
    # A package mirror's clients send directives by habit; only those of an `http` mirror's are commands.
    client = None if plan.rule.package else asked(request)
    if client is not None and "no-store" in client and "only-if-cached" not in client:
        return Pass("request")
    if entry is None:
        return Miss("uri-miss")
    if not _usable(plan, entry):
        return Miss("miss")
    if _proven(plan, entry):
        return Hit(entry, inf)
    if expired(entry.head):
        return Miss("request") if client is not None and "only-if-cached" in client else Revalidate(entry)
    return _package(request, plan, entry, now) if client is None else _shared(client, plan.rule, entry, now)


def _package(request: Request, plan: Plan, entry: Entry, now: float) -> Decision:
    rule = plan.rule
    remaining = ttl(entry, rule, now)
    if remaining == inf:
        return Hit(entry, remaining)
    if now - entry.head.received_at > VALIDATED_AGAIN_AFTER and _wants_validation(request, plan, entry, remaining):
        return Revalidate(entry)
    if remaining > 0:
        return Hit(entry, remaining)
    # What was not there is never said again from memory alone: it may have been published meanwhile.
    negative = entry.head.status in NEGATIVE
    return StaleHit(entry, remaining) if -remaining < rule.grace and not negative else Revalidate(entry)


def _wants_validation(request: Request, plan: Plan, entry: Entry, remaining: float) -> bool:
    """no-cache, or max-age=0, which some clients send by habit: not for that where what is fresh could only be fetched
    whole again, unless it is a release (APT)."""
    client = cache_control(request.headers.get("cache-control"))
    cheap = bool(entry.validators.pairs) or bool(plan.generation) or remaining <= 0
    return "no-cache" in client or (client.seconds("max-age") == 0 and cheap)


def _shared(client: Directives, rule: Rule, entry: Entry, now: float) -> Decision:
    """RFC 9111 §4, with the request directives of §5.2.1."""
    if vary.never(entry.head):
        return Miss("vary-miss")
    known = directives(entry.head.headers)
    remaining = ttl(entry, rule, now, known)
    if not _must_validate(client, known, entry, remaining, now):
        if remaining > 0:
            return Hit(entry, remaining)
        if _stale_allowed(client, known, -remaining):
            return StaleHit(entry, remaining)
    return Miss("request") if "only-if-cached" in client else Revalidate(entry)


def _must_validate(client: Directives, known: Directives, entry: Entry, remaining: float, now: float) -> bool:
    if "no-cache" in client or _not_from_memory(known):
        return True
    oldest, longest = client.seconds("max-age"), client.seconds("min-fresh")
    # RFC 8246 §2: a reload (max-age=0) need not validate what is immutable and fresh.
    if oldest is not None and not ("immutable" in known and remaining > 0) and age(entry.head, now) >= oldest:
        return True
    return longest is not None and remaining < longest


def _not_from_memory(known: Directives) -> bool:
    """no-cache (§5.2.2.4); or private and no-store, which an entry can get from a 304 after it was stored."""
    unshared = "private" in known or ("no-store" in known and "must-understand" not in known)
    return unshared or "no-cache" in known


def _stale_allowed(client: Directives, known: Directives, staleness: float) -> bool:
    """RFC 5861 §3 (stale-while-revalidate) and RFC 9111 §5.2.1.2 (max-stale), where §4.2.4 does not forbid it."""
    if any(name in known for name in _NEVER_STALE):
        return False
    if "max-stale" in client and client.arguments["max-stale"] is None:
        return True
    return staleness < max(client.seconds("max-stale") or 0, known.seconds("stale-while-revalidate") or 0)


def reusable(request: Request, plan: Plan, head: Head, now: float) -> bool:
    """Whether an answer that came before this request, and is still coming in, may be used for it without asking.

    Collapsed requests are no exception from RFC 9111 §4. On a package mirror the rule decides, and it is new.
    """
    if plan.rule.package:
        return True
    coming = Entry(plan.key, plan.urls[0], head, Headers(), "", 0, "")
    return isinstance(before(request, plan, coming, now), Hit | StaleHit)


def after(request: Request, plan: Plan, entry: Entry | None, head: Head, now: float) -> Answer:
    """What to do with the origin's answer to `request` (as it was sent: a HEAD's answer has no bytes to store).

    `entry` is the one whose validators were sent, or that could serve instead; None where there is none.
    """
    if not plan.rule.store:
        return Relay("bypass")
    if request.method not in _CACHED_METHODS:
        return Relay("method")
    if entry is not None and not _usable(plan, entry):
        entry = None
    if head.status == 304:
        return _confirmed(request, plan, entry, head)
    failing = head.status in _FAILING or (plan.rule.package and head.status == 429)
    if entry is not None and failing and _may_serve(request, plan, entry, now):
        return UseStale(entry, "stale-if-error")
    if request.method == "HEAD":
        return _renewed(request, plan, entry, head) if entry is not None and describes(entry, head) else Relay("head")
    reason = refusal(request, plan, head)
    return Relay(reason) if reason else Store()


def _confirmed(request: Request, plan: Plan, entry: Entry | None, head: Head) -> Answer:
    # A registry's 304 counts even where its gateway changes the ETag each time; `renewed` keeps the name of our bytes.
    if entry is None or (contradicts(entry, head) and not plan.rule.package):
        return Relay("304")
    return _renewed(request, plan, entry, head)


def _renewed(request: Request, plan: Plan, entry: Entry, head: Head) -> Freshen | Lend:
    if plan.rule.package:
        # What clients see of a package mirror's answer is ours; a 304 says no more than that it is still right.
        told = replace(entry.head, requested_at=head.requested_at, received_at=head.received_at)
        return Freshen(replace(entry, head=told))
    merged = renewed(entry, head)
    # What could not be stored as a 200 cannot be stored in two steps: a cookie, `private`, an answer to credentials.
    reason = refusal(request, plan, merged.head)
    return Lend(merged, reason) if reason else Freshen(merged)


def failed(plan: Plan, entry: Entry | None, now: float, request: Request) -> UseStale | None:
    """The entry to serve when the origin cannot be reached, is late or broke off; None where nothing may be."""
    if entry is None or not plan.rule.store or request.method not in _CACHED_METHODS or not _usable(plan, entry):
        return None
    return UseStale(entry, "stale-if-error") if _may_serve(request, plan, entry, now) else None


def only_if_cached(request: Request) -> bool:
    """True where the client would rather have a 504 than an answer from the origin (§5.2.1.7). For `http` mirrors."""
    return "only-if-cached" in asked(request)


def _usable(plan: Plan, entry: Entry) -> bool:
    """False where the entry holds other bytes than the plan wants, or came from an upstream that is none any more."""
    digest = plan.digest
    if digest is not None and digest.algorithm == "sha256" and entry.head.status not in NEGATIVE:
        return digest.value == entry.digest
    return not plan.urls or entry.url in plan.urls


def _proven(plan: Plan, entry: Entry) -> bool:
    digest = plan.digest
    return digest is not None and digest.algorithm == "sha256" and digest.value == entry.digest


def _may_serve(request: Request, plan: Plan, entry: Entry, now: float) -> bool:
    """Whether the entry may stand in for an origin that failed (RFC 9111 §4.2.4, RFC 5861 §4)."""
    remaining = ttl(entry, plan.rule, now)
    if plan.rule.package:
        # That an archive has no InRelease is how clients know that they have to ask for Release.
        window = 0.0 if entry.head.status in NEGATIVE and not plan.generation else plan.rule.keep
        return remaining > 0 or -remaining < window or _proven(plan, entry)
    known = directives(entry.head.headers)
    if "no-cache" in asked(request) or _not_from_memory(known):
        return False
    if entry.head.status >= 500 or any(name in known for name in _NEVER_STALE):
        return remaining > 0  # a stored failure is no better than the new one
    return remaining > 0 or -remaining < max(plan.rule.keep, known.seconds("stale-if-error") or 0)
