"""Validation: what preconditions ask of an answer, and what a 304 changes in a stored one (RFC 9110 §13, 9111 §4.3)."""

from __future__ import annotations

from dataclasses import replace

from mirror.httpcache.fields import (
    end_to_end,
    entity_tag,
    entity_tags,
    format_date,
    parse_date,
    same_strongly,
    same_weakly,
)
from mirror.model import Entry, Head, Headers, Request

_WHOLE, _NOT_MODIFIED, _FAILED = 200, 304, 412

# RFC 9110 §15.4.5: what a 304 has to carry; Last-Modified only where no ETag says the same.
_IN_304 = frozenset({"cache-control", "content-location", "date", "etag", "expires", "vary"})

# They describe the stored bytes, and a 304 has none (RFC 9111 §3.2): never taken from it ...
_OF_THE_BYTES = frozenset(
    {"content-digest", "content-encoding", "content-length", "content-md5", "content-range", "digest", "repr-digest"}
)
# ... and these only where nothing is stored: the bytes keep their name, and the key its variant.
_OF_THE_ENTRY = frozenset({"etag", "vary"})
# They tell when a response was made, and so belong to the newer one alone.
_OF_THE_MOMENT = frozenset({"age", "date"})

_OFFERED = 16  # tags in one If-None-Match: a field that every origin takes
STRONG_AFTER = 60  # seconds, RFC 9110 §8.8.2.2 with room for clocks that differ


def evaluate(request: Request, status: int, headers: Headers, now: float) -> int:
    """304 or 412 as the request's preconditions ask of a stored answer, 200: send the answer as it is.

    In the order of RFC 9110 §13.2.2. Only a 200 to GET or HEAD is tested (§13.2.1, RFC 9111 §4.3.2). `now`, in POSIX
    seconds, is for the two-digit years of old dates alone.
    """
    if status != _WHOLE or request.method not in ("GET", "HEAD"):
        return _WHOLE
    if not _still_the_same(request, headers, now):
        return _FAILED
    return _NOT_MODIFIED if _not_newer(request, headers, now) else _WHOLE


def _still_the_same(request: Request, headers: Headers, now: float) -> bool:
    """If-Match, or else If-Unmodified-Since (RFC 9110 §13.1.1, §13.1.4); True where neither can be tested."""
    wanted = request.headers.get("if-match")
    if wanted is not None:
        tag = entity_tag(headers.get("etag"))
        return wanted == "*" or (tag is not None and any(same_strongly(tag, other) for other in entity_tags(wanted)))
    since = parse_date(request.headers.get("if-unmodified-since"), now)
    modified = parse_date(headers.get("last-modified"), now)
    return since is None or modified is None or modified <= since


def _not_newer(request: Request, headers: Headers, now: float) -> bool:
    """If-None-Match, or else If-Modified-Since (RFC 9110 §13.1.2, §13.1.3): True where the client has this answer."""
    known = request.headers.get("if-none-match")
    if known is not None:
        text = headers.get("etag")
        tag = entity_tag(text)
        # What is no entity-tag (unquoted, `w/`) is the origin's own fault; sent back as it was, it is still the same.
        return known in ("*", text) or (
            tag is not None and any(same_weakly(tag, other) for other in entity_tags(known))
        )
    since = parse_date(request.headers.get("if-modified-since"), now)
    # RFC 9111 §4.3.2: without Last-Modified the response's Date.
    modified = parse_date(headers.get("last-modified") or headers.get("date"), now)
    return since is not None and modified is not None and modified <= since


def not_modified(headers: Headers) -> Headers:
    """The fields of a stored answer that a 304 for it carries (RFC 9110 §15.4.5)."""
    return headers.only(_IN_304 if "etag" in headers else _IN_304 | {"last-modified"})


def validators(known: Headers) -> Headers:
    """The conditional fields to ask the origin with whether what has these validators is still right, verbatim.

    RFC 9111 §4.3.1.
    """
    pairs = (("if-none-match", known.get("etag")), ("if-modified-since", known.get("last-modified")))
    return Headers(tuple((name, value) for name, value in pairs if value))


def offered(entries: tuple[Entry, ...]) -> str:
    """An If-None-Match with which the origin may choose one of several stored variants (RFC 9111 §4.3.1), or "".

    The newest that have a tag, each tag once.
    """
    newest = sorted(entries, key=lambda entry: entry.head.received_at, reverse=True)
    tags = [tag for entry in newest if (tag := entity_tag(entry.validators.get("etag")))]
    return ", ".join(list(dict.fromkeys(tags))[:_OFFERED])


def chosen(entries: tuple[Entry, ...], head: Head) -> Entry | None:
    """The variant that a 304 names, the newest of several (RFC 9111 §4.3.4); None where it names none."""
    told = entity_tag(head.headers.get("etag"))
    named = [e for e in entries if told and same_weakly(told, entity_tag(e.validators.get("etag")) or "")]
    return max(named, key=lambda entry: entry.head.received_at, default=None)


def strong_validator(head: Head) -> str | None:
    """The value for If-Range: a strong ETag, else a Last-Modified at least 60 s older than Date (RFC 9110 §13.1.5)."""
    tag = head.headers.get("etag")
    if tag is not None:
        return tag if entity_tag(tag) and not tag.startswith("W/") else None
    text = head.headers.get("last-modified")
    modified = parse_date(text, head.received_at)
    dated = parse_date(head.headers.get("date"), head.received_at)
    return text if modified is not None and dated is not None and dated - modified >= STRONG_AFTER else None


def merge(stored: Headers, fresh: Headers) -> Headers:
    """Stored fields as a 304 (or a HEAD's 200) renews them: each of its fields replaces theirs (RFC 9111 §4.3.4).

    Kept is what describes the bytes, the stored ETag and Vary, and what the 304 omits, except Age and Date, which are
    of the older moment. Hop-by-hop fields of the 304 are dropped.
    """
    kept_anyway = _OF_THE_BYTES | {name for name in _OF_THE_ENTRY if name in stored}
    renewed = end_to_end(fresh).without(*kept_anyway)
    replaced = _OF_THE_MOMENT | {name for name, _ in renewed}
    return Headers((*stored.without(*replaced), *renewed))


def renewed(entry: Entry, head: Head) -> Entry:
    """The entry after the origin confirmed it with this head: fields merged, freshness restarted (RFC 9111 §4.3.4)."""
    headers = merge(entry.head.headers, head.headers)
    if "date" not in headers:  # RFC 9110 §6.6.1: a recipient with a clock dates what has no date by its arrival
        headers = headers.set("date", format_date(head.received_at))
    # What named the bytes so far goes on naming them; the answer may only add a name.
    added = head.headers.only({"etag", "last-modified"}).without(*(name for name, _ in entry.validators))
    return replace(
        entry,
        head=replace(entry.head, headers=headers, requested_at=head.requested_at, received_at=head.received_at),
        validators=Headers((*entry.validators, *added)),
    )


def contradicts(entry: Entry, head: Head) -> bool:
    """True where a 304 names another representation than the entry's: it must not renew it (RFC 9111 §4.3.4)."""
    told, known = entity_tag(head.headers.get("etag")), entity_tag(entry.validators.get("etag"))
    return told is not None and known is not None and not same_weakly(told, known)


def disproves(entry: Entry, head: Head) -> bool:
    """True where the 200 to a HEAD shows that the entry is not what the origin has now (RFC 9111 §4.3.5)."""
    return head.status == entry.head.status == 200 and not describes(entry, head)


def describes(entry: Entry, head: Head) -> bool:
    """True where the 200 to a HEAD is about the entry's bytes, by at least one validator (RFC 9111 §4.3.5)."""
    told = head.headers.only({"etag", "last-modified"})
    lengths = head.headers.all("content-length")
    return (
        head.status == entry.head.status == 200
        and bool(told.pairs)
        and all(entry.validators.get(name) == value for name, value in told)
        and all(length == str(entry.size) for length in lengths)
    )
