"""Any request, rule, plan, head, entry and moment, for the tests of what must always hold."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from hypothesis import strategies as st

from mirror.model import Digest, Entry, Head, Headers, Plan, Request, Rule
from tests.httpcache.builders import DIGEST, NOW, URL, date

OTHER_DIGEST = "cd" * 32

SECONDS = st.sampled_from(["0", "1", "10", "100", "3600", "x", "-1", "9" * 20])
NAMED = ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error", "min-fresh", "max-stale"]
FLAGS = ["no-cache", "no-store", "private", "public", "must-revalidate", "proxy-revalidate", "immutable"]
ALONE = st.sampled_from([*FLAGS, "must-understand", "only-if-cached", "max-stale", 'x="no-store"'])
DIRECTIVES = st.lists(ALONE | st.builds("{}={}".format, st.sampled_from(NAMED), SECONDS), max_size=4).map(", ".join)
DATES = st.sampled_from([-100000, -1000, -100, -1, 0, 10, 1000]).map(date) | st.sampled_from(
    ["0", "x", "", "Sunday, 22-Nov-26 10:59:00 GMT", "Sun Nov 22 10:59:00 2026"]
)
AGES = st.sampled_from(["0", "5", "100", "9" * 20, "x"])
TAGS = st.sampled_from(['"a"', 'W/"a"', '"b"', "bad"])
LOCATIONS = st.sampled_from(["/y", URL, "https://other.example.com/y", "//[", "#"])

RESPONSE = st.fixed_dictionaries(
    {},
    optional={"cache-control": DIRECTIVES | st.text(), "cdn-cache-control": DIRECTIVES, "expires": DATES, "date": DATES}
    | {"last-modified": DATES, "age": AGES, "etag": TAGS, "vary": st.sampled_from(["accept", "*", "a, *"])}
    | {"set-cookie": st.just("a=b"), "content-length": st.sampled_from(["10", "11"]), "content-location": LOCATIONS},
).map(Headers.of)
ASKED = st.fixed_dictionaries(
    {},
    optional={"cache-control": DIRECTIVES | st.text(), "pragma": st.sampled_from(["no-cache", "x"])}
    | {"authorization": st.just("Basic eA=="), "if-none-match": TAGS, "accept": st.sampled_from(["a", "b"])},
).map(Headers.of)
SENT = st.fixed_dictionaries(
    {}, optional={"authorization": st.just("Basic eA=="), "cookie": st.just("a=b"), "accept": st.just("a")}
).map(Headers.of)

SPANS = st.sampled_from([0.0, 1.0, 60.0, 3600.0, inf])
RULES = st.builds(
    Rule,
    ttl=st.none() | SPANS,
    grace=SPANS,
    keep=SPANS,
    negative_ttl=st.none() | SPANS,
    store=st.sampled_from([True] * 9 + [False]),
    package=st.booleans(),
)
HTTP_RULES = RULES.map(lambda rule: replace(rule, package=False))
DIGESTS = st.sampled_from(
    [None, None, Digest("sha256", DIGEST), Digest("sha256", OTHER_DIGEST), Digest("sha512", "cd" * 64)]
)
PLANS = st.builds(lambda rule, digest, send: Plan("/m/x", (URL,), rule, send, digest), RULES, DIGESTS, SENT)
HTTP_PLANS = st.builds(lambda rule, send: Plan("/m/x", (URL,), rule, send), HTTP_RULES, SENT)

STATUSES = st.sampled_from([100, 200, 200, 200, 204, 206, 301, 302, 304, 404, 410, 429, 500, 501, 503, 599, 600])
HEADS = st.builds(
    lambda status, fields, slow: Head(status, fields, NOW - slow, NOW), STATUSES, RESPONSE, st.floats(-5, 50)
)
PLACES = st.sampled_from([URL, URL, URL, "https://other.example.com/x"])


def _entry(head: Head, url: str) -> Entry:
    return Entry("/m/x", url, head, head.headers.only(("etag", "last-modified")), "b", 10, DIGEST)


ENTRIES = st.builds(_entry, HEADS, PLACES)
MADE_TO_EXPIRE = ENTRIES.map(lambda entry: replace(entry, head=replace(entry.head, requested_at=-NOW)))
REQUESTS = st.builds(
    lambda method, fields: Request(method, "/x", headers=fields), st.sampled_from(["GET", "GET", "HEAD", "POST"]), ASKED
)
LATER = st.sampled_from([0.0, 1.0, 5.5, 10.0, 59.0, 60.0, 100.0, 3600.0, 1e6, 1e9]) | st.floats(-60, 1e7)
CLOCKS = st.floats(-1e12, 1e12)
