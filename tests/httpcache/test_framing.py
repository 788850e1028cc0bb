"""Which bytes an answer says it has, and which of its fields go no further than one connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.httpcache import fields
from mirror.model import Headers


class TestContentRange:
    """RFC 9110 §14.4."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("bytes 0-0/1", (0, 1, 1)),
            ("BYTES 5-9/10", (5, 10, 10)),
            ("bytes 5-9/*", (5, 10, None)),
            ("bytes */10", (0, 0, 10)),
        ],
    )
    def test_it_is_read_with_an_exclusive_end(self, text: str, expected: tuple[int, int, int | None]) -> None:
        assert fields.content_range(text) == fields.ContentRange(*expected)

    @pytest.mark.parametrize(
        "text",
        [
            None,
            "",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes */*",
            "bytes=0-1/2",
            "lines 0-1/2",
            "bytes 0-1/2 ",
            "bytes -1-2/3",
            "bytes 0-1",
            "bytes \u0660-1/2",
            "bytes 0-1/" + "9" * 5000,
        ],
    )
    def test_what_contradicts_itself_or_is_malformed_is_none(self, text: str | None) -> None:
        assert fields.content_range(text) is None

    @pytest.mark.row(53, at="50 examples of each parser in CI")
    @given(st.text() | st.from_regex(r"bytes [0-9*]+-?[0-9]*/[0-9*]+", fullmatch=True))
    def test_the_parser_never_raises_and_never_promises_bytes_that_are_not_there(self, text: str) -> None:
        found = fields.content_range(text)
        assert found is None or (found.start <= found.end and (found.size is None or found.end <= found.size))


class TestHopByHop:
    """RFC 9110 §7.6.1, RFC 9111 §3.1."""

    def test_connection_and_what_it_names_is_dropped(self) -> None:
        given = Headers.of([("Connection", "close, X-Secret"), ("X-Secret", "1"), ("Keep-Alive", "1"), ("X-Kept", "2")])
        assert fields.end_to_end(given) == Headers((("x-kept", "2"),))

    @pytest.mark.parametrize(
        "name",
        [
            *("connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization"),
            *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        ],
    )
    def test_what_is_of_one_connection_is_dropped_though_connection_does_not_name_it(self, name: str) -> None:
        given = Headers(((name, "x"), ("x-kept", "1"), ("content-length", "2")))
        assert fields.end_to_end(given) == Headers((("x-kept", "1"), ("content-length", "2")))

    def test_without_a_connection_field_all_others_stay(self) -> None:
        given = Headers.of([("Set-Cookie", "a"), ("Set-Cookie", "b"), ("X", "1"), ("Age", "5")])
        assert fields.end_to_end(given) == given
