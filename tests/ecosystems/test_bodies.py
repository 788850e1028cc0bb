"""Stored bodies become readable within bounds, and whatever is wrong with them is the origin's error."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import bodies
from mirror.errors import OriginError
from mirror.model import Digest, Headers

TEXT = b"".join(b"line %d of a document\n" % number for number in range(2000))


def coded(coding: str) -> Headers:
    return Headers.of({"content-encoding": coding})


def raw_deflate(body: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(body) + machine.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("GZIP", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
        ("x-gzip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("identity", TEXT),
    ],
)
def test_the_codings_that_we_ask_for_are_decoded(coding: str, body: bytes) -> None:
    assert bodies.decoded(body, coded(coding)) == TEXT


def test_a_body_without_a_coding_is_itself() -> None:
    assert bodies.decoded(TEXT, Headers()) == TEXT


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("br", TEXT),
        ("zstd", TEXT),
        ("gzip, gzip", gzip.compress(gzip.compress(TEXT))),
        ("gzip", TEXT),
        ("gzip", gzip.compress(TEXT)[:-9]),
        ("gzip", gzip.compress(TEXT)[:50]),
        ("gzip", gzip.compress(TEXT) + b"more"),
        ("deflate", zlib.compress(TEXT)[:-3]),
        ("deflate", TEXT),
        ("deflate", b""),
    ],
)
def test_other_broken_or_truncated_codings_are_the_origins_error(coding: str, body: bytes) -> None:
    with pytest.raises(OriginError):
        bodies.decoded(body, coded(coding))


@pytest.mark.row(47, at="gzip, deflate, xz and bzip2: stopped by ratio and by limit; memory is not taken")
@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_bomb_is_stopped_by_its_ratio(coding: str, compress: Callable[[bytes], bytes]) -> None:
    with pytest.raises(OriginError, match="over"):
        bodies.decoded(compress(bytes(16 << 20)), coded(coding))


def test_a_small_document_may_be_as_repetitive_as_it_likes() -> None:
    page = bytes(1 << 20)
    assert bodies.decoded(gzip.compress(page), coded("gzip")) == page


@pytest.mark.row(47, at="gzip, deflate, xz and bzip2: stopped by ratio and by limit; memory is not taken")
def test_a_large_document_is_stopped_by_the_limit() -> None:
    with pytest.raises(OriginError, match="over 1000 bytes"):
        bodies.decoded(gzip.compress(TEXT), coded("gzip"), limit=1000)


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress, bz2.compress, bytes])
def test_an_index_is_unpacked_by_what_it_is(pack: Callable[[bytes], bytes]) -> None:
    assert b"".join(bodies.unpacked(pack(TEXT))) == TEXT
    assert b"".join(bodies.unpacked(pack(b""))) == b""


@pytest.mark.row(47, at="gzip, deflate, xz and bzip2: stopped by ratio and by limit; memory is not taken")
@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress, bz2.compress, bytes])
def test_an_index_is_unpacked_in_pieces_and_never_beyond_its_limit(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(bytes(4 << 20))
    assert max(map(len, bodies.unpacked(packed))) <= 1 << 20
    pieces = bodies.unpacked(packed, limit=2 << 20)
    assert len(next(pieces)) + len(next(pieces)) <= 2 << 20
    with pytest.raises(OriginError, match="over"):
        list(pieces)


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress, bz2.compress])
def test_a_truncated_index_is_the_origins_error(pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(OriginError, match="truncated"):
        list(bodies.unpacked(pack(TEXT)[:-5]))


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(st.sampled_from([b"\xfd7zXZ\x00", b"\x1f\x8b", b"BZh", b""]), st.binary(max_size=60))
def test_whatever_an_index_holds_only_origin_errors_are_raised(magic: bytes, rest: bytes) -> None:
    """Seen red: a packed file that is broken is a failure of ours."""
    try:
        content = b"".join(bodies.unpacked(magic + rest))
    except OriginError:
        assert magic or rest.startswith((b"\xfd7zXZ\x00", b"\x1f\x8b", b"BZh"))
    else:
        assert magic or content == rest


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff{}",
        b"<html>",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"n":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_the_origins_error(body: bytes) -> None:
    with pytest.raises(OriginError):
        bodies.json_object(body, Headers())


@pytest.mark.parametrize(
    "text",
    ['{"b":1,"a":[1.5,123456789012345678901234567890,-0.25,true,null]}', '{"name":"é中"}', '{"half":"\\ud83d"}', "{}"],
)
def test_json_comes_back_with_its_order_numbers_and_text(text: str) -> None:
    assert bodies.json_bytes(bodies.json_object(text.encode(), Headers())) == text.encode()


@pytest.mark.parametrize("text", [b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":1e999}'])
def test_numbers_that_json_does_not_have_are_not_passed_on(text: bytes) -> None:
    with pytest.raises(OriginError):
        bodies.json_bytes(bodies.json_object(text, Headers()))


def test_a_hex_digest_is_read_in_either_case_and_only_at_its_right_length() -> None:
    assert bodies.hex_digest("sha256", "AB" * 32) == Digest("sha256", "ab" * 32)
    assert bodies.hex_digest("sha1", "00" * 20) == Digest("sha1", "00" * 20)
    for algorithm, value in [
        ("sha256", "ab" * 31),
        ("sha256", "zz" * 32),
        ("crc32", "00" * 4),
        (None, ""),
        ("md5", 5),
        ("x", ""),
    ]:
        assert bodies.hex_digest(algorithm, value) is None


@pytest.mark.parametrize(
    ("start", "content_type"),
    [
        (b"PK\x03\x04", "text/html; charset=utf-8"),
        (b"<!DOCTYPE html><title>Log in", "application/octet-stream"),
        (b"\xef\xbb\xbf\r\n <HTML>", ""),
    ],
)
def test_a_web_page_is_told_by_its_type_or_its_beginning(start: bytes, content_type: str) -> None:
    with pytest.raises(OriginError, match="web page"):
        bodies.not_html(start, Headers.of({"content-type": content_type}))


def test_an_archive_is_told_by_its_beginning_whatever_its_type() -> None:
    check = bodies.begins(b"PK")
    check(b"PK\x03\x04", Headers.of({"content-type": "text/html"}))
    for start in (b"", b"\x1f\x8b", b"<html>"):
        with pytest.raises(OriginError):
            check(start, Headers())
    bodies.not_html(b"\x1f\x8b\x08", Headers.of({"content-type": "application/x-gzip"}))
