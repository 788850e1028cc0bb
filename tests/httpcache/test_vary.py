"""Variants (RFC 9111 §4.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.httpcache import vary
from mirror.model import Head, Headers
from tests.httpcache.builders import NOW, head, request


class TestNames:
    def test_the_fields_in_any_order_and_case_are_the_same(self) -> None:
        assert vary.names(head(vary="Foo, bar")) == vary.names(head(vary="BAR,foo , foo,")) == ("bar", "foo")

    def test_lines_are_one_list(self) -> None:
        assert vary.names(Head(200, Headers((("vary", "a"), ("vary", "b"))), NOW, NOW)) == ("a", "b")

    def test_without_vary_there_are_none(self) -> None:
        assert vary.names(head()) == ()
        assert not vary.never(head())

    @pytest.mark.parametrize("value", ["*", "*, *", ", *", "foo, *", "*, foo"])
    def test_a_star_anywhere_never_matches(self, value: str) -> None:
        assert vary.names(head(vary=value)) is None
        assert vary.never(head(vary=value))

    @given(st.text())
    def test_both_questions_agree_on_any_text(self, value: str) -> None:
        assert vary.never(head(vary=value)) == (vary.names(head(vary=value)) is None)


class TestSignature:
    def sign(self, *names: str, **fields: str) -> str:
        return vary.signature(names, request(**fields))

    def test_nothing_varies_nothing_is_signed(self) -> None:
        assert self.sign(foo="1") == ""

    def test_absent_equals_absent_and_nothing_else(self) -> None:
        assert self.sign("foo") == self.sign("foo", bar="1")
        assert len({self.sign("foo"), self.sign("foo", foo=""), self.sign("foo", foo="None")}) == 3

    def test_order_of_names_and_white_space_do_not_count(self) -> None:
        assert self.sign("foo", "bar", foo="1, 2", bar="x") == self.sign("bar", "foo", bar="x", foo="1 ,2")

    def test_lines_are_joined(self) -> None:
        lines = request()
        two = type(lines)("GET", "/x", headers=Headers((("foo", "1"), ("foo", "2"))))
        assert vary.signature(("foo",), two) == self.sign("foo", foo="1, 2")

    def test_values_differ_in_case_except_where_case_means_nothing(self) -> None:
        assert self.sign("foo", foo="A") != self.sign("foo", foo="a")
        assert self.sign("accept-encoding", accept_encoding="GZIP") == self.sign(
            "accept-encoding", accept_encoding="gzip"
        )

    def test_order_of_values_counts(self) -> None:
        assert self.sign("foo", foo="1, 2") != self.sign("foo", foo="2, 1")

    def test_a_comma_in_a_cookie_is_text(self) -> None:
        assert self.sign("cookie", cookie="a=1, 2") != self.sign("cookie", cookie="a=1,2")

    def test_secrets_do_not_show_and_keys_stay_short(self) -> None:
        signed = self.sign("authorization", authorization="Bearer secret")
        assert "secret" not in signed
        assert len(signed) == 32

    @given(st.lists(st.text(), max_size=3), st.text(), st.text())
    def test_values_never_run_into_each_other(self, names: list[str], one: str, other: str) -> None:
        first, second = self.sign("a", "b", a=one, b=other), self.sign("a", "b", a=other, b=one)
        assert (first == second) == (vary.signature(("a",), request(a=one)) == vary.signature(("a",), request(a=other)))
        assert vary.signature(tuple(names), request()) == vary.signature(tuple(reversed(names)), request())
