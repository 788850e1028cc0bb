"""What must hold of the two questions for any request, rule, entry and moment."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.httpcache.decision import (
    Freshen,
    Hit,
    Lend,
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
    reusable,
)
from mirror.httpcache.freshness import age, asked, directives, explicit, lifetime, ttl
from mirror.model import Digest, Entry, Head, Plan, Request, Rule
from tests.httpcache.builders import DIGEST, NOW, URL
from tests.httpcache.strategies import (
    CLOCKS,
    ENTRIES,
    HEADS,
    HTTP_PLANS,
    LATER,
    MADE_TO_EXPIRE,
    OTHER_DIGEST,
    PLANS,
    REQUESTS,
    RULES,
)

RANK = {Hit: 0, StaleHit: 1, Revalidate: 2, Miss: 2, Pass: 2}
PERMITTED = {"public", "must-revalidate", "s-maxage"}
STALE_FORBIDDEN = {"must-revalidate", "proxy-revalidate", "s-maxage"}


def not_for_others(head: Head) -> bool:
    """What the origin said means: never again without asking (RFC 9111 §5.2.2.3, §5.2.2.5, §5.2.2.7)."""
    known = directives(head.headers)
    return "private" in known or ("no-store" in known and "must-understand" not in known)


class TestTotal:
    """RFC 9111 §4, §3: both questions have an answer, whatever is asked."""

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @settings(max_examples=150)
    @given(REQUESTS, PLANS, st.none() | ENTRIES, CLOCKS)
    def test_before_answers_anything(self, request: Request, plan: Plan, entry: Entry | None, now: float) -> None:
        decision = before(request, plan, entry, now)
        assert isinstance(decision, Hit | StaleHit | Revalidate | Miss | Pass)
        if isinstance(decision, Hit | StaleHit | Revalidate):
            assert decision.entry is entry

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @settings(max_examples=150)
    @given(REQUESTS, PLANS, st.none() | ENTRIES, HEADS, CLOCKS)
    def test_after_answers_anything(
        self, request: Request, plan: Plan, entry: Entry | None, head: Head, now: float
    ) -> None:
        answer = after(request, plan, entry, head, now)
        assert isinstance(answer, Freshen | Lend | UseStale | Relay | Store)
        if isinstance(answer, Freshen | Lend):
            assert entry is not None
            assert (answer.entry.blob, answer.entry.head.status) == (entry.blob, entry.head.status)
            assert answer.entry.head.received_at == head.received_at
        if isinstance(answer, UseStale):
            assert answer == failed(plan, entry, now, request)

    @given(HEADS, RULES)
    def test_a_lifetime_is_never_negative(self, head: Head, rule: Rule) -> None:
        assert lifetime(head, rule) >= 0


class TestMonotonicInTime:
    """RFC 9111 §4.2: what was fresh grows stale, and never the other way round."""

    @settings(max_examples=150)
    @given(REQUESTS, PLANS, ENTRIES, LATER, LATER)
    def test_what_is_not_fresh_is_never_fresh_again(
        self, request: Request, plan: Plan, entry: Entry, one: float, other: float
    ) -> None:
        sooner, later = NOW + min(one, other), NOW + max(one, other)
        assert ttl(entry, plan.rule, later) <= ttl(entry, plan.rule, sooner)
        assert age(entry.head, later) >= age(entry.head, sooner) >= 0
        ranks = [RANK[type(before(request, plan, entry, now))] for now in (sooner, later)]
        assert ranks == sorted(ranks)

    @settings(max_examples=150)
    @given(REQUESTS, PLANS, ENTRIES, LATER, LATER)
    def test_what_may_not_stand_in_for_the_origin_never_may_again(
        self, request: Request, plan: Plan, entry: Entry, one: float, other: float
    ) -> None:
        sooner, later = NOW + min(one, other), NOW + max(one, other)
        if failed(plan, entry, sooner, request) is None:
            assert failed(plan, entry, later, request) is None

    @given(REQUESTS, PLANS, MADE_TO_EXPIRE, CLOCKS)
    def test_what_was_made_to_expire_is_no_hit_at_any_time(
        self, request: Request, plan: Plan, entry: Entry, now: float
    ) -> None:
        decision = before(request, plan, entry, now)
        proven = plan.digest == Digest("sha256", DIGEST)
        assert proven or not isinstance(decision, Hit | StaleHit)


class TestWhatIsReused:
    """RFC 9111 §4."""

    @settings(max_examples=150)
    @given(REQUESTS, PLANS, ENTRIES, LATER)
    def test_a_hit_is_fresh_or_proven_and_from_the_right_place(
        self, request: Request, plan: Plan, entry: Entry, later: float
    ) -> None:
        now = NOW + later
        proven = plan.digest == Digest("sha256", DIGEST)
        other_bytes = plan.digest == Digest("sha256", OTHER_DIGEST) and entry.head.status not in (404, 410)
        allowed = plan.rule.store and request.method in ("GET", "HEAD") and not other_bytes
        right = proven or (ttl(entry, plan.rule, now) > 0 and (entry.url == URL or plan.digest is not None))
        if not (allowed and right):
            assert not isinstance(before(request, plan, entry, now), Hit)

    @settings(max_examples=150)
    @given(REQUESTS, HTTP_PLANS, ENTRIES, LATER)
    def test_an_http_mirror_never_reuses_what_may_not_be(
        self, request: Request, plan: Plan, entry: Entry, later: float
    ) -> None:
        known, client = directives(entry.head.headers), asked(request)
        forbidden = (
            not_for_others(entry.head)
            or "no-cache" in known
            or "no-cache" in client
            or ("no-store" in client and "only-if-cached" not in client)
            or "*" in (entry.head.headers.get("vary") or "")
        )
        decision = before(request, plan, entry, NOW + later)
        assert not (forbidden and isinstance(decision, Hit | StaleHit))
        assert not (forbidden and reusable(request, plan, entry.head, NOW + later))
        if isinstance(decision, StaleHit):
            assert not STALE_FORBIDDEN & set(known.arguments)
            assert "max-stale" in client or -decision.ttl < (known.seconds("stale-while-revalidate") or 0)

    @settings(max_examples=150)
    @given(REQUESTS, HTTP_PLANS, ENTRIES, HEADS, LATER)
    def test_an_http_mirror_never_stands_in_against_the_origins_word(
        self, request: Request, plan: Plan, entry: Entry, head: Head, later: float
    ) -> None:
        now, known = NOW + later, directives(entry.head.headers)
        expired = ttl(entry, plan.rule, now) <= 0
        if not_for_others(entry.head) or "no-cache" in known or (expired and STALE_FORBIDDEN & set(known.arguments)):
            assert failed(plan, entry, now, request) is None
            assert not isinstance(after(request, plan, entry, head, now), UseStale)


class TestWhatIsStored:
    """RFC 9111 §3, §3.5."""

    @settings(max_examples=150)
    @given(REQUESTS, PLANS, st.none() | ENTRIES, HEADS)
    def test_never_what_no_mirror_may_store(
        self, request: Request, plan: Plan, entry: Entry | None, head: Head
    ) -> None:
        permitted = PERMITTED & set(directives(head.headers).arguments)
        if (
            request.method != "GET"
            or not plan.rule.store
            or head.status < 200
            or head.status in (206, 304)
            or ("authorization" in plan.send and not permitted)
            or (not_for_others(head) and not (plan.rule.package and plan.digest is not None))
        ):
            assert after(request, plan, entry, head, NOW) != Store()

    @settings(max_examples=150)
    @given(REQUESTS, HTTP_PLANS, HEADS)
    def test_never_what_an_http_mirror_may_not_store(self, request: Request, plan: Plan, head: Head) -> None:
        told = explicit(head, plan.rule, directives(head.headers))
        personal = "cookie" in plan.send or "set-cookie" in head.headers
        if (
            "no-store" in asked(request)
            or "*" in (head.headers.get("vary") or "")
            or head.status >= 600
            or (personal and not told)
            or (head.status in (302, 429, 500, 503, 599) and lifetime(head, plan.rule) <= 0)
        ):
            assert after(request, plan, None, head, NOW) != Store()

    @settings(max_examples=150)
    @given(REQUESTS, HTTP_PLANS, ENTRIES, HEADS)
    def test_never_in_two_steps_what_may_not_be_in_one(
        self, request: Request, plan: Plan, entry: Entry, head: Head
    ) -> None:
        """RFC 9111 §4.3.4: a 304, and a HEAD's 200, renew what is stored for others only where they may say so."""
        for told in (replace(head, status=304), head):
            answer = after(request, plan, entry, told, NOW)
            if isinstance(answer, Freshen):
                permitted = PERMITTED & set(directives(answer.entry.head.headers).arguments)
                assert not not_for_others(answer.entry.head)
                assert "*" not in (answer.entry.head.headers.get("vary") or "")
                assert "no-store" not in asked(request)
                assert permitted or "authorization" not in plan.send
