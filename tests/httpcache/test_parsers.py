"""What must hold of every parser for any text: it answers, and what it reads back is what was written."""

from __future__ import annotations

from itertools import permutations
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.httpcache import conditional, fields, invalidation, ranges, vary
from mirror.model import Head, Headers, Request
from tests.httpcache.builders import NOW, URL, headers, request
from tests.httpcache.strategies import ENTRIES, HEADS

FIELD = st.text(st.characters(min_codepoint=32, max_codepoint=255))
ANY = st.text() | FIELD | st.text(st.sampled_from('max-age=01",\\ *W/?;:()#@.\t'))
TOKENS = st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True)
PAIRS = st.lists(st.tuples(TOKENS, ANY), max_size=5).map(lambda pairs: Headers(tuple(pairs)))
NAMES = st.sampled_from(
    [*("accept", "accept-encoding", "accept-language", "cookie", "etag", "vary", "connection", "te", "date", "age")]
)
FIELDS = st.lists(st.tuples(NAMES, FIELD), max_size=6).map(lambda pairs: Headers(tuple(pairs)))


class TestDates:
    """RFC 9110 §5.6.7."""

    @given(ANY | st.from_regex(fields._IMF) | st.from_regex(fields._RFC850) | st.from_regex(fields._ASCTIME))
    def test_what_was_read_is_read_again_from_what_is_written_for_it(self, text: str) -> None:
        seconds = fields.parse_date(text, NOW)
        if seconds is not None and seconds < 253402300800:
            assert fields.parse_date(fields.format_date(seconds), NOW) == seconds

    @given(st.from_regex(fields._RFC850, fullmatch=True), st.floats(0, 2e10))
    def test_no_date_of_two_digits_is_more_than_fifty_years_ahead(self, text: str, now: float) -> None:
        seconds = fields.parse_date(text, now)
        assert seconds is None or -51 * 366 * 86400 < seconds - now < 51 * 366 * 86400


class TestNumbers:
    """RFC 9111 §1.2.2."""

    @given(ANY)
    def test_what_was_read_is_read_again(self, text: str) -> None:
        seconds = fields.delta_seconds(text)
        assert seconds is None or fields.delta_seconds(str(seconds)) == seconds

    @given(st.integers(0, 10**15), st.integers(0, 20))
    def test_a_number_is_itself_or_the_greatest(self, number: int, zeros: int) -> None:
        assert fields.delta_seconds("0" * zeros + str(number)) == min(number, 2**31)


class TestLists:
    """RFC 9110 §5.6.1."""

    @given(ANY)
    def test_what_was_split_is_split_again(self, text: str) -> None:
        members = fields.split_list(text)
        assert all(member == member.strip(" \t") != "" for member in members)
        assert fields.split_list(", ".join(members)) == members

    @given(st.lists(TOKENS | TOKENS.map('"{}, x"'.format)))
    def test_members_come_back_whatever_stands_around_them(self, members: list[str]) -> None:
        assert fields.split_list(" ,\t".join(members) + ",") == members


class TestDirectives:
    """RFC 9111 §5.2, RFC 9213 §2.1."""

    @given(ANY)
    def test_no_text_before_or_behind_hides_a_prohibition(self, text: str) -> None:
        assert "no-store" in fields.cache_control(f"{text}, no-store")
        assert "no-store" in fields.cache_control(f"No-Store,{text}")

    @given(st.lists(TOKENS | st.builds("{}={}".format, TOKENS, st.integers(0, 3)), max_size=4))
    def test_the_order_of_directives_says_nothing(self, members: list[str]) -> None:
        told = fields.cache_control(", ".join(members))
        assert all(fields.cache_control(", ".join(other)) == told for other in permutations(members))
        assert fields.cache_control(", ".join(members).upper()) == told

    @given(ANY)
    def test_names_are_lower_case_and_every_number_can_be_asked(self, text: str) -> None:
        for found in (fields.cache_control(text), fields.targeted(text)):
            for name in found.arguments if found is not None else ():
                assert name == name.lower()
                assert 0 <= (found.seconds(name) or 0) <= 2**31  # type: ignore[union-attr]

    @given(st.dictionaries(TOKENS, st.integers(0, 10**9), min_size=1))
    def test_a_dictionary_of_integers_is_read_as_it_was_written(self, told: dict[str, int]) -> None:
        found = fields.targeted(", ".join(f"{name}={seconds}" for name, seconds in told.items()))
        assert found is not None
        assert {name: found.seconds(name) for name in found.arguments} == told


class TestTags:
    """RFC 9110 §8.8.3."""

    @given(ANY)
    def test_every_tag_of_a_list_is_one(self, text: str) -> None:
        tags = fields.entity_tags(text)
        assert all(fields.entity_tag(tag) == tag for tag in tags)
        assert fields.entity_tags(", ".join(tags)) == tags

    @given(ANY, ANY)
    def test_what_is_the_same_strongly_is_so_weakly(self, one: str, other: str) -> None:
        assert fields.same_weakly(one, other) or not fields.same_strongly(one, other)
        assert fields.same_weakly(one, other) == fields.same_weakly(other, one)


class TestContentRange:
    """RFC 9110 §14.4."""

    @given(st.integers(0, 10**17), st.integers(1, 10**9), st.integers(0, 10**9))
    def test_what_is_written_is_read_back(self, start: int, length: int, behind: int) -> None:
        end, size = start + length, start + length + behind
        assert fields.content_range(ranges.content_range(start, end, size)) == fields.ContentRange(start, end, size)
        assert fields.content_range(ranges.unsatisfied(size)) == fields.ContentRange(0, 0, size)

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @given(ANY, st.none() | st.integers(0, 99), ANY)
    def test_any_range_and_condition_has_an_answer(self, text: str, size: int | None, condition: str) -> None:
        asked = request(range=text, if_range=condition)
        assert isinstance(ranges.select(asked, headers(etag=condition), size), ranges.Selection)
        assert ranges.wanted(asked) is None or isinstance(ranges.select(asked, Headers(), None), ranges.Whole)

    @given(st.lists(st.tuples(st.integers(0, 99), st.integers(100, 199)), min_size=1, max_size=4), ANY, ANY)
    def test_the_length_of_several_parts_is_the_length_that_was_announced(
        self, parts: list[tuple[int, int]], content_type: str, boundary: str
    ) -> None:
        framing, trailer, length = ranges.multipart(tuple(parts), 200, content_type, boundary)
        assert length == len(b"".join(framing)) + sum(end - start for start, end in parts) + len(trailer)


class TestFields:
    """RFC 9110 §7.6.1, RFC 9111 §3.1, §4.3.4."""

    @given(FIELDS)
    def test_what_was_dropped_stays_dropped(self, told: Headers) -> None:
        assert fields.end_to_end(fields.end_to_end(told)) == fields.end_to_end(told)
        assert conditional.not_modified(conditional.not_modified(told)) == conditional.not_modified(told)

    @given(FIELDS, FIELDS)
    def test_the_same_304_twice_says_no_more_than_once(self, stored: Headers, fresh: Headers) -> None:
        once = conditional.merge(stored, fresh)
        assert sorted(conditional.merge(once, fresh)) == sorted(once)


class TestVariants:
    """RFC 9111 §4.1."""

    @given(st.lists(NAMES, max_size=3), FIELDS, FIELDS)
    def test_only_requests_that_ask_for_the_same_share_a_variant(
        self, names: list[str], one: Headers, other: Headers
    ) -> None:
        head = Head(200, headers(vary=", ".join(names)), NOW, NOW)
        first, second = (vary.key("/m/x", head, Request("GET", "/x", headers=asked)) for asked in (one, other))
        assert vary.key(second, head, Request("GET", "/x", headers=one)) == first
        assert (first == "/m/x") == (not names)
        for name in names if first == second else ():
            assert (name in one) == (name in other)
            lists = [fields.split_list(asked.get(name) or "") for asked in (one, other)]
            assert len(lists[0]) == len(lists[1])

    @given(ANY)
    def test_the_names_of_any_text_are_sorted_and_stay_what_they_are(self, text: str) -> None:
        names = vary.names(Head(200, headers(vary=text), NOW, NOW))
        if names is not None:
            assert list(names) == sorted(set(names))
            assert vary.names(Head(200, headers(vary=",".join(names)), NOW, NOW)) == names


class TestChoosing:
    """RFC 9111 §4.3.1, §4.3.4: total, and only what there is."""

    @given(st.lists(ENTRIES, max_size=4).map(tuple), HEADS)
    def test_what_is_chosen_was_offered(self, entries: tuple[conditional.Entry, ...], head: Head) -> None:
        told, offer = conditional.chosen(entries, head), conditional.offered(entries)
        assert told is None or told.validators.get("etag") in fields.entity_tags(offer)
        assert told is None or not conditional.contradicts(told, head)

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @given(PAIRS, ANY, ANY)
    def test_any_validators_and_preconditions_have_an_answer(self, told: Headers, tag: str, since: str) -> None:
        stored = Headers((*told, ("etag", tag), ("last-modified", since)))
        assert conditional.strong_validator(Head(200, stored, NOW, NOW)) in (None, tag)
        asked = request(if_none_match=tag, if_modified_since=since)
        assert conditional.evaluate(asked, 200, stored, NOW) == 304
        assert {value for _, value in conditional.validators(stored)} <= {tag, since, *dict(told.pairs).values()}


class TestTargets:
    """RFC 9111 §4.4."""

    @given(st.lists(st.tuples(st.sampled_from(["location", "content-location"]), ANY), max_size=4).map(tuple))
    def test_whatever_is_told_only_the_origins_own_addresses_are_named(self, told: tuple[tuple[str, str], ...]) -> None:
        found = invalidation.targets(URL, Headers(told))
        assert found[0] == URL
        assert len(set(found)) == len(found)
        assert all("#" not in url and urlsplit(url).hostname == urlsplit(URL).hostname for url in found)

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @given(ANY)
    def test_any_address_of_a_request_is_a_target(self, url: str) -> None:
        assert url in invalidation.targets(url, headers(location="/y", content_location="//["))
