"""The second question: what to do with the origin's answer, or with its silence."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from mirror.httpcache.decision import Freshen, Lend, Relay, Store, UseStale, after, before, failed
from mirror.model import Digest, Entry, Head, Headers, Rule
from tests.httpcache.builders import DIGEST, NOW, date, entry, head, headers, plan, request

PACKAGE = Rule(package=True, ttl=300, grace=60, keep=3600, negative_ttl=30)
KEEPING = Rule(keep=3600)
ELSEWHERE = ("https://other.example.com/x",)


def stored(status: int = 200, **fields: str) -> Entry:
    return entry(status, NOW - 1000, **fields)


class TestWhatIsNeverStored:
    """RFC 9111 §3: only the answers to a GET, and only where the rule stores any."""

    @pytest.mark.parametrize("rule", [Rule(), PACKAGE])
    def test_other_methods(self, rule: Rule) -> None:
        assert after(request("POST"), plan(rule), None, head(cache_control="max-age=60"), NOW) == Relay("method")

    @pytest.mark.parametrize("rule", [Rule(), PACKAGE])
    def test_the_answer_to_a_head_has_no_bytes(self, rule: Rule) -> None:
        assert after(request("HEAD"), plan(rule), None, head(cache_control="max-age=60"), NOW) == Relay("head")

    def test_a_rule_that_stores_nothing(self) -> None:
        rule = Rule(package=True, ttl=300, store=False)
        assert after(request(), plan(rule), stored(), head(304), NOW) == Relay("bypass")
        assert failed(plan(rule), stored(), NOW, request()) is None


class TestFreshening:
    """RFC 9111 §4.3.4, §4.3.5."""

    @pytest.mark.parametrize("rule", [Rule(), PACKAGE])
    def test_a_304_renews_the_entry_and_restarts_its_freshness(self, rule: Rule) -> None:
        old = stored(etag='"a"', cache_control="max-age=60", age="50", x_kept="1")
        answer = after(request(), plan(rule), old, head(304, cache_control="max-age=90", etag='"a"'), NOW)
        assert isinstance(answer, Freshen)
        renewed = answer.entry
        assert (renewed.blob, renewed.size, renewed.digest, renewed.url) == (old.blob, old.size, old.digest, old.url)
        assert (renewed.head.status, renewed.head.received_at) == (200, NOW)
        assert renewed.head.headers.get("x-kept") == "1"
        assert renewed.head.headers.get("cache-control") == ("max-age=60" if rule.package else "max-age=90")
        assert renewed.head.headers.get("age") == ("50" if rule.package else None)
        assert type(before(request(), plan(rule), renewed, NOW + 89)).__name__ == "Hit"

    @pytest.mark.parametrize("rule", [Rule(), PACKAGE])
    def test_the_delay_of_the_304_counts_and_not_that_of_the_stored_answer(self, rule: Rule) -> None:
        answer = after(request(), plan(rule), stored(etag='"a"'), replace(head(304), requested_at=NOW - 3), NOW)
        assert isinstance(answer, Freshen)
        assert answer.entry.head.requested_at == NOW - 3

    def test_a_304_without_date_is_dated_by_its_arrival(self) -> None:
        answer = after(request(), plan(), stored(cache_control="max-age=60"), head(304, date=""), NOW)
        assert isinstance(answer, Freshen)
        assert answer.entry.head.headers.all("date") == [date()]

    def test_a_304_without_an_entry_is_relayed(self) -> None:
        assert after(request(if_none_match='"a"'), plan(), None, head(304), NOW) == Relay("304")

    def test_a_304_does_not_renew_an_entry_of_another_upstream(self) -> None:
        elsewhere = replace(plan(PACKAGE), urls=ELSEWHERE)
        assert after(request(), elsewhere, stored(), head(304), NOW) == Relay("304")

    def test_a_304_about_another_representation_renews_nothing(self) -> None:
        old = stored(etag='"a"')
        assert after(request(), plan(), old, head(304, etag='"b"'), NOW) == Relay("304")
        assert isinstance(after(request(), plan(), old, head(304, etag='W/"a"'), NOW), Freshen)

    def test_a_registry_that_changes_its_etag_each_time_is_believed_and_our_bytes_keep_their_name(self) -> None:
        answer = after(request(), plan(PACKAGE), stored(etag='"a"'), head(304, etag='"b"'), NOW)
        assert isinstance(answer, Freshen)
        assert answer.entry.validators.get("etag") == '"a"'
        assert answer.entry.head.headers.get("etag") == '"a"'

    def test_a_304_may_give_a_validator_where_there_was_none(self) -> None:
        answer = after(request(), plan(), stored(last_modified=date(-5000)), head(304, etag='"b"'), NOW)
        assert isinstance(answer, Freshen)
        assert answer.entry.validators == Headers((("last-modified", date(-5000)), ("etag", '"b"')))

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"cache_control": "private, max-age=60"}, "private"),
            ({"cache_control": "no-store"}, "no-store"),
            ({"vary": "*", "cache_control": "max-age=60"}, "vary"),
            ({"set_cookie": "sid=1"}, "cookie"),
        ],
    )
    def test_a_304_that_could_not_be_stored_as_a_200_is_for_who_asked_alone(
        self, fields: dict[str, str], reason: str
    ) -> None:
        for asked, told in ((request(), head(304, **fields)), (request("HEAD"), head(200, etag='"a"', **fields))):
            answer = after(asked, plan(), stored(etag='"a"'), told, NOW)
            assert isinstance(answer, Lend)
            assert answer.reason == reason
            assert answer.entry.head.headers.get("set-cookie") == fields.get("set_cookie")

    def test_a_304_to_credentials_is_for_who_asked_alone(self) -> None:
        sent = plan(send=headers(authorization="Basic eA=="))
        stale = stored(etag='"a"', cache_control="max-age=60")
        assert isinstance(after(request(), sent, stale, head(304, cache_control="max-age=60"), NOW), Lend)
        assert isinstance(after(request(), sent, stale, head(304, cache_control="public, max-age=60"), NOW), Freshen)

    def test_the_200_to_a_head_renews_what_it_describes(self) -> None:
        old = stored(etag='"a"')
        same = head(etag='"a"', content_length="10", cache_control="max-age=60")
        answer = after(request("HEAD"), plan(), old, same, NOW)
        assert isinstance(answer, Freshen)
        assert (answer.entry.blob, answer.entry.head.headers.get("cache-control")) == (old.blob, "max-age=60")
        for other in ({"etag": '"b"'}, {"etag": '"a"', "content_length": "11"}, {"content_length": "10"}):
            assert after(request("HEAD"), plan(), old, head(**other), NOW) == Relay("head")
        assert after(request("HEAD"), plan(), old, head(410, etag='"a"'), NOW) == Relay("head")


class TestStaleOnError:
    """RFC 9111 §4.2.4, RFC 5861 §4."""

    @pytest.mark.parametrize("rule", [KEEPING, PACKAGE])
    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_within_the_keep_the_entry_serves(self, rule: Rule, status: int) -> None:
        old = stored(cache_control="max-age=10")
        assert after(request(), plan(rule), old, head(status), NOW) == UseStale(old, "stale-if-error")
        assert failed(plan(rule), old, NOW, request()) == UseStale(old, "stale-if-error")

    @pytest.mark.parametrize("rule", [KEEPING, PACKAGE])
    def test_not_after_it(self, rule: Rule) -> None:
        old = stored(cache_control="max-age=300")
        late = NOW - 1000 + 300 + 3600
        assert failed(plan(rule), old, late - 1, request()) is not None
        assert failed(plan(rule), old, late, request()) is None
        assert isinstance(after(request(), plan(rule), old, head(503, late), late), Relay)

    def test_without_a_window_only_what_is_fresh_serves(self) -> None:
        old = entry(cache_control="max-age=100")
        for rule in (Rule(), Rule(package=True, ttl=100), Rule(package=True, ttl=100, keep=0)):
            assert failed(plan(rule), old, NOW + 99, request()) is not None
            assert failed(plan(rule), old, NOW + 100, request()) is None

    def test_what_was_not_there_and_what_has_failed_serve_to_their_last_second(self) -> None:
        for old, rule in ((entry(404), PACKAGE), (entry(500, cache_control="max-age=30"), KEEPING)):
            assert failed(plan(rule), old, NOW + 29, request()) is not None
            assert failed(plan(rule), old, NOW + 30, request()) is None

    def test_too_many_requests_is_a_failure_of_a_registry_only(self) -> None:
        old = stored(cache_control="max-age=10")
        assert after(request(), plan(PACKAGE), old, head(429), NOW) == UseStale(old, "stale-if-error")
        assert after(request(), plan(KEEPING), old, head(429), NOW) == Relay("status")

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 501])
    def test_a_refusal_is_no_failure(self, status: int) -> None:
        answer = after(request(), plan(PACKAGE), stored(), head(status), NOW)
        assert isinstance(answer, Relay | Store)

    def test_the_origins_own_window_counts_without_a_keep(self) -> None:
        old = stored(cache_control="max-age=10, stale-if-error=1000")
        assert failed(plan(), old, NOW, request()) == UseStale(old, "stale-if-error")
        assert failed(plan(), old, NOW + 10, request()) is None
        assert failed(plan(), stored(cache_control="max-age=10"), NOW, request()) is None

    @pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "s-maxage=10", "no-cache", "private"])
    def test_never_against_the_origins_prohibition(self, directive: str) -> None:
        old = stored(cache_control=f"max-age=10, stale-if-error=9999, {directive}")
        assert failed(plan(KEEPING), old, NOW, request()) is None
        assert after(request(), plan(KEEPING), old, head(503), NOW) == Relay("status")
        assert failed(plan(PACKAGE), old, NOW, request()) == UseStale(old, "stale-if-error")

    def test_must_revalidate_does_not_forbid_what_is_fresh(self) -> None:
        old = stored(cache_control="max-age=2000, must-revalidate")
        assert failed(plan(), old, NOW, request(cache_control="max-age=0")) is not None
        assert failed(plan(), old, NOW, request(cache_control="no-cache")) is None

    def test_a_404_never_stands_in_for_a_registry_that_is_down(self) -> None:
        assert failed(plan(PACKAGE), stored(404), NOW, request()) is None
        assert failed(plan(PACKAGE), stored(404), NOW - 980, request()) is not None

    def test_other_bytes_never_serve(self) -> None:
        assert failed(replace(plan(PACKAGE), urls=ELSEWHERE), stored(), NOW, request()) is None
        assert failed(plan(PACKAGE, digest=Digest("sha256", "cd" * 32)), stored(), NOW, request()) is None
        assert failed(plan(PACKAGE, digest=Digest("sha256", DIGEST)), stored(), NOW + 1e9, request()) is not None
        assert failed(plan(PACKAGE), None, NOW, request()) is None
        assert failed(plan(PACKAGE), stored(), NOW, request("POST")) is None

    def test_immutables_serve_for_ever(self) -> None:
        assert failed(plan(Rule(package=True, ttl=inf)), stored(), NOW + 1e9, request()) is not None

    def test_an_error_with_freshness_is_stored_only_where_nothing_can_serve(self) -> None:
        answer = Head(503, headers(cache_control="max-age=60", date=date()), NOW, NOW)
        assert after(request(), plan(KEEPING), stored(cache_control="max-age=10"), answer, NOW) != Store()
        assert after(request(), plan(KEEPING), None, answer, NOW) == Store()
        assert after(request(), plan(KEEPING), stored(503, cache_control="max-age=10"), answer, NOW) == Store()
