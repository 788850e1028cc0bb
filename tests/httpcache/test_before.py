"""The first question: what to do with a request before the origin is asked."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from mirror.httpcache.decision import Hit, Miss, Pass, Revalidate, StaleHit, before, only_if_cached
from mirror.httpcache.freshness import expire
from mirror.model import Digest, Request, Rule
from tests.httpcache.builders import DIGEST, NOW, date, entry, plan, request

PACKAGE = Rule(package=True, ttl=300, grace=60, keep=3600, negative_ttl=30)
IMMUTABLE = Rule(package=True, ttl=inf, negative_ttl=30)
ELSEWHERE = ("https://other.example.com/x",)


class TestWhatIsNotForTheCache:
    """RFC 9111 §3, §4: the methods that are cached."""

    def test_a_rule_that_stores_nothing_passes(self) -> None:
        assert before(request(), plan(Rule(store=False)), entry(), NOW) == Pass("bypass")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "FOO"])
    def test_other_methods_pass(self, method: str) -> None:
        assert before(request(method), plan(PACKAGE), entry(), NOW) == Pass("method")

    def test_nothing_stored_is_a_miss(self) -> None:
        assert before(request(), plan(PACKAGE), None, NOW) == Miss("uri-miss")


class TestWhichEntryIsUsable:
    """RFC 9111 §4: only what was stored for this address, from an origin that still has it."""

    def test_an_entry_from_another_upstream_is_a_miss(self) -> None:
        assert before(request(), plan(PACKAGE), entry(), NOW) == Hit(entry(), 300)
        assert before(request(), replace(plan(PACKAGE), urls=ELSEWHERE), entry(), NOW) == Miss("miss")

    def test_a_plan_without_addresses_takes_what_there_is(self) -> None:
        assert before(request(), replace(plan(PACKAGE), urls=()), entry(), NOW) == Hit(entry(), 300)

    def test_the_announced_digest_makes_a_hit_at_any_age_from_anywhere(self) -> None:
        proven = replace(plan(PACKAGE, digest=Digest("sha256", DIGEST)), urls=ELSEWHERE)
        assert before(request(cache_control="no-cache"), proven, entry(), NOW + 1e9) == Hit(entry(), inf)

    def test_another_digest_is_a_miss(self) -> None:
        changed = plan(IMMUTABLE, digest=Digest("sha256", "cd" * 32))
        assert before(request(), changed, entry(), NOW) == Miss("miss")

    def test_a_digest_that_cannot_be_compared_proves_nothing(self) -> None:
        other = plan(PACKAGE, digest=Digest("sha512", "cd" * 64))
        assert before(request(), other, entry(), NOW) == Hit(entry(), 300)
        assert before(request(), replace(other, urls=ELSEWHERE), entry(), NOW) == Miss("miss")

    def test_a_negative_entry_answers_for_a_file_whose_digest_is_known(self) -> None:
        known = plan(IMMUTABLE, digest=Digest("sha256", "cd" * 32))
        assert before(request(), known, entry(404), NOW + 10) == Hit(entry(404), 20)
        assert before(request(), known, entry(404), NOW + 30) == Revalidate(entry(404))


class TestPackageMirrors:
    """Package mirrors: the rule overrules the origin's directives and the client's."""

    def test_fresh_is_a_hit_with_what_remains(self) -> None:
        assert before(request("HEAD"), plan(PACKAGE), entry(), NOW + 299) == Hit(entry(), 1)

    def test_stale_within_the_grace_is_served_and_refreshed_behind(self) -> None:
        assert before(request(), plan(PACKAGE), entry(), NOW + 300) == StaleHit(entry(), 0)
        assert before(request(), plan(PACKAGE), entry(), NOW + 359) == StaleHit(entry(), -59)

    def test_not_a_second_after_the_grace(self) -> None:
        assert before(request(), plan(PACKAGE), entry(), NOW + 360) == Revalidate(entry())

    def test_what_was_not_there_gets_no_grace(self) -> None:
        assert before(request(), plan(PACKAGE), entry(404), NOW + 29) == Hit(entry(404), 1)
        assert before(request(), plan(PACKAGE), entry(404), NOW + 30) == Revalidate(entry(404))

    @pytest.mark.parametrize("directive", ["no-cache", "max-age=0", "Max-Age=0, no-store"])
    def test_a_client_causes_a_validation_at_most_every_five_seconds(self, directive: str) -> None:
        asked, stored = request(cache_control=directive), entry(etag='"a"')
        assert before(asked, plan(PACKAGE), stored, NOW + 5) == Hit(stored, 295)
        assert before(asked, plan(PACKAGE), stored, NOW + 5.1) == Revalidate(stored)

    def test_what_could_only_be_fetched_whole_again_is_not_for_a_habit(self) -> None:
        habit, wish = request(cache_control="max-age=0"), request(cache_control="no-cache")
        assert before(habit, plan(PACKAGE), entry(), NOW + 10) == Hit(entry(), 290)
        assert before(habit, plan(PACKAGE), entry(), NOW + 301) == Revalidate(entry())
        assert before(wish, plan(PACKAGE), entry(), NOW + 10) == Revalidate(entry())

    def test_a_release_is_looked_for_by_habit(self) -> None:
        asked, release = request(cache_control="max-age=0"), plan(PACKAGE, generation="dists/stable")
        assert before(asked, release, entry(), NOW + 5) == Hit(entry(), 295)
        assert before(asked, release, entry(), NOW + 10) == Revalidate(entry())

    @pytest.mark.parametrize("directive", ["no-store", "max-age=60", "only-if-cached", "min-fresh=9999"])
    def test_other_directives_are_ignored(self, directive: str) -> None:
        assert before(request(cache_control=directive), plan(PACKAGE), entry(), NOW + 10) == Hit(entry(), 290)

    def test_immutables_ignore_every_directive(self) -> None:
        asked = request(cache_control="no-cache, max-age=0, no-store", pragma="no-cache")
        assert before(asked, plan(IMMUTABLE), entry(), NOW + 1e9) == Hit(entry(), inf)

    def test_the_origins_directives_do_not_count(self) -> None:
        stored = entry(cache_control="no-cache, must-revalidate, max-age=0", vary="*")
        assert before(request(), plan(PACKAGE), stored, NOW + 10) == Hit(stored, 290)

    def test_no_store_does_not_keep_a_miss_from_the_cache(self) -> None:
        assert before(request(cache_control="no-store"), plan(PACKAGE), None, NOW) == Miss("uri-miss")


class TestRequestDirectives:
    """RFC 9111 §5.2.1, on `http` mirrors."""

    STORED = entry(cache_control="max-age=100")

    def ask(self, asked: Request, after: float = 10) -> object:
        return before(asked, plan(), self.STORED, NOW + after)

    def test_without_directives_fresh_is_a_hit(self) -> None:
        assert self.ask(request()) == Hit(self.STORED, 90)

    @pytest.mark.parametrize("directive", ["no-cache", "max-age=0", "max-age=10", "max-age=x", "min-fresh=91"])
    def test_what_is_too_old_for_the_client_is_validated(self, directive: str) -> None:
        assert self.ask(request(cache_control=directive)) == Revalidate(self.STORED)

    @pytest.mark.parametrize("directive", ["max-age=11", "min-fresh=90", "max-stale=5", "foo", "only-if-cached"])
    def test_what_is_good_enough_is_a_hit(self, directive: str) -> None:
        assert self.ask(request(cache_control=directive)) == Hit(self.STORED, 90)

    def test_max_age_zero_validates_what_has_just_come(self) -> None:
        assert self.ask(request(cache_control="max-age=0"), after=0) == Revalidate(self.STORED)

    def test_no_store_passes(self) -> None:
        assert self.ask(request(cache_control="no-store")) == Pass("request")

    def test_max_stale_accepts_stale(self) -> None:
        assert self.ask(request(cache_control="max-stale"), after=1e6) == StaleHit(self.STORED, 100 - 1e6)
        assert self.ask(request(cache_control="max-stale=20"), after=119) == StaleHit(self.STORED, -19)
        assert self.ask(request(cache_control="max-stale=20"), after=120) == Revalidate(self.STORED)
        assert self.ask(request(cache_control="max-stale=x"), after=101) == Revalidate(self.STORED)

    def test_only_if_cached_never_asks_the_origin(self) -> None:
        asked = request(cache_control="only-if-cached, no-store")
        assert only_if_cached(asked)
        assert before(asked, plan(), None, NOW) == Miss("uri-miss")
        assert self.ask(asked) == Hit(self.STORED, 90)
        assert self.ask(asked, after=101) == Miss("request")
        assert not only_if_cached(request())


class TestPragma:
    """RFC 9111 §5.4."""

    def test_no_cache_counts_only_without_cache_control(self) -> None:
        stored = entry(cache_control="max-age=100")
        assert before(request(pragma="no-cache"), plan(), stored, NOW + 10) == Revalidate(stored)
        for fields in ({"pragma": "no-cache", "cache_control": "foo"}, {"pragma": "max-age=0"}, {"pragma": ""}):
            assert before(request(**fields), plan(), stored, NOW + 10) == Hit(stored, 90)


class TestImmutable:
    """RFC 8246 §2."""

    def test_a_reload_does_not_validate_what_is_immutable_and_fresh(self) -> None:
        stored = entry(cache_control="max-age=100, immutable")
        assert before(request(cache_control="max-age=0"), plan(), stored, NOW + 10) == Hit(stored, 90)
        assert before(request(cache_control="no-cache"), plan(), stored, NOW + 10) == Revalidate(stored)

    def test_a_reload_validates_what_is_immutable_and_stale(self) -> None:
        stored = entry(cache_control="max-age=100, immutable, stale-while-revalidate=50")
        assert before(request(), plan(), stored, NOW + 110) == StaleHit(stored, -10)
        assert before(request(cache_control="max-age=0"), plan(), stored, NOW + 110) == Revalidate(stored)

    def test_its_last_second_is_fresh_and_the_next_is_not(self) -> None:
        stored = entry(cache_control="max-age=100, immutable, stale-while-revalidate=50")
        assert before(request(cache_control="max-age=0"), plan(), stored, NOW + 99) == Hit(stored, 1)
        assert before(request(cache_control="max-age=0"), plan(), stored, NOW + 100) == Revalidate(stored)


class TestResponseDirectives:
    """RFC 9111 §5.2.2."""

    @pytest.mark.parametrize("directive", ["no-cache", 'no-cache="set-cookie"', "private", "no-store"])
    def test_what_may_not_be_reused_is_validated_while_fresh(self, directive: str) -> None:
        stored = entry(cache_control=f"max-age=100, {directive}")
        assert before(request(cache_control="max-stale"), plan(), stored, NOW + 1) == Revalidate(stored)

    def test_an_understood_status_is_reused_in_spite_of_no_store(self) -> None:
        stored = entry(cache_control="max-age=100, must-understand, no-store")
        assert before(request(), plan(), stored, NOW) == Hit(stored, 100)


class TestVaryStar:
    """RFC 9111 §4.1."""

    def test_vary_star_never_matches(self) -> None:
        stored = entry(cache_control="max-age=100", vary="accept, *")
        assert before(request(), plan(), stored, NOW) == Miss("vary-miss")


class TestStaleWhileRevalidate:
    """RFC 5861 §3."""

    def test_stale_while_revalidate_is_served_inside_its_window_and_not_after(self) -> None:
        stored = entry(cache_control="max-age=10, stale-while-revalidate=5")
        assert before(request(), plan(), stored, NOW + 14) == StaleHit(stored, -4)
        assert before(request(), plan(), stored, NOW + 15) == Revalidate(stored)

    def test_the_mirrors_grace_is_not_the_origins_permission(self) -> None:
        stored = entry(cache_control="max-age=10")
        assert before(request(), plan(Rule(grace=1e6)), stored, NOW + 11) == Revalidate(stored)


class TestServingStale:
    """RFC 9111 §4.2.4."""

    @pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "s-maxage=10"])
    def test_stale_is_never_served_where_the_origin_forbids_it(self, directive: str) -> None:
        stored = entry(cache_control=f"max-age=10, stale-while-revalidate=99, {directive}")
        assert before(request(cache_control="max-stale"), plan(), stored, NOW + 11) == Revalidate(stored)


class TestFresh:
    """RFC 9111 §4.2."""

    def test_a_guess_is_fresh_where_it_is_allowed(self) -> None:
        stored = entry(last_modified=date(-1000))
        assert before(request(), plan(), stored, NOW + 99) == Hit(stored, 1)
        assert before(request(), plan(), stored, NOW + 100) == Revalidate(stored)

    def test_no_lifetime_at_all_is_validated(self) -> None:
        assert before(request(), plan(), entry(etag='"a"'), NOW) == Revalidate(entry(etag='"a"'))


class TestMadeToExpire:
    """A soft purge: the entry is kept for its validators, and used by nobody unasked."""

    @pytest.mark.parametrize("rule", [Rule(), PACKAGE, IMMUTABLE])
    def test_it_is_validated_whatever_made_it_fresh(self, rule: Rule) -> None:
        stored = entry(cache_control="max-age=1000, stale-while-revalidate=1000")
        stored = replace(stored, head=expire(stored.head, NOW + 10))
        for asked in (request(), request(cache_control="max-stale"), request("HEAD")):
            assert before(asked, plan(rule), stored, NOW + 10) == Revalidate(stored)

    def test_a_client_that_wants_nothing_from_the_origin_gets_nothing(self) -> None:
        stored = entry(cache_control="max-age=1000")
        stored = replace(stored, head=expire(stored.head, NOW + 10))
        asked = request(cache_control="only-if-cached")
        assert before(asked, plan(), stored, NOW + 10) == Miss("request")
        assert before(asked, plan(PACKAGE), stored, NOW + 10) == Revalidate(stored)

    def test_the_announced_digest_outlives_it(self) -> None:
        stored = replace(entry(), head=expire(entry().head, NOW))
        assert before(request(), plan(PACKAGE, digest=Digest("sha256", DIGEST)), stored, NOW) == Hit(stored, inf)
