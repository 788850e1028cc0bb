"""Byte ranges: what is asked for, and how it is framed (RFC 9110 §14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.httpcache.ranges import (
    Part,
    Parts,
    Selection,
    Unsatisfiable,
    Whole,
    content_range,
    multipart,
    select,
    unsatisfied,
    wanted,
)
from mirror.model import Headers, Request
from tests.httpcache.builders import date, headers, request

STORED = headers(etag='"a"', last_modified=date(-1000), date=date())


def ask(text: str, size: int | None = 10, stored: Headers = STORED, method: str = "GET", **more: str) -> Selection:
    return select(request(method, range=text, **more), stored, size)


class TestOneRange:
    """RFC 9110 §14.1.2, §14.2."""

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("bytes=0-0", (0, 1)),
            ("bytes=2-5", (2, 6)),
            ("bytes=5-", (5, 10)),
            ("bytes=0-", (0, 10)),
            ("bytes=-3", (7, 10)),
            ("bytes=-99", (0, 10)),
            ("bytes=5-99999999999999999999999", (5, 10)),
            ("BYTES=0-1", (0, 2)),
            ("bytes=,0-1, ", (0, 2)),
            ("bytes=000-0001", (0, 2)),
        ],
    )
    def test_it_is_a_part(self, text: str, part: tuple[int, int]) -> None:
        assert ask(text) == Part(*part)

    @pytest.mark.parametrize(
        "text", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-", "bytes=10-,-0"]
    )
    def test_beyond_the_end_is_unsatisfiable(self, text: str) -> None:
        assert ask(text) == Unsatisfiable()

    @pytest.mark.row(46, at="more than 8 parts, 100 ranges or 4 KiB: the whole, once; time is not taken")
    @pytest.mark.parametrize(
        "text",
        [
            *(
                "bytes",
                "bytes=",
                "bytes=-",
                "bytes=a-b",
                "bytes=5-4",
                "bytes=0-1,x",
                "bytes=1",
                "bytes=--1",
                "bytes 0-1",
            ),
            *("lines=0-1", "bytes=0-1-2", "bytes=+0-1", "bytes=0-1_0", "bytes=\u0660-\u0661", "bytes=0 - 1", ""),
            *("bytes=0-1, bytes=2-3", "bytes=0-1;", "bytes=\u00b2-", "bytes=0x0-1"),
        ],
    )
    def test_unknown_or_malformed_is_ignored(self, text: str) -> None:
        assert ask(text) == Whole()
        assert wanted(request(range=text)) is None

    def test_large_bodies_have_ranges_too(self) -> None:
        assert ask("bytes=0-999999999999", size=10**13) == Part(0, 10**12)
        assert ask("bytes=9999999999999-", size=10**13) == Part(10**13 - 1, 10**13)

    def test_the_last_bytes_of_nothing_are_nothing_whole(self) -> None:
        assert ask("bytes=-5", size=0) == Whole()
        for text in ("bytes=0-", "bytes=0-5", "bytes=-0", "bytes=-0,5-9"):
            assert ask(text, size=0) == Unsatisfiable()

    def test_without_a_size_or_a_range_it_is_whole(self) -> None:
        assert ask("bytes=0-1", size=None) == Whole()
        assert select(request(), STORED, 10) == Whole()

    @pytest.mark.parametrize("method", ["HEAD", "POST"])
    def test_only_get_has_ranges(self, method: str) -> None:
        assert ask("bytes=0-1", method=method) == Whole()
        assert wanted(request(method, range="bytes=0-1")) is None


class TestSeveralRanges:
    """RFC 9110 §15.3.7.2, §17.15."""

    def test_a_few_are_parts_in_the_order_asked_for(self) -> None:
        assert ask("bytes=8-9, 0-1,4-4") == Parts(((8, 10), (0, 2), (4, 5)))
        assert ask("bytes=0-4,5-9") == Parts(((0, 5), (5, 10)))
        assert ask("bytes=5-9,0-4") == Parts(((5, 10), (0, 5)))

    @pytest.mark.row(46, at="more than 8 parts, 100 ranges or 4 KiB: the whole, once; time is not taken")
    def test_overlapping_ones_are_merged(self) -> None:
        assert ask("bytes=0-4,3-6") == Part(0, 7)
        assert ask("bytes=5-9,0-1,6-7,-2") == Parts(((0, 2), (5, 10)))
        assert ask("bytes=0-0,0-0") == Part(0, 1)
        assert ask("bytes=7-9,0-4,3-6") == Parts(((0, 7), (7, 10)))

    def test_what_is_beyond_the_end_is_left_out(self) -> None:
        assert ask("bytes=0-1,20-30") == Part(0, 2)

    @pytest.mark.row(46, at="more than 8 parts, 100 ranges or 4 KiB: the whole, once; time is not taken")
    def test_more_than_eight_are_whole(self) -> None:
        def every_other(count: int) -> str:
            return "bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(count))

        assert isinstance(ask(every_other(8), size=100), Parts)
        assert ask(every_other(9), size=100) == Whole()

    @pytest.mark.row(46, at="more than 8 parts, 100 ranges or 4 KiB: the whole, once; time is not taken")
    def test_abuse_is_whole(self) -> None:
        assert ask("bytes=" + ",".join(["0-0"] * 100)) == Part(0, 1)
        assert ask("bytes=" + ",".join(["0-0"] * 101)) == Whole()
        assert ask("bytes=0-" + "0" * 4087 + "1") == Part(0, 2)
        assert ask("bytes=0-" + "0" * 4088 + "1") == Whole()


class TestIfRange:
    """RFC 9110 §13.1.5."""

    @pytest.mark.parametrize("condition", ['"a"', date(-1000)])
    def test_the_stored_validator_gives_the_part(self, condition: str) -> None:
        assert ask("bytes=0-1", if_range=condition) == Part(0, 2)

    @pytest.mark.parametrize("condition", ['"b"', 'W/"a"', "a", date(-999), date(-1001), "x", "", '"a", "b"', "*"])
    def test_any_other_gives_the_whole(self, condition: str) -> None:
        assert ask("bytes=0-1", if_range=condition) == Whole()
        assert ask("bytes=99-", if_range=condition) == Whole()

    def test_weak_tags_never_match(self) -> None:
        assert ask("bytes=0-1", stored=headers(etag='W/"a"'), if_range='W/"a"') == Whole()

    def test_a_date_of_the_second_of_the_response_is_weak(self) -> None:
        assert ask("bytes=0-1", stored=headers(last_modified=date(), date=date()), if_range=date()) == Whole()
        assert ask("bytes=0-1", stored=headers(last_modified=date()), if_range=date()) == Part(0, 2)

    @pytest.mark.parametrize("text", ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
    def test_a_date_in_an_old_format_matches_its_exact_echo(self, text: str) -> None:
        stored = headers(last_modified=text, date="Sunday, 06-Nov-94 08:49:38 GMT")
        assert ask("bytes=0-1", stored=stored, if_range=text) == Part(0, 2)
        assert ask("bytes=0-1", stored=stored, if_range="Sun, 06 Nov 1994 08:49:37 GMT") == Whole()
        assert ask("bytes=0-1", stored=headers(last_modified=text, date=text), if_range=text) == Whole()

    def test_an_equal_text_that_is_no_date_does_not_match(self) -> None:
        assert ask("bytes=0-1", stored=headers(last_modified="x"), if_range="x") == Whole()


class TestColdObjects:
    """RFC 9110 §14.2, of an object whose size nobody knows yet."""

    @pytest.mark.parametrize(
        ("text", "start_end"),
        [
            ("bytes=5-9", (5, 10)),
            ("bytes=5-", (5, None)),
            ("bytes=-5", (-5, None)),
            ("bytes=-0", None),
            ("bytes=0-1,4-5", None),
        ],
    )
    def test_one_range_can_be_begun_without_a_size(self, text: str, start_end: tuple[int, int | None] | None) -> None:
        assert wanted(request(range=text, if_range='"a"')) == start_end

    def test_nothing_asked_nothing_wanted(self) -> None:
        assert wanted(request()) is None


class TestFraming:
    """RFC 9110 §14.4, §14.6."""

    def test_content_range_has_an_inclusive_end(self) -> None:
        assert content_range(2, 6, 10) == "bytes 2-5/10"
        assert unsatisfied(10) == "bytes */10"

    def test_parts_are_framed_and_counted(self) -> None:
        body = b"0123456789"
        ranges = ((8, 10), (0, 2))
        prefixes, trailer, length = multipart(ranges, 10, "text/plain", "edge")
        whole = b"".join(prefix + body[start:end] for prefix, (start, end) in zip(prefixes, ranges, strict=True))
        assert whole + trailer == (
            b"--edge\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89"
            b"\r\n--edge\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01"
            b"\r\n--edge--\r\n"
        )
        assert length == len(whole + trailer)

    def test_a_type_that_no_field_can_hold_does_not_break_the_framing(self) -> None:
        prefixes, trailer, length = multipart(((0, 1),), 10, "text/\u20ac", "\u20ac")
        assert prefixes == [b"--?\r\nContent-Type: text/?\r\nContent-Range: bytes 0-0/10\r\n\r\n"]
        assert trailer == b"\r\n--?--\r\n"
        assert length == len(prefixes[0]) + 1 + len(trailer)

    def test_without_a_type_the_parts_have_none(self) -> None:
        prefixes, _, _ = multipart(((0, 1),), 10, "", "edge")
        assert prefixes == [b"--edge\r\nContent-Range: bytes 0-0/10\r\n\r\n"]


SPECS = st.lists(st.from_regex(r"[0-9]{0,3}-[0-9]{0,3}", fullmatch=True), max_size=12).map(
    lambda s: "bytes=" + ",".join(s)
)


class TestAnyRange:
    """RFC 9110 §14.1.2: within the bytes, whatever is asked."""

    @pytest.mark.row(46, at="random texts: never more than the object's bytes")
    @given(st.text() | SPECS, st.none() | st.integers(0, 500), st.none() | st.text())
    def test_whatever_is_asked_lies_within_the_bytes_once(
        self, text: str, size: int | None, condition: str | None
    ) -> None:
        fields = headers(range=text, **({} if condition is None else {"if_range": condition}))
        asked = Request("GET", "/x", headers=fields)
        match select(asked, STORED, size):
            case Part(start, end):
                assert size is not None
                assert 0 <= start < end <= size
            case Parts(ranges):
                ordered = sorted(ranges)
                assert size is not None
                assert 2 <= len(ranges) <= 8
                assert sum(end - start for start, end in ranges) <= size
                assert all(start < end <= size for start, end in ranges)
                assert all(ordered[i][1] <= ordered[i + 1][0] for i in range(len(ordered) - 1))
            case other:
                assert other in (Whole(), Unsatisfiable())

    @given(st.text() | SPECS, st.integers(1, 500))
    def test_what_is_wanted_cold_is_what_is_selected_later(self, text: str, size: int) -> None:
        begun = wanted(request(range=text))
        if begun is not None and begun[0] < size:
            start = begun[0] if begun[0] >= 0 else max(0, size + begun[0])
            assert ask(text, size=size) == Part(start, min(size, begun[1] or size))
