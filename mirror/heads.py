"""What clients see of an origin's head, and what is kept of it to ask the origin again. Pure."""

from __future__ import annotations

from dataclasses import replace

from mirror.httpcache.conditional import STRONG_AFTER
from mirror.httpcache.fields import format_date, parse_date
from mirror.model import Digest, Entry, Head, Headers, Plan, Rewrite

KEPT_OF_PACKAGES = ("content-type", "content-encoding", "date", "etag", "last-modified", "x-pypi-last-serial")
"""A package mirror hands on these fields of the origin and no others (no cookies, no cross-user state)."""

IMMUTABLE = "public, max-age=31536000, immutable"


def client_head(plan: Plan, head: Head, total: int | None, *, ours: bool = True) -> Head:
    """The head under which the body is stored and served; `total` is the body's length in bytes, None if unknown.
    Not `ours`: it is handed on alone, and the next one may be another."""
    headers = head.headers.without("content-length")
    if plan.rule.package:
        headers, head = _package(plan, headers, head, ours), replace(head, reason="")
    if "date" not in headers:  # RFC 9110 §6.6.1: who has a clock dates what has no date, by its arrival
        headers = headers.set("date", format_date(head.received_at))
    if total is not None:
        headers = headers.set("content-length", str(total))
    return replace(head, headers=headers)


def _package(plan: Plan, headers: Headers, head: Head, ours: bool) -> Headers:
    busy = head.status in (429, 503)
    headers = headers.only((*KEPT_OF_PACKAGES, "retry-after") if busy else KEPT_OF_PACKAGES)
    if plan.digest:  # what fits it is the file itself, whatever it is labelled
        headers = headers.without("content-encoding")
    if plan.content_type and head.status == 200:
        headers = headers.set("content-type", plan.content_type)
    if plan.digest and head.status == 200:
        headers = headers.set("etag", etag(plan.digest))
    if ours and "last-modified" not in headers and head.status == 200:
        # apt resumes by this date alone, and it must stay the same for the same bytes: when we first saw them, and long
        # enough before that to be a strong validator (RFC 9110 §8.8.2.2).
        headers = headers.set("last-modified", format_date(head.received_at - STRONG_AFTER))
    immutable = plan.rule.immutable and head.status == 200
    return headers.set("cache-control", IMMUTABLE if immutable else "no-cache")


def missing(head: Head) -> bool:
    """Whether the origin has no such document, and does not say so in JSON."""
    media_type = (head.headers.get("content-type") or "").partition(";")[0].strip().lower()
    return head.status in (404, 410) and not media_type.endswith(("/json", "+json"))


def etag(digest: Digest) -> str:
    """Our own strong entity tag for a body: the same after a restart, a refetch, on another node (RFC 9110 §8.8.3)."""
    return f'"{digest.algorithm}-{digest.value}"'


def validators(head: Head) -> Headers:
    """The origin's own validators, for conditional requests to it."""
    return head.headers.only(("etag", "last-modified"))


def stored_head(plan: Plan, entry: Entry) -> Head:
    """The head of a stored answer as this client gets it: on package mirrors never without an entity tag."""
    headers = entry.head.headers.set("content-length", str(entry.size))
    if plan.rule.package and entry.head.status == 200 and "etag" not in headers:
        headers = headers.set("etag", etag(Digest("sha256", entry.digest)))
    return replace(entry.head, headers=headers)


def same_validators(entry: Entry, older: Entry, *, ours: bool = True) -> Entry:
    """`entry` under the validators that clients know from `older`, when the bytes are the same, else under others: an
    origin without validators is asked for the whole again, and our clients still get their 304. `ours`: on a package
    mirror, where the fields are ours to choose."""
    if entry.digest != older.digest or entry.head.status != older.head.status:
        return _later(entry, older) if ours else entry
    headers = entry.head.headers
    for name in ("etag", "last-modified"):
        known = older.head.headers.get(name)
        if known is not None and name not in entry.validators:
            headers = headers.set(name, known)
    return replace(entry, head=replace(entry.head, headers=headers))


def _later(entry: Entry, older: Entry) -> Entry:
    """`entry` with a later Last-Modified than `older` has: clients that know a date alone must see that it is another,
    also where both came in one second."""
    before, now = (
        parse_date(each.head.headers.get("last-modified"), entry.head.received_at) for each in (older, entry)
    )
    if before is None or now is None or now > before:
        return entry
    headers = entry.head.headers.set("last-modified", format_date(before + 1))
    return replace(entry, head=replace(entry.head, headers=headers))


def rewritten_head(head: Head, rewrite: Rewrite, content_type: str, digest: Digest, *, gzip: bool) -> Head:
    """The head of a rewritten document, which that digest stands for: nothing of the origin's that describes its
    own bytes, and an entity tag for each coding (RFC 9110 §8.8.3.3)."""
    headers = head.headers.without("content-encoding", "content-length", "etag", "last-modified", "vary")
    tag = replace(digest, value=f"{digest.value}-gzip") if gzip else digest
    headers = headers.set("content-type", content_type).set("etag", etag(tag))
    if gzip:
        headers = headers.set("content-encoding", "gzip")
    return varying(replace(head, headers=headers), rewrite)


def varying(head: Head, rewrite: Rewrite | None) -> Head:
    """The head of an answer at an address where documents are rewritten: what it depends on."""
    if rewrite is None:
        return head
    known = "accept-encoding" in rewrite.vary.lower()
    return replace(
        head, headers=head.headers.set("vary", rewrite.vary if known else f"{rewrite.vary}, Accept-Encoding")
    )
