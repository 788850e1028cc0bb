"""How long an answer is fresh, and how old it is (RFC 9111 §4.2, §5; RFC 8246, RFC 9213)."""

from __future__ import annotations

from tests.e2e.http_steps import Case, ask, case, fresh, hit, miss, ok, reply, stale, unstored

CC = "cache-control: "

LIFETIMES = (
    fresh("max_age_is_the_lifetime", "RFC 9111 §4.2.1", "A response is fresh for the seconds of `max-age`.",
          f"{CC}max-age=100"),
    stale("s_maxage_goes_before_max_age", "RFC 9111 §4.2.1", "`s-maxage` counts before `max-age`.",
          f"{CC}s-maxage=10, max-age=100", "age: 50"),
    fresh("s_maxage_goes_before_a_smaller_max_age", "RFC 9111 §4.2.1", "`s-maxage` counts where `max-age` is 0, too.",
          f"{CC}max-age=0, s-maxage=100"),
    stale("max_age_goes_before_expires", "RFC 9111 §5.3", "`max-age` counts before `Expires`, even when it is 0.",
          f"{CC}max-age=0", "expires: {+100}"),
    fresh("max_age_goes_before_an_expires_in_the_past", "RFC 9111 §5.3",
          "An `Expires` in the past does not count beside `max-age`.",
          f"{CC}max-age=100", "expires: {-100}"),
    stale("fresh_means_strictly_younger_than_the_lifetime", "RFC 9111 §4.2", "At age = lifetime an answer is stale.",
          f"{CC}max-age=100", "age: 100"),
    *(
        stale(f"max_age_that_is_{word}_is_stale", "RFC 9111 §4.2.1, §1.2.2",
              "A lifetime that is negative or malformed counts as stale.",
              f"{CC}max-age={value}")
        for word, value in {"negative": "-1", "no_number": "abc", "a_fraction": "100.5", "empty": "", "signed": "+100"}
        .items()
    ),
    stale("max_ages_that_contradict_are_stale", "RFC 9111 §4.2.1", "Two different values of `max-age` count as stale.",
          f"{CC}max-age=100", f"{CC}max-age=200"),
    fresh("the_same_max_age_twice_is_one", "RFC 9111 §4.2.1", "The same value of `max-age` twice is one.",
          f"{CC}max-age=100, max-age=100"),
    *(
        fresh(f"max_age_that_is_{word}_counts", "RFC 9111 §1.2.2",
              "Leading zeros, quotes and numbers of any size are fine.",
              f"{CC}max-age={value}", "age: 5")
        for word, value in {
            "with_leading_zeros": "000100",
            "2_to_the_31": "2147483648",
            "larger_than_any_integer": "9" * 30,
            "quoted": '"100"',
        }.items()
    ),
    stale("text_in_a_quoted_string_is_no_directive", "RFC 9111 §5.2", "`x=\"max-age=100, y\"` has no `max-age` in it.",
          f'{CC}x="max-age=100, y"'),
    fresh("no_store_in_a_quoted_string_is_no_directive", "RFC 9111 §5.2", "A quoted `no-store` forbids nothing.",
          f'{CC}x="no-store, private", max-age=100'),
    fresh("directives_match_in_any_case", "RFC 9111 §5.2", "Names of directives have no case.", f"{CC}Max-AGE=100"),
    fresh("unknown_directives_are_ignored", "RFC 9111 §5.2.3", "Unknown directives change nothing.",
          f"{CC}x, y=1, max-age=100, z=\"q\""),
    fresh("expires_less_date_is_the_lifetime", "RFC 9111 §4.2.1",
          "Without `max-age` it is `Expires` less `Date`, whatever our clock says.", "date: {-50}", "expires: {+50}"),
    stale("expires_at_date_is_stale", "RFC 9111 §4.2.1", "`Expires` equal to `Date`: no lifetime.", "date: {-0}",
          "expires: {-0}"),
    fresh("expires_without_date_counts_from_the_arrival", "RFC 9111 §4.2.1", "A missing `Date` is the arrival.",
          "expires: {+100}"),
    fresh("expires_with_a_bad_date_counts_from_the_arrival", "RFC 9111 §4.2.1", "A `Date` that is none is the arrival.",
          "date: yesterday", "expires: {+100}",
          departs="RFC 9110 §6.6.1 allows to replace the field; it goes out as it came."),
    fresh("a_tenth_of_the_time_since_last_modified", "RFC 9111 §4.2.2",
          "Without a lifetime it is a tenth of the time since Last-Modified.", "last-modified: {-1000}", "age: 80"),
    stale("a_tenth_and_no_more", "RFC 9111 §4.2.2", "After a tenth of the time since Last-Modified it is stale.",
          "last-modified: {-1000}", "age: 110"),
    fresh("public_allows_a_guess_for_any_status", "RFC 9111 §4.2.2", "`public` makes a heuristic lifetime possible.",
          f"{CC}public", "last-modified: {-100000}"),
    case("public_with_a_status_that_is_not_cacheable_by_default", "RFC 9111 §4.2.2",
         "With `public` a 302 is stored by heuristic, too.",
         miss(reply(302, f"{CC}public", "last-modified: {-100000}")), hit(status=302)),
    fresh("a_mirror_with_a_ttl_of_its_own_uses_it", "RFC 9111 §4.2",
          "Only where the mirror's `ttl` is set a lifetime is added to what the origin said.",
          mirror="lasting",
          departs="A `ttl` is the operator's word, and overrules the origin's; none is set by default."),
)  # fmt: skip


def aged(
    name: str, says: str, age: str, pattern: str, *more: str, clause: str = "RFC 9111 §5.1", departs: str = ""
) -> Case:
    """An answer with this Age is used with an Age like that."""
    answer = ok(f"{CC}max-age=1000", *((f"age: {age}",) if age else ()), *more)
    return case(name, clause, says, miss(answer), hit(has=f"age~^{pattern}$"), departs=departs)


AGES = (
    aged("every_reuse_carries_age", "What comes from the store has an `Age`.", "", r"\d"),
    aged("the_age_of_the_origin_counts", "The origin's `Age` is where ours begins.", "500", r"50\d"),
    aged("of_a_list_in_age_the_first_counts", "Of several values of `Age` the first counts.", "500, 7", r"50\d"),
    aged("an_age_that_is_no_number_is_ignored", "An `Age` with letters, signs or fractions is ignored.", "5x", r"\d",
         departs="None: what §5.1 recommends. It stands here because others count what they can read of it."),
    aged("a_negative_age_is_ignored", "An `Age` with letters, signs or fractions is ignored.", "-5", r"\d"),
    aged("a_fraction_in_age_is_ignored", "An `Age` with letters, signs or fractions is ignored.", "500.5", r"\d"),
    aged("the_apparent_age_counts", "A `Date` in the past makes the answer so old.", "", r"30\d", "date: {-300}",
         clause="RFC 9111 §4.2.3"),
    aged("the_larger_of_age_and_apparent_age_counts", "Of `Age` and the time since `Date` the larger.", "500",
         r"50\d", "date: {-300}", clause="RFC 9111 §4.2.3"),
    aged("a_date_in_the_future_makes_nothing_younger", "A `Date` ahead of our clock is no negative age.", "",
         r"\d", "date: {+300}", clause="RFC 9111 §4.2.3"),
    stale("a_huge_age_is_stale", "RFC 9111 §5.1, §1.2.2", "An `Age` beyond any integer makes an answer stale.",
          f"{CC}max-age=1000", f"age: {'9' * 30}"),
    case("date_is_never_rewritten", "RFC 9110 §6.6.1", "`Date` stays as the origin wrote it.",
         miss(ok(f"{CC}max-age=1000", "date: {-300}"), has="date: {-300}"), hit(has="date: {-300}")),
    case("a_missing_date_is_generated", "RFC 9110 §6.6.1", "Where the origin sent no `Date`, we date the answer.",
         miss(ok(f"{CC}max-age=100"), has="date~GMT$"), hit(has="date~GMT$")),
)  # fmt: skip

DATES = (
    *(
        fresh(f"expires_in_{word}_is_a_date", "RFC 9110 §5.6.7", "A date may have any of the three formats, GMT only.",
              f"expires: {{+1000{mark}}}")
        for word, mark in (
            ("the_usual_form", ""),
            ("the_form_of_rfc_850", " rfc850"),
            ("the_form_of_asctime", " asctime"),
        )
    ),
    fresh("a_date_has_no_case", "RFC 9110 §5.6.7", "Names of days and months match in any case.",
          "expires: wed, 01 JAN 2070 00:00:00 gmt"),
    *(
        stale(f"expires_{word}_has_expired", "RFC 9111 §5.3",
              "What is no date is in the past: `0`, other zones, two digits of a year, a missing comma.",
              f"expires: {value}", "last-modified: {-100000}",
              departs="RFC 9110 §5.6.7 encourages to read dates with lenience. A zone misread keeps what has expired.")
        for word, value in (
            ("0", "0"),
            ("in_another_zone", "Wed, 01 Jan 2070 00:00:00 CET"),
            ("with_an_offset", "Wed, 01 Jan 2070 00:00:00 +0000"),
            ("with_a_year_of_two_digits", "Wed, 01 Jan 70 00:00:00 GMT"),
            ("without_a_comma", "Wed 01 Jan 2070 00:00:00 GMT"),
            ("that_is_empty", ""),
        )
    ),
    stale("two_lines_of_expires_have_expired", "RFC 9111 §5.3", "Two lines of `Expires` are no date, and in the past.",
          "expires: {+1000}", "expires: {+2000}"),
)  # fmt: skip

TARGETED = (
    fresh("cdn_cache_control_replaces_cache_control", "RFC 9213 §2.2",
          "A valid `CDN-Cache-Control` is for us in place of `Cache-Control`.",
          "cdn-cache-control: max-age=100", f"{CC}no-store, max-age=0"),
    unstored("cdn_cache_control_can_forbid", "RFC 9213 §2.2",
             "A `no-store` in `CDN-Cache-Control` keeps an answer out of the store.",
             ok("cdn-cache-control: no-store", f"{CC}max-age=100")),
    stale("cdn_cache_control_replaces_expires", "RFC 9213 §2.2",
          "`Expires` does not count beside a valid `CDN-Cache-Control`.",
          "cdn-cache-control: must-revalidate", "expires: {+100}"),
    case("cdn_cache_control_is_passed_on", "RFC 9213 §2.1",
         "`CDN-Cache-Control` and `Cache-Control` both go out as they came.",
         miss(ok("cdn-cache-control: max-age=100", f"{CC}no-store"), has="cdn-cache-control: max-age=100"),
         hit(has=("cdn-cache-control: max-age=100", f"{CC}no-store"))),
    fresh("an_invalid_cdn_cache_control_is_ignored_whole", "RFC 9213 §2.1",
          "A `CDN-Cache-Control` that is no structured field counts for nothing, its valid members neither.",
          "cdn-cache-control: no-store, max age=0", f"{CC}max-age=100"),
    stale("cdn_cache_control_wants_an_integer", "RFC 9213 §2.1", '`max-age="100"` is a string and no lifetime.',
          'cdn-cache-control: max-age="100"', f"{CC}max-age=100"),
)  # fmt: skip

IMMUTABLE = (
    case("immutable_needs_no_revalidation_while_fresh", "RFC 8246 §2",
         "A reload (`max-age=0`) of an immutable answer is a hit.",
         miss(ok(f"{CC}max-age=100, immutable")), hit("cache-control: max-age=0")),
    stale("immutable_is_no_lifetime", "RFC 8246 §2", "What is stale is asked about, immutable or not.",
          f"{CC}max-age=100, immutable", "age: 100"),
    case("no_cache_is_asked_even_of_what_is_immutable", "RFC 8246 §2",
         "A client's `no-cache` is more than a reload, and goes to the origin.",
         miss(ok(f"{CC}max-age=100, immutable", 'etag: "one"')),
         ask("cache-control: no-cache", origin=reply(304, 'etag: "one"'), gets=b"hello", cache="fwd-status=304")),
)  # fmt: skip

CASES = (*LIFETIMES, *AGES, *DATES, *TARGETED, *IMMUTABLE)
