"""Small requests, plans, heads and entries for the tests of the caching rules."""

from __future__ import annotations

from mirror.httpcache.fields import format_date
from mirror.model import Entry, Head, Headers, Plan, Request, Rule

NOW = 1_795_345_200.0  # Sun, 22 Nov 2026 11:00:00 GMT
URL = "https://upstream.test/x"
DIGEST = "ab" * 32


def date(offset: float = 0.0) -> str:
    return format_date(NOW + offset)


def request(method: str = "GET", **fields: str) -> Request:
    """A request; `if_none_match=...` is the field If-None-Match."""
    return Request(method, "/x", headers=headers(**fields))


def headers(**fields: str) -> Headers:
    return Headers(tuple((name.replace("_", "-"), value) for name, value in fields.items()))


def head(status: int = 200, at: float = NOW, /, **fields: str) -> Head:
    """A head that arrived at `at` without delay, with a Date of that moment unless `date` says otherwise."""
    given = {"date": format_date(at), **fields}
    return Head(status, headers(**{name: value for name, value in given.items() if value}), at, at)


def entry(status: int = 200, at: float = NOW, /, **fields: str) -> Entry:
    stored = head(status, at, **fields)
    validators = stored.headers.only(("etag", "last-modified"))
    return Entry("/m/x", URL, stored, validators, "blob-1", 10, DIGEST)


def plan(rule: Rule | None = None, **more: object) -> Plan:
    return Plan("/m/x", (URL,), rule or Rule(), **more)  # type: ignore[arg-type]
