"""Cache directives: Cache-Control (RFC 9111 §5.2) and CDN-Cache-Control (RFC 9213)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.httpcache.fields import cache_control, targeted
from mirror.httpcache.freshness import directives
from tests.httpcache.builders import headers


class TestCacheControl:
    """RFC 9111 §5.2, §4.2.1."""

    def test_names_match_in_any_case(self) -> None:
        found = cache_control("No-StOrE, MAX-AGE=5")
        assert "no-store" in found
        assert found.seconds("max-age") == 5

    def test_quoted_and_bare_arguments_are_the_same(self) -> None:
        assert cache_control('max-age="60"').seconds("max-age") == 60
        assert cache_control(r'max-age="6\0"').seconds("max-age") == 60

    @pytest.mark.parametrize(
        "text", ['x="max-age=100", max-age=1', 'max-age=1, x="max-age=100"', r'x="\", no-store", max-age=1']
    )
    def test_text_in_a_quoted_string_is_no_directive(self, text: str) -> None:
        found = cache_control(text)
        assert found.seconds("max-age") == 1
        assert "no-store" not in found

    @pytest.mark.parametrize(
        "argument",
        ["", "=", "=-1", "=1.0", "=1.5", "=a1", "=1a", "='1'", "= 1", " =1", '="1', "=1 2", "=\u0661", "=1, max-age=2"],
    )
    def test_a_malformed_or_contradictory_number_is_zero(self, argument: str) -> None:
        assert cache_control(f"max-age{argument}").seconds("max-age") == 0

    @pytest.mark.parametrize("text", ["x=1, x=2", "x, x=1", 'x=""', "x 1", "x=1, x=2, x=1", "x=", 'x:"1"'])
    def test_what_cannot_be_used_is_neither_an_argument_nor_none(self, text: str) -> None:
        assert cache_control(text).arguments == {"x": ""}

    def test_an_argument_is_its_plain_text(self) -> None:
        told = cache_control(r'a, b=1, c="d, \"e", f="')
        assert cache_control('a, b=1, c="d, e"').arguments == {"a": None, "b": "1", "c": "d, e"}
        assert told.arguments["c"] == '"d'

    def test_the_same_number_twice_is_no_contradiction(self) -> None:
        assert cache_control("max-age=5, max-age=5").seconds("max-age") == 5

    def test_absent_is_none(self) -> None:
        assert cache_control("public").seconds("max-age") is None
        assert cache_control(None).seconds("max-age") is None

    def test_junk_does_not_hide_a_prohibition(self) -> None:
        for text in ('x="1, no-store', "=, no-store", "@@@, no-store", "no-store foo", "no-store=1", 'no-store="x"'):
            assert "no-store" in cache_control(text)

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @given(st.text() | st.text(st.sampled_from('max-age=01",\\ private')))
    def test_the_parser_never_raises(self, text: str) -> None:
        found = cache_control(text)
        assert all(found.seconds(name) is not None and name == name.lower() for name in found.arguments)


class TestTargeted:
    """RFC 9213 §2.1: a Dictionary of RFC 9651 §3.2."""

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("max-age=60", 60),
            ("foo, max-age=60;bar=1;baz", 60),
            ("max-age=1, max-age=60", 60),
            ('x="a, b", max-age=60', 60),
            ('x=("a" tok;q=1.5  1 ), max-age=60', 60),
            ("x=:YQ==:, y=?1, z=1.25, max-age=60", 60),
            ('max-age="60"', 0),
            ("max-age=6.5", 0),
            ("max-age=-5", 0),
            ("max-age", 0),
        ],
    )
    def test_a_dictionary_is_read_with_its_types(self, text: str, seconds: int) -> None:
        found = targeted(text)
        assert found is not None
        assert found.targeted
        assert found.seconds("max-age") == seconds

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "max-age=60, &&&",
            "max-age=60,",
            ",max-age=60",
            "Max-Age=60",
            "max-age= 60",
            "max-age =60",
            "a b",
            "max-age='60'",
            'x="a',
            "x=(1",
            "max-age=60;",
            "x=1234567890123456",
            "x=1.2345",
            'x="\u00fc"',
            "x=?2",
            "\tmax-age=60",
            "Xmax-age=60",
            "max-age=60X ",
        ],
    )
    def test_anything_else_is_ignored_whole(self, text: str) -> None:
        assert targeted(text) is None

    def test_false_means_absent(self) -> None:
        found = targeted("no-store=?0, private=?1")
        assert found is not None
        assert "no-store" not in found
        assert found.arguments == {"private": None}

    @pytest.mark.parametrize("text", ["a=1, a=?0, b", "a, a=?0, b=?1", "a=?0, b"])
    def test_the_last_member_of_a_name_counts(self, text: str) -> None:
        found = targeted(text)
        assert found is not None
        assert found.arguments == {"b": None}

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @given(st.text() | st.text(st.sampled_from('max-age=01?",;()\\ :')))
    def test_the_parser_never_raises(self, text: str) -> None:
        found = targeted(text)
        assert found is None or found.arguments or "?0" in text


class TestPrecedence:
    """RFC 9213 §2.2."""

    def test_the_targeted_field_replaces_cache_control(self) -> None:
        found = directives(headers(cache_control="no-store", cdn_cache_control="max-age=9"))
        assert "no-store" not in found
        assert found.seconds("max-age") == 9
        assert found.targeted is True
        assert directives(headers(cache_control="max-age=9")).targeted is False

    def test_an_invalid_targeted_field_leaves_cache_control(self) -> None:
        assert "no-store" in directives(headers(cache_control="no-store", cdn_cache_control="max-age=9, &&"))
