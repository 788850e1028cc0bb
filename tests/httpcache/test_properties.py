"""What must hold for any request, rule, entry and moment."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.httpcache.decision import (
    Freshen,
    Hit,
    Miss,
    Pass,
    Relay,
    Revalidate,
    StaleHit,
    Store,
    UseStale,
    after,
    before,
    failed,
)
from mirror.httpcache.freshness import age, asked, directives, lifetime, ttl
from mirror.model import Digest, Entry, Head, Headers, Plan, Request, Rule
from tests.httpcache.builders import DIGEST, NOW, URL, date

SECONDS = st.sampled_from(["0", "1", "10", "100", "3600", "x", "-1", "9" * 20])
NAMED = ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error", "min-fresh", "max-stale"]
FLAGS = ["no-cache", "no-store", "private", "public", "must-revalidate", "proxy-revalidate", "immutable"]
ALONE = st.sampled_from([*FLAGS, "must-understand", "only-if-cached", "max-stale", 'x="no-store"'])
DIRECTIVES = st.lists(ALONE | st.builds("{}={}".format, st.sampled_from(NAMED), SECONDS), max_size=4).map(", ".join)
DATES = st.sampled_from([-100000, -1000, -100, -1, 0, 10, 1000]).map(date) | st.sampled_from(["0", "x", ""])
AGES = st.sampled_from(["0", "5", "100", "9" * 20, "x"])
TAGS = st.sampled_from(['"a"', 'W/"a"', '"b"', "bad"])

RESPONSE = st.fixed_dictionaries(
    {},
    optional={"cache-control": DIRECTIVES | st.text(), "cdn-cache-control": DIRECTIVES, "expires": DATES, "date": DATES}
    | {"last-modified": DATES, "age": AGES, "etag": TAGS, "vary": st.sampled_from(["accept", "*", "a, *"])},
).map(Headers.of)
ASKED = st.fixed_dictionaries(
    {},
    optional={"cache-control": DIRECTIVES | st.text(), "pragma": st.sampled_from(["no-cache", "x"])}
    | {"authorization": st.just("Basic eA=="), "if-none-match": TAGS},
).map(Headers.of)
SPANS = st.sampled_from([0.0, 1.0, 60.0, 3600.0, inf])
RULES = st.builds(
    Rule,
    ttl=st.none() | SPANS,
    grace=SPANS,
    keep=SPANS,
    negative_ttl=st.none() | SPANS,
    store=st.sampled_from([True] * 9 + [False]),
)
HTTP_RULES = RULES.map(lambda rule: replace(rule, ttl=None))
STATUSES = st.sampled_from([100, 200, 200, 200, 204, 206, 301, 302, 304, 404, 410, 429, 500, 501, 503, 599])
HEADS = st.builds(
    lambda status, fields, slow: Head(status, fields, NOW - slow, NOW), STATUSES, RESPONSE, st.floats(-5, 50)
)
ENTRIES = st.builds(
    lambda head, url: Entry("/m/x", url, head, head.headers.only(("etag", "last-modified")), "b", 10, DIGEST),
    HEADS,
    st.sampled_from([URL, URL, URL, "https://other.example.com/x"]),
)
DIGESTS = st.sampled_from(
    [None, None, Digest("sha256", DIGEST), Digest("sha256", "cd" * 32), Digest("sha512", "cd" * 64)]
)
PLANS = st.builds(lambda rule, digest: Plan("/m/x", (URL,), rule, digest=digest), RULES, DIGESTS)
REQUESTS = st.builds(
    lambda method, fields: Request(method, "/x", headers=fields), st.sampled_from(["GET", "GET", "HEAD", "POST"]), ASKED
)
LATER = st.sampled_from([0.0, 1.0, 5.5, 10.0, 59.0, 60.0, 100.0, 3600.0, 1e6, 1e9]) | st.floats(-60, 1e7)
RANK = {Hit: 0, StaleHit: 1, Revalidate: 2, Miss: 2, Pass: 2}


@settings(max_examples=400)
@given(REQUESTS, PLANS, st.none() | ENTRIES, st.floats(-1e12, 1e12))
def test_before_answers_anything(request: Request, plan: Plan, entry: Entry | None, now: float) -> None:
    decision = before(request, plan, entry, now)
    assert isinstance(decision, Hit | StaleHit | Revalidate | Miss | Pass)
    if isinstance(decision, Hit | StaleHit | Revalidate):
        assert decision.entry is entry


@settings(max_examples=400)
@given(REQUESTS, PLANS, st.none() | ENTRIES, HEADS, st.floats(-1e12, 1e12))
def test_after_answers_anything(request: Request, plan: Plan, entry: Entry | None, head: Head, now: float) -> None:
    answer = after(request, plan, entry, head, now)
    assert isinstance(answer, Freshen | UseStale | Relay | Store)
    if isinstance(answer, Store):
        assert request.method == "GET"
        assert plan.rule.store
        assert head.status >= 200
        assert head.status not in (206, 304)
    if isinstance(answer, Freshen):
        assert entry is not None
        assert (answer.entry.blob, answer.entry.head.status) == (entry.blob, entry.head.status)
        assert answer.entry.head.received_at == head.received_at
    if isinstance(answer, UseStale):
        assert answer == failed(plan, entry, now, request)


@settings(max_examples=400)
@given(REQUESTS, PLANS, ENTRIES, LATER, LATER)
def test_what_is_not_fresh_is_never_fresh_again(
    request: Request, plan: Plan, entry: Entry, one: float, other: float
) -> None:
    sooner, later = NOW + min(one, other), NOW + max(one, other)
    assert ttl(entry, plan.rule, later) <= ttl(entry, plan.rule, sooner)
    assert age(entry.head, later) >= age(entry.head, sooner) >= 0
    ranks = [RANK[type(before(request, plan, entry, now))] for now in (sooner, later)]
    assert ranks == sorted(ranks)


@settings(max_examples=600)
@given(REQUESTS, PLANS, ENTRIES, LATER)
def test_a_hit_is_fresh_or_proven_and_from_the_right_place(
    request: Request, plan: Plan, entry: Entry, later: float
) -> None:
    now = NOW + later
    proven = plan.digest == Digest("sha256", DIGEST)
    other_bytes = plan.digest == Digest("sha256", "cd" * 32) and entry.head.status not in (404, 410)
    allowed = plan.rule.store and request.method in ("GET", "HEAD") and not other_bytes
    right = proven or (ttl(entry, plan.rule, now) > 0 and (entry.url == URL or plan.digest is not None))
    if not (allowed and right):
        assert not isinstance(before(request, plan, entry, now), Hit)


@settings(max_examples=600)
@given(REQUESTS, HTTP_RULES, ENTRIES, LATER)
def test_an_http_mirror_never_reuses_what_may_not_be(request: Request, rule: Rule, entry: Entry, later: float) -> None:
    known, client = directives(entry.head.headers), asked(request)
    forbidden = (
        any(name in known for name in ("no-cache", "private"))
        or ("no-store" in known and "must-understand" not in known)
        or "no-cache" in client
        or ("no-store" in client and "only-if-cached" not in client)
        or "*" in (entry.head.headers.get("vary") or "")
    )
    decision = before(request, Plan("/m/x", (URL,), rule), entry, NOW + later)
    assert not (forbidden and isinstance(decision, Hit | StaleHit))
    if isinstance(decision, StaleHit):
        assert not {"must-revalidate", "proxy-revalidate", "s-maxage"} & set(known.arguments)
        assert "max-stale" in client or -decision.ttl < (known.seconds("stale-while-revalidate") or 0)


@settings(max_examples=600)
@given(REQUESTS, PLANS, HEADS)
def test_nothing_private_is_stored_unproven(request: Request, plan: Plan, head: Head) -> None:
    known = directives(head.headers)
    proven = plan.rule.package and plan.digest is not None
    unshared = "private" in known or ("no-store" in known and "must-understand" not in known)
    permitted = any(name in known for name in ("public", "must-revalidate", "s-maxage"))
    refused = not plan.rule.package and (
        "no-store" in asked(request) or ("authorization" in plan.send and not permitted)
    )
    if (unshared and not proven) or refused:
        assert after(request, plan, None, head, NOW) != Store()


@given(HEADS, RULES)
def test_a_lifetime_is_never_negative(head: Head, rule: Rule) -> None:
    assert lifetime(head, rule) >= 0
