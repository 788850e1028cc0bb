"""JSON that is read and written piece by piece is the same as what the standard library makes of it at once."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import json_text
from mirror.errors import OriginError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
TOKENS = st.lists(st.sampled_from(["{", "}", "[", "]", ",", ":", '"a"', "1", "-", " ", "\n", "true", "nul", '"', "\\"]))


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_what_is_written_reads_as_what_was_read(document: dict[str, Any], indent: int | None, escaped: bool) -> None:
    body = json.dumps(document, indent=indent, ensure_ascii=escaped).encode(errors="surrogatepass")
    found = json_text.parsed(body)
    assert found == document
    assert list(found) == list(document)
    assert json.loads(b"".join(json_text.written(found))) == document


@given(TOKENS.map("".join))
def test_the_same_texts_are_json(text: str) -> None:
    expected: object = None
    with suppress(ValueError):
        expected = json.loads(text)
    try:
        assert json_text.parsed(text.encode()) == expected
    except OriginError:
        assert not isinstance(expected, dict)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":[1,]}',
        b'{"a":1,}',
        b"{1:1}",
        b'{"a":1}{}',
        b'{"a":"\xff"}',
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"1" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_the_origins_error(body: bytes) -> None:
    with pytest.raises(OriginError):
        json_text.parsed(body)


def test_a_large_array_is_read_and_written_in_many_steps() -> None:
    body = json.dumps({"files": [{"name": "x" * 100}] * 10_000}, separators=(",", ":")).encode()
    pieces = list(json_text.written(json_text.parsed(body)))
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) < 256 * 1024
    cursor = json_text.Cursor(body.decode())
    assert next(cursor.members()) == "files"
    assert next(cursor.elements()) == {"name": "x" * 100}
