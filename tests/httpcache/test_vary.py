"""Variants (RFC 9111 §4.1)."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.httpcache import vary
from mirror.model import Head, Headers
from tests.httpcache.builders import NOW, head, headers, request


def sign(*names: str, **fields: str) -> str:
    return vary.signature(names, request(**fields))


class TestNames:
    """RFC 9111 §4.1, RFC 9110 §12.5.5."""

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
    """RFC 9111 §4.1: the nominated fields of two requests match."""

    def test_nothing_varies_nothing_is_signed(self) -> None:
        assert sign(foo="1") == ""

    def test_absent_equals_absent_and_nothing_else(self) -> None:
        assert sign("foo") == sign("foo", bar="1")
        assert len({sign("foo"), sign("foo", foo=""), sign("foo", foo="None")}) == 3

    def test_order_of_names_and_white_space_do_not_count(self) -> None:
        assert sign("foo", "bar", foo="1, 2", bar="x") == sign("bar", "foo", bar="x", foo="1 ,2")
        assert sign("foo", "foo", foo="1") == sign("foo", foo="1")

    def test_lines_are_joined(self) -> None:
        lines = request()
        two = type(lines)("GET", "/x", headers=Headers((("foo", "1"), ("foo", "2"))))
        assert vary.signature(("foo",), two) == sign("foo", foo="1, 2")

    def test_order_of_values_counts(self) -> None:
        assert sign("foo", foo="1, 2") != sign("foo", foo="2, 1")

    def test_values_differ_in_case(self) -> None:
        assert sign("foo", foo="A") != sign("foo", foo="a")
        assert sign("accept", accept='a/b;v="A"') != sign("accept", accept='a/b;v="a"')

    @pytest.mark.parametrize("name", ["authorization", "cookie", "from", "host", "origin", "referer", "user-agent"])
    def test_a_comma_in_a_field_that_is_no_list_is_text(self, name: str) -> None:
        assert sign(name, **{name: "a=1, 2"}) != sign(name, **{name: "a=1,2"})

    def test_secrets_do_not_show_and_keys_stay_short(self) -> None:
        signed = sign("authorization", authorization="Bearer secret")
        assert "secret" not in signed
        assert len(signed) == 32

    @given(st.lists(st.text(), max_size=3), st.text(), st.text())
    def test_values_never_run_into_each_other(self, names: list[str], one: str, other: str) -> None:
        first, second = sign("a", "b", a=one, b=other), sign("a", "b", a=other, b=one)
        assert (first == second) == (vary.signature(("a",), request(a=one)) == vary.signature(("a",), request(a=other)))
        assert vary.signature(tuple(names), request()) == vary.signature(tuple(reversed(names)), request())


CASELESS = ["accept-charset", "accept-encoding", "accept-language"]
MEMBERS = st.lists(st.tuples(st.sampled_from(["gzip", "br", "x=1"]), st.sampled_from([1, 0.5, 0.25])), max_size=3)


@pytest.mark.parametrize("name", CASELESS)
class TestWeighted:
    """RFC 9110 §12.4.2, §12.5.2-4: what may be normalized without changing the meaning (RFC 9111 §4.1)."""

    def sign(self, name: str, value: str) -> str:
        return sign(name, **{name: value})

    def test_case_and_order_say_nothing(self, name: str) -> None:
        assert self.sign(name, "GZIP, br") == self.sign(name, "BR,gzip")

    @pytest.mark.parametrize(
        "value", ["gzip;q=1", "gzip;q=1.", "gzip;q=1.0", "gzip;q=1.000", "gzip ; Q=1", "gzip;q = 1"]
    )
    def test_the_weight_one_is_no_weight(self, name: str, value: str) -> None:
        assert self.sign(name, value) == self.sign(name, "gzip")

    @pytest.mark.parametrize(
        "value", ["gzip;q=0.5", "gzip;q=0", "gzip;q=1.0000", "gzip;q=10", "gzip;q=1;a=b", "gzip;q1"]
    )
    def test_another_weight_is_another_wish(self, name: str, value: str) -> None:
        assert self.sign(name, value) != self.sign(name, "gzip")

    def test_white_space_around_a_weight_does_not_count(self, name: str) -> None:
        assert self.sign(name, "gzip ;\tq = 0.5,br") == self.sign(name, "br, gzip;q=0.5")
        assert self.sign(name, "gz ip") != self.sign(name, "gzip")

    @given(one=MEMBERS, other=MEMBERS, space=st.sampled_from(["", " ", "\t"]))
    def test_two_lists_are_the_same_when_they_mean_the_same(
        self, name: str, one: list[tuple[str, float]], other: list[tuple[str, float]], space: str
    ) -> None:
        first = ", ".join(f"{token};q={weight}" for token, weight in one)
        second = ",".join(f"{token}{space};{space}q={weight}" for token, weight in other)
        assert (self.sign(name, first) == self.sign(name, second)) == (Counter(one) == Counter(other))


class TestKeys:
    """RFC 9111 §4.1: the variants of one address lie side by side."""

    def key(self, told: str, plain: str = "/m/x", **asked: str) -> str:
        return vary.key(plain, Head(200, headers(vary=told), NOW, NOW), request(**asked))

    def test_what_does_not_vary_is_stored_under_its_address(self) -> None:
        assert vary.key("/m/x?a=b", head(), request(foo="1")) == "/m/x?a=b"
        assert vary.key("/m/x variant", head(), request()) == "/m/x"

    def test_a_variant_stands_behind_the_address(self) -> None:
        assert self.key("Foo", foo="1") == f"/m/x {sign('foo', foo='1')}"
        assert self.key("foo", foo="1") != self.key("foo", foo="2")

    def test_another_variant_takes_the_place_of_the_one_in_the_key(self) -> None:
        assert self.key("foo", "/m/x old variant", foo="1") == self.key("foo", foo="1")

    def test_what_varies_on_everything_has_no_key(self) -> None:
        assert self.key("foo, *", foo="1") == ""
