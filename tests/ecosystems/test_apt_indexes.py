"""What Packages and Sources say, whatever their compression, and how they fail."""

from __future__ import annotations

import bz2
import gzip
import lzma
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import paths
from mirror.ecosystems.apt_indexes import package_facts
from mirror.errors import OriginError
from mirror.model import Digest, Fact, Headers

A, B, C = "a1" * 32, "b2" * 32, "c3" * 32

PACKAGES = f"""Package: hello
Version: 1:2.10-3
Installed-Size: 277
Description: greets
 Filename: pool/not/this.deb
Filename: pool/main/h/hello/hello_2.10-3_amd64.deb
Size: 53080
MD5sum: {"0f" * 16}
SHA256: {A}

Package: g++
Filename: ./pool/main/g/g++_1%3a4~rc1 x.deb
Size: 7
SHA256: {B.upper()}

Package: only-sha512
Filename: o.deb
Size: 1
SHA512: {C * 2}

Package: no-strong-digest
Filename: weak.deb
Size: 1
MD5sum: {"0f" * 16}
"""
SOURCES = f"""Package: hello
Version: 2.10-3
Files:
 {"0f" * 16} 1 wrong.dsc
Checksums-Sha256:
 {A} 1183 hello_2.10-3.dsc
 {B} 725946 hello_2.10.orig.tar.gz
Directory: pool/main/h/hello

Package: flat
Directory: .
Checksums-Sha256:
 {C} 5 flat_1.dsc
"""


def sha256(name: str, value: str, size: int, package: str = "", version: str = "") -> Fact:
    return Fact(name, "", Digest("sha256", value), size, package, version)


def read(index: str | bytes) -> list[Fact]:
    return list(package_facts(index.encode() if isinstance(index, str) else index, Headers()))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_packages_are_read_whatever_their_compression(pack: Callable[[bytes], bytes]) -> None:
    assert read(pack(PACKAGES.encode())) == [
        sha256("/pool/main/h/hello/hello_2.10-3_amd64.deb", A, 53080, "hello", "1:2.10-3"),
        sha256("/pool/main/g/g++_1%253a4~rc1%20x.deb", B, 7, "g++"),
        Fact("/o.deb", "", Digest("sha512", C * 2), 1, "only-sha512"),
    ]


def test_sources_name_each_file_of_a_package() -> None:
    assert read(SOURCES) == [
        sha256("/pool/main/h/hello/hello_2.10-3.dsc", A, 1183, "hello", "2.10-3"),
        sha256("/pool/main/h/hello/hello_2.10.orig.tar.gz", B, 725946, "hello", "2.10-3"),
        sha256("/flat_1.dsc", C, 5, "flat"),
    ]


@pytest.mark.parametrize("text", ["", "\n\n\n", "Origin: x\nLabel: y\n", "bin/ls  utils/coreutils\n" * 100])
def test_other_indexes_say_nothing_of_files(text: str) -> None:
    assert read(text) == []


def test_an_encoded_index_is_read_all_the_same() -> None:
    headers = Headers.of({"content-encoding": "gzip"})
    assert list(package_facts(gzip.compress(lzma.compress(PACKAGES.encode())), headers)) == read(PACKAGES)


@pytest.mark.parametrize(
    "index",
    [
        lzma.compress(PACKAGES.encode())[:-8],
        gzip.compress(PACKAGES.encode())[:-8],
        b"\xfd7zXZ\x00nonsense",
        b"Filename: a.deb\nSHA256: " + A.encode(),
        b"Filename: a.deb\nSize: -1\nSHA256: " + A.encode(),
        b"Filename: a.deb\nSize: 1\nSHA256: zz",
        b"Directory: pool\nChecksums-Sha256:\n nonsense\n",
        b"Filename: " + b"a" * (17 << 20),
    ],
)
def test_a_broken_index_is_the_origins_error(index: bytes) -> None:
    with pytest.raises(OriginError):
        read(index)


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from(PACKAGES.splitlines() + SOURCES.splitlines())).map(lambda x: "\n".join(x).encode())
)
def test_no_index_however_broken_raises_anything_but_an_origin_error(index: bytes) -> None:
    try:
        found = read(index)
    except OriginError:
        return
    assert all(fact.digest and fact.size is not None for fact in found)


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Z"], exclude_characters="\\/"), min_size=1, max_size=20
    )
)
def test_the_name_in_an_index_is_the_name_that_a_client_asks_for(file: str) -> None:
    if file in (".", ".."):
        return
    (fact,) = read(f"Filename: pool/{file}\nSize: 1\nSHA256: {A}\n")
    assert fact.name == paths.encoded(f"/pool/{file}")
    assert paths.canonical(fact.name) == fact.name


def test_paragraphs_are_found_across_the_pieces_and_the_text_is_never_held_whole() -> None:
    count = 40_000
    paragraph = "Package: p{0}\nDescription: " + "x" * 400 + "\nFilename: pool/p{0}_1.deb\nSize: {0}\nSHA256: " + A
    packed = lzma.compress("\n\n".join(paragraph.format(number) for number in range(count)).encode(), preset=0)
    tracemalloc.start()
    try:
        for number, fact in enumerate(package_facts(packed, Headers())):
            assert (fact.name, fact.size) == (f"/pool/p{number}_1.deb", number)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert number == count - 1
    assert peak < 12 << 20  # the text is 21 MB


def test_any_number_of_blank_lines_stands_between_two_paragraphs_and_takes_no_time() -> None:
    body = PACKAGES.replace("\n\n", "\n" * 3_000_000).encode()
    began = time.process_time()
    assert [*package_facts(body, Headers())] == [*package_facts(PACKAGES.encode(), Headers())]
    assert time.process_time() - began < 1
