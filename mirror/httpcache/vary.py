"""Which request fields choose among the variants of a stored response (RFC 9111 §4.1)."""

from __future__ import annotations

import hashlib
import re

from mirror.httpcache.fields import split_list
from mirror.model import Head, Request

# Their values mean the same in any case (RFC 9110 §12.5.2-4); a media type's parameters may not.
_CASELESS = frozenset({"accept-charset", "accept-encoding", "accept-language"})
_AROUND = re.compile(r"[ \t]*([;=])[ \t]*")
_WEIGHT_ONE = re.compile(r";q=1(?:\.0{0,3})?$")
# No lists: a comma in them is text like any other.
_SINGLE = frozenset({"authorization", "cookie", "from", "host", "origin", "referer", "user-agent"})


def names(head: Head) -> tuple[str, ...] | None:
    """The fields that Vary names, lower case, sorted; () without Vary; None for `*`, which matches nothing, ever."""
    members = split_list((head.headers.get("vary") or "").lower())
    return None if "*" in members else tuple(sorted(set(members)))


def never(head: Head) -> bool:
    """True where Vary holds `*`: no request ever matches (`names` without its cost)."""
    return "*" in split_list(head.headers.get("vary") or "")


def signature(names: tuple[str, ...], request: Request) -> str:
    """The variant that a request asks for: 32 hex digits, "" where nothing varies. Equal means that §4.1 matches.

    Lines are joined; in lists, white space around commas and empty members do not count, the order does; absent equals
    absent and nothing else. A digest, because the fields may hold cookies and credentials, and the variant becomes
    part of a key.
    """
    if not names:
        return ""
    chosen = [(name, _normal(name, request.headers.get(name))) for name in sorted(set(names))]
    return hashlib.sha256(repr(chosen).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def key(plain: str, head: Head, request: Request) -> str:
    """The key under which the answer with this head to that request is stored: `plain`, or a variant's behind it.

    "" where Vary is `*`, which no request ever matches.
    """
    chosen = names(head)
    address = plain.partition(" ")[0]
    if chosen is None:
        return ""
    return f"{address} {signature(chosen, request)}" if chosen else address


def _normal(name: str, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    if name in _SINGLE:
        return (value,)
    if name not in _CASELESS:
        return tuple(split_list(value))
    # Their order says nothing, weights do (RFC 9110 §12.4.2, §12.5.4); the weight 1 is no weight.
    return tuple(sorted(_WEIGHT_ONE.sub("", _AROUND.sub(r"\1", member)) for member in split_list(value.lower())))
