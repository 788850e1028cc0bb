"""What InRelease and Release say: of the indexes, under each name that those have, and of the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import apt_releases
from mirror.errors import OriginError
from mirror.model import Digest, Fact, Headers

A, B, C = "a1" * 32, "b2" * 32, "c3" * 32

RELEASE = f"""Origin: Example
Suite: stable
Codename: bookworm
Acquire-By-Hash: yes
Date: Sat, 21 Nov 2026 10:00:00 UTC
Valid-Until: Sat, 28 Nov 2026 12:00:00 +0200
MD5Sum:
 {"0f" * 16}    9999 main/binary-amd64/Packages
SHA256:
 {A}  1234 main/binary-amd64/Packages
 {B}     0 main/binary-amd64/Packages.xz
 {C}    77 contrib/i18n/Translation-en+x.bz2
"""
IN_RELEASE = f"""-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

{RELEASE}-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEE
-----END PGP SIGNATURE-----
"""


def read(text: str, directory: str = "dists/bookworm") -> apt_releases.Release:
    return apt_releases.release(text.encode(), Headers(), directory=directory)


def sha256(name: str, value: str, size: int) -> Fact:
    return Fact(name, "", Digest("sha256", value), size)


@pytest.mark.parametrize(
    "text", [RELEASE, IN_RELEASE, IN_RELEASE.replace("\n", "\r\n"), RELEASE + "SHA512:\n nonsense\n"]
)
def test_a_release_names_every_index_with_its_digest(text: str) -> None:
    prefix = "/dists/bookworm/"
    assert list(read(text).indexes.values()) == [
        sha256(prefix + "main/binary-amd64/Packages", A, 1234),
        sha256(prefix + "main/binary-amd64/Packages.xz", B, 0),
        sha256(prefix + "contrib/i18n/Translation-en+x.bz2", C, 77),
    ]


def test_a_flat_release_names_files_at_the_top() -> None:
    text = f"SHA256:\n {A} 5 ./Packages\n {B} 6 Sources.gz"
    assert list(read(text, ".").indexes.values()) == [sha256("/Packages", A, 5), sha256("/Sources.gz", B, 6)]


def test_a_release_without_strong_digests_vouches_for_nothing() -> None:
    assert read("Origin: x\nMD5Sum:\n 00 1 Packages\n").indexes == {}


@pytest.mark.parametrize(
    "text",
    [
        IN_RELEASE.partition("-----BEGIN PGP SIGNATURE")[0],
        "<!DOCTYPE html><html>",
        f"SHA256:\n {A} x Packages\n",
        f"SHA256:\n {A[:-1]} 5 Packages\n",
        f"SHA256:\n {A} 5\n",
        f"SHA256:\n {A} {'9' * 5000} Packages\n",
    ],
)
def test_a_broken_release_is_the_origins_error(text: str) -> None:
    with pytest.raises(OriginError):
        read(text)


def test_a_release_is_dated() -> None:
    assert read(IN_RELEASE).dated == 1795255200.0


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 99 Nov 2026 10:00:00 UTC"])
def test_a_date_that_is_none_says_nothing(date: str) -> None:
    assert read(f"Date: {date}\nSHA256:\n").dated is None


def test_a_date_without_a_zone_is_universal_time() -> None:
    assert read("Date: Sat, 21 Nov 2026 10:00:00\n").dated == 1795255200.0


def test_each_index_is_known_by_its_name_and_by_its_digests() -> None:
    text = f"Acquire-By-Hash: yes\nSHA256:\n {A} 5 main/Packages\nSHA512:\n {C * 2} 5 main/Packages\n"
    plain, hashed = "/dists/x/main/Packages", f"/dists/x/main/by-hash/SHA256/{A}"
    assert list(apt_releases.facts(read(text, "dists/x"))) == [
        Fact(plain, hashed, Digest("sha256", A), 5),
        Fact(hashed, plain, Digest("sha256", A), 5),
        Fact(f"/dists/x/main/by-hash/SHA512/{C * 2}", plain, Digest("sha256", A), 5),
    ]


def test_an_archive_without_by_hash_has_its_indexes_by_name_alone() -> None:
    plain, _ = apt_releases.facts(read(f"SHA256:\n {A} 5 Packages\n", "."))
    assert (plain.name, plain.url) == ("/Packages", "")


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(
    st.binary(max_size=300) | st.lists(st.sampled_from(IN_RELEASE.splitlines())).map(lambda x: "\n".join(x).encode())
)
def test_no_release_however_broken_raises_anything_but_an_origin_error(body: bytes) -> None:
    try:
        found = apt_releases.release(body, Headers(), directory="dists/x")
    except OriginError:
        return
    assert all(fact.digest and fact.size is not None for fact in apt_releases.facts(found))
