"""Field values: what counts as a date, a directive, a list, an entity-tag, a number."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.httpcache import fields
from tests.httpcache.builders import NOW

EXAMPLE = 784111777  # the date that RFC 9110 §5.6.7 writes in three ways


class TestDates:
    """RFC 9110 §5.6.7, RFC 9111 §5.3."""

    @pytest.mark.parametrize(
        "text",
        [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "SUN, 06 nov 1994 08:49:37 gmt",
            "sunday, 06-NOV-94 08:49:37 Gmt",
        ],
    )
    def test_three_formats_in_any_case_are_dates(self, text: str) -> None:
        assert fields.parse_date(text, NOW) == EXAMPLE

    @pytest.mark.parametrize(
        "text",
        [
            *("0", "-1", "", "now", "784111777"),
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37 EST",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov  1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT\n",
            " Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
            "\u017fun, 06 Nov 1994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
        ],
    )
    def test_everything_else_is_no_date(self, text: str) -> None:
        assert fields.parse_date(text, NOW) is None

    def test_a_leap_second_is_the_first_second_of_the_next_minute(self) -> None:
        assert fields.parse_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == datetime(2017, 1, 1, tzinfo=UTC).timestamp()

    @pytest.mark.parametrize(
        ("text", "year"),
        [
            ("Sunday, 22-Nov-76 11:00:00 GMT", 2076),
            ("Sunday, 22-Nov-76 11:00:01 GMT", 1976),
            ("Sunday, 01-Jan-77 00:00:00 GMT", 1977),
            ("Sunday, 01-Jan-26 00:00:00 GMT", 2026),
            ("Sunday, 01-Jan-99 00:00:00 GMT", 1999),
        ],
    )
    def test_two_digit_years_are_at_most_fifty_years_ahead(self, text: str, year: int) -> None:
        seconds = fields.parse_date(text, NOW)
        assert seconds is not None
        assert datetime.fromtimestamp(seconds, UTC).year == year

    @pytest.mark.row(39, at="the rules alone: dates beside an absurd clock")
    @pytest.mark.parametrize("now", [float("inf"), float("nan"), -1e18, 1e18])
    def test_an_absurd_clock_makes_no_date_of_two_digits(self, now: float) -> None:
        """Seen red: a clock beyond the calendar is a failure of ours."""
        assert fields.parse_date("Sunday, 06-Nov-94 08:49:37 GMT", now) is None

    @given(st.integers(-62135596800, 253402300799))
    def test_what_is_formatted_is_read_back(self, seconds: int) -> None:
        assert fields.parse_date(fields.format_date(seconds), NOW) == seconds
        assert fields.format_date(seconds + 0.999) == fields.format_date(seconds)

    def test_a_fraction_is_never_rounded_up(self) -> None:
        assert fields.format_date(NOW + 0.9999998) == fields.format_date(NOW)
        assert fields.format_date(-0.25) == "Wed, 31 Dec 1969 23:59:59 GMT"

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @given(st.text() | st.from_regex(fields._RFC850), st.floats())
    def test_the_parser_never_raises(self, text: str, now: float) -> None:
        assert fields.parse_date(text, now) is None or isinstance(fields.parse_date(text, now), int)


class TestDeltaSeconds:
    """RFC 9111 §1.2.2."""

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            *(("0", 0), ("60", 60), ("0003600", 3600), ("1000000000", 10**9), ("2147483647", 2**31 - 1)),
            *(("2147483648", 2**31), ("4294967296", 2**31), ("10000000000", 2**31), ("9" * 9000, 2**31)),
        ],
    )
    def test_digits_are_seconds_and_too_many_are_the_greatest(self, text: str, seconds: int) -> None:
        assert fields.delta_seconds(text) == seconds

    def test_leading_zeros_do_not_make_a_number_large(self) -> None:
        assert fields.delta_seconds("0" * 9000 + "7") == 7

    @pytest.mark.parametrize("text", [None, "", "-1", "+1", "1.0", "1_0", " 1", "1s", "\u0661", "\u00b2"])
    def test_anything_but_ascii_digits_is_malformed(self, text: str | None) -> None:
        assert fields.delta_seconds(text) is None

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @given(st.text())
    def test_the_parser_never_raises(self, text: str) -> None:
        """Seen red: a number of seconds is read as Python reads it."""
        seconds = fields.delta_seconds(text)
        assert seconds is None or 0 <= seconds <= 2**31


class TestLists:
    """RFC 9110 §5.6.1."""

    @pytest.mark.parametrize(
        ("text", "members"),
        [
            ("a, b ,\tc", ["a", "b", "c"]),
            (",, a,,", ["a"]),
            ("", []),
            ('a="1, 2", b', ['a="1, 2"', "b"]),
            (r'a="\", x", b', [r'a="\", x"', "b"]),
            ('"', ['"']),
            ("\xa0a\n", ["\xa0a\n"]),
            ("Xa, aX", ["Xa", "aX"]),
        ],
    )
    def test_commas_split_outside_of_quoted_strings(self, text: str, members: list[str]) -> None:
        assert fields.split_list(text) == members

    def test_an_open_quote_hides_nothing(self) -> None:
        assert fields.split_list('a="1, no-store') == ['a="1', "no-store"]
        assert fields.split_list('a="1, no-store\\') == ['a="1', "no-store\\"]

    @given(st.text(st.sampled_from('ab,"\\ \t=')))
    def test_members_are_stripped_and_never_empty(self, text: str) -> None:
        members = fields.split_list(text)
        assert all(member and member == member.strip(" \t") for member in members)
        lost = str.maketrans("", "", ", \t")
        assert "".join(members).translate(lost) == text.translate(lost)

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @pytest.mark.parametrize("text", ['"\\"' * 20000, '"\\' * 30000, '="' * 30001, ',"' * 30001, "," * 60000])
    def test_hostile_text_costs_linear_time(self, text: str) -> None:
        started = time.process_time()
        fields.split_list(text)
        fields.cache_control(text)
        fields.targeted(text)
        fields.entity_tags(text)
        assert time.process_time() - started < 2.0


class TestEntityTags:
    """RFC 9110 §8.8.3."""

    @pytest.mark.parametrize("text", ['"a"', 'W/"a"', '""', '"a,b\\"', '"\u00fc"'])
    def test_quoted_text_is_a_tag(self, text: str) -> None:
        assert fields.entity_tag(text) == text

    @pytest.mark.parametrize("text", [None, "a", 'w/"a"', 'W"a"', '"a" ', '"a', '"a b"', '"a"b"', "*", '"a", "b"'])
    def test_other_text_is_none(self, text: str | None) -> None:
        assert fields.entity_tag(text) is None

    def test_a_list_keeps_commas_and_backslashes_inside_tags(self) -> None:
        assert fields.entity_tags('"a,b", W/"c\\" ,, "d"') == ('"a,b"', 'W/"c\\"', '"d"')

    @pytest.mark.parametrize("text", ["a", '"a", b', "*", '"a", *', '"a" "', 'W/ "a"', '"a" X', '"a"\n'])
    def test_a_list_with_anything_else_has_no_tags(self, text: str) -> None:
        assert fields.entity_tags(text) == ()

    def test_strong_comparison_wants_two_strong_tags(self) -> None:
        assert fields.same_strongly('"a"', '"a"')
        assert not fields.same_strongly('W/"a"', 'W/"a"')
        assert not fields.same_strongly('W/"a"', '"a"')

    def test_weak_comparison_ignores_the_flag(self) -> None:
        assert fields.same_weakly('W/"a"', '"a"')
        assert not fields.same_weakly('"a"', '"b"')

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @given(st.text())
    def test_the_parsers_never_raise(self, text: str) -> None:
        tag = fields.entity_tag(text)
        assert tag is None or fields.entity_tags(text) == (tag,)
