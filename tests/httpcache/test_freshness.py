"""Freshness: lifetime, age and what remains (RFC 9111 §4.2)."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from mirror.httpcache.freshness import age, directives, expire, expired, explicit, lifetime, ttl
from mirror.model import Head, Headers, Rule
from tests.httpcache.builders import NOW, date, entry, head

ORIGIN = Rule()


class TestLifetime:
    """RFC 9111 §4.2.1."""

    def test_s_maxage_beats_max_age_beats_expires(self) -> None:
        fields = {"expires": date(30)}
        assert lifetime(head(cache_control="max-age=20, s-maxage=10", **fields), ORIGIN) == 10
        assert lifetime(head(cache_control="max-age=20", **fields), ORIGIN) == 20
        assert lifetime(head(**fields), ORIGIN) == 30

    def test_max_age_beats_expires_even_when_zero(self) -> None:
        assert lifetime(head(cache_control="max-age=0", expires=date(30)), ORIGIN) == 0
        assert lifetime(head(cache_control="max-age=9", expires="0"), ORIGIN) == 9

    def test_a_malformed_s_maxage_is_stale_whatever_max_age_says(self) -> None:
        assert lifetime(head(cache_control="s-maxage=x, max-age=60"), ORIGIN) == 0

    def test_conflicting_values_are_stale(self) -> None:
        twice = Headers((("cache-control", "max-age=60"), ("cache-control", "max-age=61")))
        assert lifetime(Head(200, twice, NOW, NOW), ORIGIN) == 0

    def test_expires_counts_from_date(self) -> None:
        assert lifetime(head(date=date(-100), expires=date(50)), ORIGIN) == 150

    @pytest.mark.parametrize("dated", ["", "yesterday"])
    def test_expires_counts_from_the_arrival_without_a_good_date(self, dated: str) -> None:
        assert lifetime(head(date=dated, expires=date(50)), ORIGIN) == 50

    @pytest.mark.parametrize("expires", ["0", "-1", "tomorrow", "Sun, 22 Nov 2099 11:00:00 PST"])
    def test_what_is_no_date_has_expired_and_leaves_no_room_for_a_guess(self, expires: str) -> None:
        assert lifetime(head(expires=expires, last_modified=date(-1000)), ORIGIN) == 0

    def test_two_lines_of_expires_have_expired(self) -> None:
        twice = Headers((("expires", date(60)), ("expires", date(60))))
        assert lifetime(Head(200, twice, NOW, NOW), ORIGIN) == 0

    def test_expires_in_the_past_is_zero_not_negative(self) -> None:
        assert lifetime(head(expires=date(-60)), ORIGIN) == 0

    def test_large_numbers_are_fine(self) -> None:
        assert lifetime(head(cache_control="max-age=2147483649"), ORIGIN) == 2**31

    def test_dates_in_the_old_formats_count_too(self) -> None:
        later = "Sunday, 22-Nov-26 11:01:00 GMT"
        assert lifetime(head(expires=later), ORIGIN) == 60
        assert lifetime(head(date="Sunday, 22-Nov-26 10:59:00 GMT", expires=later), ORIGIN) == 120
        assert lifetime(head(expires="Sun Nov 22 11:01:00 2026"), ORIGIN) == 60
        assert lifetime(head(last_modified="Sunday, 22-Nov-26 10:50:00 GMT"), ORIGIN) == 60

    def test_a_targeted_field_replaces_expires_too(self) -> None:
        assert lifetime(head(cdn_cache_control="public", expires=date(60)), ORIGIN) == 0


class TestExplicit:
    """RFC 9111 §4.2.1: whether anybody said how long, or it has to be guessed."""

    def explicit(self, status: int = 200, rule: Rule = ORIGIN, **fields: str) -> bool:
        return explicit(head(status, **fields), rule, directives(head(**fields).headers))

    @pytest.mark.parametrize(
        "fields",
        [
            *({"cache_control": "max-age=0"}, {"cache_control": "s-maxage=9"}, {"expires": "0"}, {"expires": date(60)}),
            *({"cdn_cache_control": "max-age=9"}, {"cdn_cache_control": "s-maxage=9"}),
        ],
    )
    def test_the_origins_word_is(self, fields: dict[str, str]) -> None:
        assert self.explicit(**fields)

    @pytest.mark.parametrize(
        "fields",
        [
            *({}, {"cache_control": "public"}, {"cache_control": 'x="max-age=9"'}, {"last_modified": date(-1000)}),
            {"cdn_cache_control": "public", "expires": date(60)},
            {"cdn_cache_control": "x", "cache_control": "max-age=9"},
        ],
    )
    def test_silence_is_not(self, fields: dict[str, str]) -> None:
        assert not self.explicit(**fields)

    def test_the_lifetime_of_a_rule_is_for_its_own_statuses(self) -> None:
        assert self.explicit(200, Rule(ttl=0))
        assert not self.explicit(404, Rule(ttl=300))
        assert self.explicit(404, Rule(negative_ttl=30))
        assert not self.explicit(200, Rule(negative_ttl=30))


class TestHeuristic:
    """RFC 9111 §4.2.2."""

    def test_a_tenth_of_the_time_since_the_last_change(self) -> None:
        assert lifetime(head(last_modified=date(-1000)), ORIGIN) == 100

    @pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
    def test_for_statuses_cacheable_by_default(self, status: int) -> None:
        assert lifetime(head(status, last_modified=date(-1000)), ORIGIN) == 100

    @pytest.mark.parametrize("status", [201, 302, 307, 400, 403, 500, 503, 599])
    def test_for_other_statuses_only_with_public(self, status: int) -> None:
        assert lifetime(head(status, last_modified=date(-1000)), ORIGIN) == 0
        assert lifetime(head(status, last_modified=date(-1000), cache_control="public"), ORIGIN) == 100

    def test_never_without_last_modified(self) -> None:
        assert lifetime(head(cache_control="public", etag='"a"'), ORIGIN) == 0

    def test_a_last_modified_in_the_future_is_zero(self) -> None:
        assert lifetime(head(last_modified=date(1000)), ORIGIN) == 0

    def test_a_package_rule_never_guesses(self) -> None:
        assert lifetime(head(last_modified=date(-1000)), Rule(ttl=5)) == 5


class TestRules:
    """Package mirrors overrule the origin."""

    def test_the_ttl_of_the_rule_is_the_lifetime(self) -> None:
        assert lifetime(head(cache_control="max-age=60"), Rule(ttl=300)) == 300
        assert lifetime(head(cache_control="max-age=60"), Rule(ttl=inf)) == inf

    @pytest.mark.parametrize("status", [404, 410])
    def test_negative_answers_have_their_own(self, status: int) -> None:
        assert lifetime(head(status), Rule(ttl=inf, negative_ttl=30)) == 30
        assert lifetime(head(status, cache_control="max-age=9"), Rule(negative_ttl=30)) == 30

    def test_without_one_they_obey_the_origin(self) -> None:
        assert lifetime(head(404, cache_control="max-age=9"), Rule(ttl=inf)) == 9

    def test_the_age_counts_from_the_arrival_alone(self) -> None:
        old = entry(age="100000", date=date(-100000))
        assert ttl(old, Rule(ttl=300), NOW + 10) == 290

    def test_a_changed_rule_holds_for_what_is_stored(self) -> None:
        assert ttl(entry(), Rule(ttl=300), NOW + 100) == 200
        assert ttl(entry(), Rule(ttl=50), NOW + 100) == -50


class TestAge:
    """RFC 9111 §4.2.3, §5.1."""

    def test_it_grows_with_the_time_here(self) -> None:
        assert age(head(), NOW + 7) == 7

    def test_a_date_in_the_past_is_apparent_age(self) -> None:
        assert age(head(date=date(-100)), NOW + 1) == 101

    def test_a_date_in_the_future_is_not_negative_age(self) -> None:
        assert age(head(date=date(100)), NOW) == 0

    def test_the_delay_of_the_response_is_added_to_the_age_told(self) -> None:
        slow = replace(head(age="10"), requested_at=NOW - 4)
        assert age(slow, NOW) == 14

    def test_the_greater_of_apparent_and_told_age_counts(self) -> None:
        assert age(head(age="10", date=date(-100)), NOW) == 100
        assert age(head(age="200", date=date(-100)), NOW) == 200

    def test_the_first_value_of_a_list_counts(self) -> None:
        assert age(head(age="7200, 0"), NOW) == 7200
        assert age(head(age="0,7200"), NOW) == 0

    def test_white_space_around_the_value_does_not_count(self) -> None:
        assert age(head(age=" 7200\t, 0"), NOW) == 7200

    @pytest.mark.parametrize("told", ["abc", "-7200", "7200.0", "7200;a=b", "", "\u0661", "\xa07200", "X7200"])
    def test_what_is_not_digits_is_ignored(self, told: str) -> None:
        assert age(head(age=told), NOW) == 0

    def test_a_huge_age_is_stale_under_the_longest_lifetime(self) -> None:
        assert ttl(entry(age="9" * 30, cache_control="max-age=" + "9" * 30), ORIGIN, NOW) == 0


class TestMadeToExpire:
    """A soft purge: stale from that moment on."""

    def test_what_was_made_to_expire_is_stale_since_then(self) -> None:
        stored = replace(entry(), head=expire(head(cache_control="max-age=600"), NOW + 10))
        assert expired(stored.head)
        for rule in (ORIGIN, Rule(ttl=300), Rule(ttl=inf)):
            assert [ttl(stored, rule, NOW + seconds) for seconds in (0, 10, 17)] == [0, 0, -7]

    def test_once_more_it_is_stale_since_the_first_moment(self) -> None:
        once = expire(head(), NOW + 10)
        assert expire(once, NOW + 20) == once

    def test_what_was_stale_before_is_stale_since_then(self) -> None:
        stored = replace(entry(), head=expire(head(cache_control="max-age=30"), NOW + 100))
        assert ttl(stored, ORIGIN, NOW + 110) == -80
        assert ttl(stored, Rule(ttl=60), NOW + 110) == -50

    def test_its_age_goes_on(self) -> None:
        assert age(expire(head(), NOW + 10), NOW + 17) == 17

    @pytest.mark.row(39, at="the rules alone: ten years on and back, an hour back")
    @pytest.mark.parametrize("clock", [0.0, 0.5, NOW])
    def test_no_other_answer_is_expired_whatever_the_clock_says(self, clock: float) -> None:
        assert not expired(head(200, clock))


class TestClock:
    """RFC 9111 §4.2.3: clocks that differ, or go back."""

    @pytest.mark.row(39, at="the rules alone: ten years on and back, an hour back")
    def test_a_clock_that_went_back_makes_no_negative_age(self) -> None:
        """Seen red: a clock that went back makes a negative Age."""
        assert age(head(), NOW - 3600) == 0
        assert ttl(entry(), Rule(ttl=300), NOW - 30) == 300

    @pytest.mark.row(39, at="the rules alone: ten years on and back, an hour back")
    def test_a_minute_back_is_believed_and_what_is_more_counts_as_age(self) -> None:
        assert ttl(entry(), Rule(ttl=300), NOW - 60) == 300
        assert ttl(entry(), Rule(ttl=300), NOW - 61) == 239

    @pytest.mark.row(39, at="the rules alone: ten years on and back, an hour back")
    def test_an_entry_from_the_far_future_is_not_fresh_for_years(self) -> None:
        """Seen red: what is from the future is fresh for years."""
        assert ttl(entry(), Rule(ttl=300), NOW - 10 * 365 * 86400) < 0
        assert ttl(entry(cache_control="max-age=300"), ORIGIN, NOW - 10 * 365 * 86400) < 0

    @pytest.mark.row(39, at="the rules alone: ten years on and back, an hour back")
    def test_immutables_survive_any_clock(self) -> None:
        for years in (-10, 10):
            assert ttl(entry(), Rule(ttl=inf), NOW + years * 365 * 86400) == inf

    def test_fresh_only_while_the_lifetime_is_greater(self) -> None:
        stored = entry(cache_control="max-age=10")
        assert ttl(stored, ORIGIN, NOW + 9) > 0
        assert ttl(stored, ORIGIN, NOW + 10) == 0
