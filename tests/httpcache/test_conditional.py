"""Preconditions of clients, and validation with the origin (RFC 9110 §13, RFC 9111 §4.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.httpcache.conditional import evaluate, merge, not_modified, strong_validator, validators
from mirror.model import Headers
from tests.httpcache.builders import NOW, date, head, headers, request

STORED = headers(etag='"a"', last_modified=date(-1000), date=date())


def ask(stored: Headers = STORED, status: int = 200, method: str = "GET", /, **fields: str) -> int:
    return evaluate(request(method, **fields), status, stored, NOW)


class TestIfNoneMatch:
    """RFC 9110 §13.1.2."""

    @pytest.mark.parametrize("value", ['"a"', 'W/"a"', '"x", "a"', '"a", "x"', "*", '"x",, W/"a" ,'])
    def test_a_tag_that_matches_weakly_gives_304(self, value: str) -> None:
        assert ask(if_none_match=value) == 304
        assert ask(STORED, 200, "HEAD", if_none_match=value) == 304

    @pytest.mark.parametrize("value", ['"b"', "a", '"a" x', "", '"A"'])
    def test_any_other_gives_the_answer(self, value: str) -> None:
        assert ask(if_none_match=value) == 200

    def test_a_weak_stored_tag_matches_too(self) -> None:
        assert ask(headers(etag='W/"a"'), if_none_match='"a"') == 304

    def test_it_beats_if_modified_since(self) -> None:
        assert ask(if_none_match='"b"', if_modified_since=date()) == 200
        assert ask(if_none_match='"a"', if_modified_since=date(-9999)) == 304

    def test_without_a_stored_tag_only_the_star_matches(self) -> None:
        assert ask(headers(), if_none_match='"a"') == 200
        assert ask(headers(), if_none_match="*") == 304

    @pytest.mark.parametrize("tag", ["unquoted", 'w/"a"', '"a', "a b", "a, b"])
    def test_an_origins_malformed_tag_matches_its_exact_echo_and_nothing_else(self, tag: str) -> None:
        stored = headers(etag=tag, last_modified=date(-1000))
        assert ask(stored, if_none_match=tag) == 304
        for other in (f'"{tag}"', f"{tag} ", f"{tag}, {tag}", tag.upper(), 'W/"a"', ""):
            assert ask(stored, if_none_match=other, if_modified_since=date()) == 200

    def test_the_echo_of_a_malformed_tag_is_no_if_match(self) -> None:
        assert ask(headers(etag="unquoted"), if_match="unquoted") == 412


class TestIfModifiedSince:
    """RFC 9110 §13.1.3, RFC 9111 §4.3.2."""

    def test_unchanged_since_then_gives_304(self) -> None:
        assert ask(if_modified_since=date(-1000)) == 304
        assert ask(if_modified_since=date(-999)) == 304
        assert ask(if_modified_since=date(-1001)) == 200

    def test_dates_in_the_old_formats_are_compared_too(self) -> None:
        stored = headers(last_modified="Sunday, 22-Nov-26 10:43:20 GMT")
        assert ask(stored, if_modified_since="Sunday, 22-Nov-26 10:43:20 GMT") == 304
        assert ask(stored, if_modified_since="Sun Nov 22 10:43:19 2026") == 200
        assert ask(headers(date="Sunday, 22-Nov-26 11:00:00 GMT"), if_modified_since=date()) == 304
        assert ask(stored, if_unmodified_since="Sunday, 22-Nov-26 10:43:19 GMT") == 412
        assert ask(stored, if_unmodified_since="Sunday, 22-Nov-26 10:43:20 GMT") == 200

    @pytest.mark.parametrize("value", ["0", "yesterday", f"{date()}, {date()}"])
    def test_what_is_no_date_is_ignored(self, value: str) -> None:
        assert ask(if_modified_since=value) == 200

    def test_without_last_modified_the_date_of_the_response_counts(self) -> None:
        assert ask(headers(date=date()), if_modified_since=date()) == 304
        assert ask(headers(date=date()), if_modified_since=date(-1)) == 200
        assert ask(headers(), if_modified_since=date()) == 200


class TestIfMatch:
    """RFC 9110 §13.1.1."""

    @pytest.mark.parametrize("value", ['"a"', "*", '"x", "a"'])
    def test_a_strong_match_goes_on(self, value: str) -> None:
        assert ask(if_match=value) == 200
        assert ask(if_match=value, if_none_match='"a"') == 304

    @pytest.mark.parametrize("value", ['"b"', 'W/"a"', "a", ""])
    def test_no_match_fails(self, value: str) -> None:
        assert ask(if_match=value) == 412
        assert ask(if_match=value, if_none_match='"a"') == 412

    def test_weak_tags_never_match(self) -> None:
        assert ask(headers(etag='W/"a"'), if_match='W/"a"') == 412


class TestIfUnmodifiedSince:
    """RFC 9110 §13.1.4."""

    def test_it_fails_after_a_change(self) -> None:
        assert ask(if_unmodified_since=date(-1001)) == 412
        assert ask(if_unmodified_since=date(-1000)) == 200
        assert ask(if_unmodified_since="x") == 200
        assert ask(headers(), if_unmodified_since=date(-1001)) == 200

    def test_if_match_beats_if_unmodified_since(self) -> None:
        assert ask(if_match='"a"', if_unmodified_since=date(-1001)) == 200


class TestWhatIsTested:
    """RFC 9110 §13.2.1."""

    @pytest.mark.parametrize("status", [203, 204, 301, 404, 410, 500])
    def test_only_a_200(self, status: int) -> None:
        assert ask(STORED, status, if_none_match="*", if_match='"b"') == 200

    def test_only_get_and_head(self) -> None:
        assert ask(STORED, 200, "POST", if_none_match="*") == 200

    def test_nothing_asked_nothing_tested(self) -> None:
        assert ask() == 200

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @given(
        st.text(), st.sampled_from(["if_match", "if_none_match", "if_modified_since", "if_unmodified_since"]), st.text()
    )
    def test_it_never_raises(self, value: str, name: str, tag: str) -> None:
        assert ask(headers(etag=tag, last_modified=value), **{name: value}) in (200, 304, 412)


class TestFieldsOfA304:
    """RFC 9110 §15.4.5."""

    def test_it_carries_what_validates_and_caches(self) -> None:
        stored = headers(
            etag='"a"',
            cache_control="x",
            date="d",
            expires="e",
            vary="v",
            content_location="/l",
            last_modified="m",
            content_type="t",
            content_length="9",
            set_cookie="c",
        )
        names = [name for name, _ in not_modified(stored)]
        assert names == ["etag", "cache-control", "date", "expires", "vary", "content-location"]

    def test_last_modified_only_stands_in_for_a_missing_etag(self) -> None:
        assert not_modified(headers(last_modified="m")) == headers(last_modified="m")


class TestMerging:
    """RFC 9111 §3.2, §4.3.4."""

    def test_each_field_of_the_304_replaces_all_lines_of_the_stored_one(self) -> None:
        stored = Headers((("x", "1"), ("set-cookie", "a"), ("set-cookie", "b")))
        fresh = Headers((("set-cookie", "c"), ("set-cookie", "d"), ("new", "2")))
        assert merge(stored, fresh) == Headers((("x", "1"), ("set-cookie", "c"), ("set-cookie", "d"), ("new", "2")))

    @pytest.mark.parametrize(
        "name",
        [
            "content-length",
            "content-encoding",
            "content-range",
            "content-md5",
            "content-digest",
            "repr-digest",
            "digest",
        ],
    )
    def test_what_describes_the_bytes_is_never_taken_from_a_304(self, name: str) -> None:
        assert merge(Headers(((name, "old"),)), Headers(((name, "new"),))) == Headers(((name, "old"),))
        assert merge(Headers(), Headers(((name, "new"),))) == Headers()

    @pytest.mark.parametrize("name", ["etag", "vary"])
    def test_the_name_of_the_bytes_and_the_variant_stay(self, name: str) -> None:
        assert merge(Headers(((name, "old"),)), Headers(((name, "new"),))) == Headers(((name, "old"),))
        assert merge(Headers(), Headers(((name, "new"),))) == Headers(((name, "new"),))

    def test_age_and_date_are_of_one_response(self) -> None:
        assert merge(headers(age="9", date="old", expires="e"), headers(x="1")) == headers(expires="e", x="1")
        assert merge(headers(age="9", date="old"), headers(date="new")) == headers(date="new")

    def test_hop_by_hop_fields_of_the_304_are_dropped(self) -> None:
        assert merge(headers(x="1"), headers(connection="x, y", x="2", y="3", keep_alive="5")) == headers(x="1")


class TestAskingTheOrigin:
    """RFC 9111 §4.3.1, RFC 9110 §13.1.5."""

    def test_both_validators_go_out_as_they_came(self) -> None:
        stored = headers(etag="unquoted", last_modified="some day", x="y")
        assert validators(stored) == headers(if_none_match="unquoted", if_modified_since="some day")
        assert validators(Headers()) == Headers()

    def test_a_strong_tag_is_the_validator_of_a_range(self) -> None:
        assert strong_validator(head(etag='"a"', last_modified=date(-1000))) == '"a"'

    @pytest.mark.parametrize("tag", ['W/"a"', "a", ""])
    def test_beside_any_other_tag_nothing_is(self, tag: str) -> None:
        given_tag = Headers((*head(last_modified=date(-1000)).headers, ("etag", tag)))
        assert strong_validator(type(head())(200, given_tag, NOW, NOW)) is None

    def test_a_date_is_strong_when_it_is_a_minute_older_than_the_response(self) -> None:
        assert strong_validator(head(last_modified=date(-60))) == date(-60)
        assert strong_validator(head(last_modified=date(-59))) is None
        assert strong_validator(head(last_modified=date(-60), date="")) is None
        assert strong_validator(head(last_modified="x")) is None
        assert strong_validator(head(date="Sunday, 22-Nov-26 11:00:00 GMT", last_modified=date(-60))) == date(-60)
        old = "Sunday, 22-Nov-26 10:59:00 GMT"
        assert strong_validator(head(last_modified=old)) == old
        assert strong_validator(head()) is None
