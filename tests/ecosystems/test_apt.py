"""APT archives: which rule a path falls under, and which index vouches for it."""

from __future__ import annotations

from math import inf

import pytest

from mirror.ecosystems import apt
from mirror.errors import NotAllowed, NotFound, OriginError
from mirror.model import Digest, Fact, Headers, Mirror, Plan, Request

MIRROR = Mirror("debian", "apt", ("http://upstream.test/debian", "http://second.test/d"), grace=5.0, keep=7.0)
HEX = "0a" * 32
MAIN = "/dists/bookworm/main/binary-amd64"


def planned(path: str, mirror: Mirror = MIRROR) -> Plan:
    return apt.plan(mirror, Request("GET", path))


@pytest.mark.parametrize("name", ["InRelease", "Release", "Release.gpg"])
@pytest.mark.parametrize("directory", ["dists/bookworm", "dists/stable/updates", "ubuntu/flat", ""])
def test_release_files_are_volatile_wherever_they_stand(directory: str, name: str) -> None:
    path = f"/{directory}/{name}".replace("//", "/")
    plan = planned(path)
    assert plan.key == "/debian" + path
    assert plan.urls == ("http://upstream.test/debian" + path, "http://second.test/d" + path)
    assert (plan.rule.ttl, plan.rule.grace, plan.rule.keep, plan.rule.negative_ttl) == (120.0, 5.0, 7.0, 60.0)
    assert plan.send.get("accept-encoding") == "identity"
    assert plan.generation == (directory or ".")
    assert (plan.slot, plan.lookup) == ("", None)


def test_the_mirrors_ttl_is_that_of_releases() -> None:
    assert (
        planned("/dists/sid/InRelease", Mirror("debian", "apt", ("http://upstream.test",), ttl=30.0)).rule.ttl == 30.0
    )


def test_an_inrelease_that_is_not_signed_is_refused() -> None:
    check = planned("/dists/bookworm/InRelease").check
    assert check is not None
    check(b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n", Headers())
    for start in (b"Origin: Debian", b"<html>", b""):
        with pytest.raises(OriginError):
            check(start, Headers())


@pytest.mark.parametrize(
    ("name", "digest"), [(f"SHA256/{HEX}", Digest("sha256", HEX)), (f"SHA512/{HEX * 2}", Digest("sha512", HEX * 2))]
)
def test_by_hash_names_say_what_they_must_be_and_never_change(name: str, digest: Digest) -> None:
    plan = planned(f"{MAIN}/by-hash/{name}")
    assert plan.digest == digest
    assert (plan.rule.ttl, plan.rule.keep, plan.rule.negative_ttl) == (inf, inf, 10.0)
    assert plan.urls[0] == f"http://upstream.test/debian{MAIN}/by-hash/{name}"
    assert plan.lookup is not None
    assert (plan.lookup.eager, plan.lookup.required, plan.lookup.documents) == (False, False, ())
    assert plan.lookup.slots[:1] == ("/dists/bookworm/InRelease@0",)


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA512"])
def test_an_index_that_is_gone_by_hash_is_asked_for_by_its_name(algorithm: str) -> None:
    asked = f"{MAIN}/by-hash/{algorithm}/{HEX if algorithm == 'SHA256' else HEX * 2}"
    plan = planned(asked).completed(Fact(asked, f"{MAIN}/Packages.xz", Digest("sha256", HEX), 7))
    assert plan.key == f"/debian{MAIN}/by-hash/SHA256/{HEX}"
    assert plan.urls == (f"http://upstream.test/debian{asked}", f"http://second.test/d{asked}")
    assert plan.alternates == tuple(f"{upstream}{MAIN}/Packages.xz" for upstream in MIRROR.upstreams)
    assert (plan.digest, plan.size, plan.rule.immutable) == (Digest("sha256", HEX), 7, True)


@pytest.mark.parametrize("hashed", [f"{MAIN}/by-hash/SHA256/{HEX}", ""])
def test_an_index_is_stored_under_its_digest(hashed: str) -> None:
    plan = planned(f"{MAIN}/Packages.xz").completed(Fact(f"{MAIN}/Packages.xz", hashed, Digest("sha256", HEX), 7))
    plain = tuple(f"{upstream}{MAIN}/Packages.xz" for upstream in MIRROR.upstreams)
    assert plan.key == f"/debian{MAIN}/by-hash/SHA256/{HEX}"
    assert plan.urls == (tuple(f"{upstream}{hashed}" for upstream in MIRROR.upstreams) if hashed else plain)
    assert plan.alternates == (plain if hashed else ())
    assert plan.rule.immutable


@pytest.mark.parametrize(
    "name", ["MD5Sum/" + "0a" * 16, "SHA1/" + "0a" * 20, "SHA256/0a", "SHA256/" + "zz" * 32, "SHA256/" + "0A" * 32]
)
def test_weak_or_broken_by_hash_names_are_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        planned(f"{MAIN}/by-hash/{name}")


@pytest.mark.parametrize(
    ("path", "suites"),
    [
        (f"{MAIN}/Packages.xz", ["dists/bookworm"]),
        (f"{MAIN}/Release", ["dists/bookworm"]),
        ("/dists/bookworm/main/source/Sources.gz", ["dists/bookworm"]),
        ("/dists/bookworm/main/source/Release", ["dists/bookworm"]),
        ("/dists/bookworm/main/i18n/Translation-en.bz2", ["dists/bookworm"]),
        ("/dists/bookworm/main/debian-installer/binary-amd64/Packages.gz", ["dists/bookworm"]),
        ("/dists/bookworm/main/Contents-amd64.gz", ["dists/bookworm", "dists/bookworm/main"]),
        ("/dists/jammy/Contents-amd64.gz", ["dists/jammy"]),
        ("/dists/stable/updates/main/binary-amd64/Packages.xz", ["dists/stable/updates", "dists/stable"]),
        ("/flat/Packages.gz", ["flat"]),
        ("/Sources.xz", ["."]),
        ("/dists/README", ["dists"]),
    ],
)
def test_an_index_is_what_the_release_of_its_suite_says(path: str, suites: list[str]) -> None:
    plan = planned(path)
    assert plan.lookup is not None
    assert plan.lookup.name == path
    assert plan.lookup.generation
    names = [f"/{suite}/{name}".replace("/./", "/") for suite in suites for name in ("InRelease", "Release")]
    assert plan.lookup.documents == tuple(names)
    assert [planned(document).generation for document in plan.lookup.documents[::2]] == suites
    assert (plan.lookup.eager, plan.lookup.required) == (True, False)
    assert plan.lookup.found is not None
    assert plan.lookup.found.immutable
    assert plan.rule.ttl == 120.0


@pytest.mark.parametrize(
    ("path", "slot"),
    [
        (f"{MAIN}/Packages", "packages:dists/bookworm/main/binary-amd64"),
        (f"{MAIN}/Packages.xz", "packages:dists/bookworm/main/binary-amd64"),
        (f"{MAIN}/by-hash/SHA256/{HEX}", "packages:dists/bookworm/main/binary-amd64"),
        ("/dists/bookworm/main/source/Sources.gz", "packages:dists/bookworm/main/source"),
        (f"/flat/by-hash/SHA256/{HEX}", "packages:flat"),
        ("/Packages.gz", "packages:."),
        (f"{MAIN}/Release", ""),
        (f"/dists/bookworm/main/i18n/by-hash/SHA256/{HEX}", ""),
        (f"/dists/bookworm/by-hash/SHA256/{HEX}", ""),
        ("/dists/bookworm/main/Contents-amd64.gz", ""),
    ],
)
def test_indexes_of_packages_give_facts_under_their_directory_by_either_name(path: str, slot: str) -> None:
    plan = planned(path)
    assert plan.slot == slot
    assert (plan.facts is not None) == bool(slot)


@pytest.mark.parametrize("path", [f"{MAIN}/Packages.diff/Index", f"{MAIN}/Packages.diff/by-hash/SHA256/{HEX}"])
def test_clients_are_made_to_take_whole_indexes(path: str) -> None:
    with pytest.raises(NotFound):
        planned(path)


@pytest.mark.parametrize(
    "path", ["/pool/main/h/hello/hello_2.10-3_amd64.deb", "/flat/hello_1_all.deb", "/pool/h/hello_2.10.orig.tar.gz"]
)
def test_an_archive_file_is_what_any_index_says_and_holds_a_day_without_one(path: str) -> None:
    plan = planned(path)
    assert plan.rule.ttl == 86400.0
    assert plan.tags == ("apt:hello",)
    assert plan.lookup is not None
    assert (plan.lookup.name, plan.lookup.slots, plan.lookup.documents) == (path, (), ())
    assert (plan.lookup.eager, plan.lookup.required) == (True, False)
    assert plan.lookup.found is not None
    assert plan.lookup.found.immutable


def test_what_is_no_package_is_refused() -> None:
    check = planned("/pool/main/h/hello_1_amd64.deb").check
    assert check is not None
    check(b"!<arch>\ndebian-binary", Headers())
    for start in (b"<!DOCTYPE html>", b"PK", b""):
        with pytest.raises(OriginError):
            check(start, Headers())


@pytest.mark.parametrize(
    "spelling", ["g%2b%2b_1%3a4~rc1.deb", "g++_1:4~rc1.deb", "g%2B+_1%3A4%7erc1.deb", "%67++_1:4~rc1.deb"]
)
def test_every_spelling_of_a_name_is_one_key_and_asked_as_apt_would(spelling: str) -> None:
    plan = planned("/pool/main/g/" + spelling)
    assert plan.key == "/debian/pool/main/g/g++_1:4~rc1.deb"
    assert plan.urls[0] == "http://upstream.test/debian/pool/main/g/g%2b%2b_1%3a4~rc1.deb"


def test_a_flat_repository_may_be_asked_through_its_dot() -> None:
    assert planned("/./Packages.gz").key == "/debian/Packages.gz"
    assert planned("/repo/././InRelease").urls[0] == "http://upstream.test/debian/repo/InRelease"


@pytest.mark.parametrize(
    ("path", "ttl"),
    [
        ("/dists/bookworm/main/installer-amd64/current/images/SHA256SUMS", 3600.0),
        (f"{MAIN}/Packages.diff/T-2026-01-01-F-2026-01-02.gz", 30 * 86400.0),
        ("/project/trace/master", 300.0),
        ("/ls-lR.gz", 300.0),
        ("/pool/", 300.0),
        ("/dists/bookworm/", 300.0),
        ("/", 300.0),
    ],
)
def test_everything_else_is_kept_for_a_while(path: str, ttl: float) -> None:
    plan = planned(path)
    assert plan.rule.ttl == ttl
    assert plan.lookup is None


def test_nothing_can_be_written() -> None:
    with pytest.raises(NotAllowed):
        apt.plan(MIRROR, Request("PUT", "/pool/x.deb"))
