"""Entries, notes and footers survive their way through text, and nothing else is taken for them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import StoreError
from mirror.model import Digest, Entry, Head, Headers
from mirror.ports import Note
from mirror.stores.codec import (
    MAGIC,
    TRAILER,
    dump_entry,
    dump_note,
    footer,
    footer_size,
    load_entry,
    load_footer,
    load_note,
)

text = st.text(max_size=20)
seconds = st.floats(allow_nan=False, allow_infinity=False)
headers = st.lists(st.tuples(text, text), max_size=4).map(lambda pairs: Headers(tuple(pairs)))
heads = st.builds(Head, st.integers(100, 599), headers, seconds, seconds)
tags = st.lists(text, max_size=3).map(tuple)
sizes = st.integers(0, 1 << 60)
entries = st.builds(Entry, text, text, heads, headers, text, sizes, text, tags)
digests = st.none() | st.builds(Digest, text, text)
notes = st.builds(Note, text, text, heads, headers, st.none() | sizes, text, digests, tags)
extents = st.lists(st.tuples(sizes, sizes).map(lambda pair: (min(pair), max(pair))), max_size=4)
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(entries)
def test_an_entry_is_read_as_it_was_written(entry: Entry) -> None:
    assert load_entry(dump_entry(entry)) == entry


@given(entries)
def test_the_text_of_an_entry_is_ascii(entry: Entry) -> None:
    assert dump_entry(entry).isascii()


@given(notes, extents)
def test_a_note_is_read_as_it_was_written(note: Note, extents: list[tuple[int, int]]) -> None:
    assert load_note(dump_note(note, extents)) == (note, extents)


@given(entries)
def test_a_footer_is_found_from_the_end_of_the_file(entry: Entry) -> None:
    behind = footer(entry)
    assert footer_size(behind[-TRAILER:]) == len(behind)
    assert load_footer(behind) == entry


@pytest.mark.row(6, at="any bit of what stands behind a body")
@given(entries, st.data())
def test_no_bit_of_a_footer_can_flip_unnoticed(entry: Entry, data: st.DataObject) -> None:
    """Seen red: a footer is not compared with its checksum."""
    behind = bytearray(footer(entry))
    bit = data.draw(st.integers(0, len(behind) * 8 - 1))
    behind[bit // 8] ^= 1 << bit % 8
    size = footer_size(bytes(behind[-TRAILER:]))
    if size == len(behind):
        with pytest.raises(StoreError):
            load_footer(bytes(behind))


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(entries, anything, st.sampled_from(["key", "head", "validators", "size", "tags", "blob"]))
def test_an_entry_with_another_value_in_a_field_is_an_entry_or_a_store_error(
    entry: Entry, value: object, name: str
) -> None:
    wrong = json.dumps({**json.loads(dump_entry(entry)), name: value})
    try:
        assert isinstance(load_entry(wrong), Entry)
    except StoreError as exc:
        assert "not an entry" in str(exc)  # noqa: PT017


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(notes, anything, st.sampled_from(["key", "head", "total", "digest", "extents"]))
def test_a_note_with_another_value_in_a_field_is_a_note_or_a_store_error(note: Note, value: object, name: str) -> None:
    wrong = json.dumps({**json.loads(dump_note(note, [])), name: value})
    try:
        assert isinstance(load_note(wrong)[0], Note)
    except StoreError as exc:
        assert "not a note" in str(exc)  # noqa: PT017


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(st.binary(max_size=100) | anything.map(json.dumps) | st.just("[" * 100_000))
def test_what_is_no_entry_is_a_store_error(wrong: str | bytes) -> None:
    """Seen red: an entry of another shape is a failure of ours."""
    with pytest.raises(StoreError):
        load_entry(wrong)
    with pytest.raises(StoreError):
        load_note(wrong)


@pytest.mark.parametrize("size", ["Infinity", "NaN", "1e999", "-Infinity", "null", '"x"', "[]", "1" * 5000])
def test_a_size_that_is_no_number_is_a_store_error(size: str) -> None:
    entry = Entry("k", "u", Head(200, Headers(), 0.0, 0.0), Headers(), "b", 777, "d")
    with pytest.raises(StoreError):
        load_entry(dump_entry(entry).replace("777", size))


@pytest.mark.parametrize("extents", [[(5, 1)], [(-1, 3)], [(0, 3), (9, 8)]])
def test_a_note_with_an_impossible_extent_is_a_store_error(extents: list[tuple[int, int]]) -> None:
    note = Note("k", "u", Head(200, Headers(), 0.0, 0.0), Headers(), None)
    with pytest.raises(StoreError):
        load_note(dump_note(note, extents))


@pytest.mark.parametrize("trailer", [b"", MAGIC, MAGIC + bytes(7), b"mirror.2" + bytes(8), bytes(16), MAGIC * 3])
def test_what_is_no_trailer_has_no_footer(trailer: bytes) -> None:
    assert footer_size(trailer) is None
