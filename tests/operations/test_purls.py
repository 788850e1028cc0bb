"""Package URLs: which addresses each ecosystem has of a package, and of one version."""

from __future__ import annotations

import pytest

from mirror.errors import RequestError
from mirror.model import Mirror
from mirror.operations.purls import parts

MIRRORS = (
    Mirror("pypi", "pypi"),
    Mirror("second", "pypi"),
    Mirror("npm", "npm"),
    Mirror("debian", "apt"),
    Mirror("o", "http"),
)


def named(purl: str, addresses: list[str]) -> list[str]:
    """Those of the addresses that are meant."""
    found = parts(purl, MIRRORS)
    return [
        address
        for address in addresses
        if any(
            address == part.prefix if part.whole else address.startswith(part.prefix) and part.holds(address)
            for part in found
        )
    ]


PYTHON = [
    "/pypi/simple/zope-interface/",
    "/second/simple/zope-interface/",
    "/pypi/simple/zope-interface-extra/",
    "/pypi/pypi/zope-interface/json",
    "/pypi/pypi/zope-interface/5.0/json",
    "/pypi/files/a/zope.interface-5.0.tar.gz",
    "/pypi/files/a/zope_interface-5.0.0-py3-none-any.whl",
    "/pypi/files/a/zope_interface-5.0.0-py3-none-any.whl.metadata",
    "/pypi/files/a/zope.interface-5.0.tar.gz.asc",
    "/pypi/files/a/zope.interface-5.1.tar.gz",
    "/pypi/files/a/zope_interface_extra-5.0-py3-none-any.whl",
    "/pypi/files/a/zope-interface-extra-5.0.tar.gz",
    "/pypi/integrity/zope-interface/5.0/zope.interface-5.0.tar.gz/provenance",
    "/pypi/integrity/zope-interface/5.1/zope.interface-5.1.tar.gz/provenance",
    "/o/pypi/files/a/zope.interface-5.0.tar.gz",
]


def test_a_python_project_in_any_spelling_is_its_documents_and_files_on_every_mirror() -> None:
    found = named("pkg:pypi/Zope.Interface", PYTHON)
    assert [address for address in PYTHON if address not in found] == [
        "/pypi/simple/zope-interface-extra/",
        "/pypi/files/a/zope_interface_extra-5.0-py3-none-any.whl",
        "/o/pypi/files/a/zope.interface-5.0.tar.gz",
        # zope-interface-extra-5.0.tar.gz may be version `extra-5.0` of zope-interface: its name does not say
    ]


def test_a_version_of_a_python_project_is_its_files_however_they_spell_it() -> None:
    assert named("pkg:pypi/zope.interface@5.0", PYTHON) == [
        "/pypi/files/a/zope.interface-5.0.tar.gz",
        "/pypi/files/a/zope_interface-5.0.0-py3-none-any.whl",
        "/pypi/files/a/zope_interface-5.0.0-py3-none-any.whl.metadata",
        "/pypi/files/a/zope.interface-5.0.tar.gz.asc",
        "/pypi/integrity/zope-interface/5.0/zope.interface-5.0.tar.gz/provenance",
    ]


NODE = [
    "/npm/react",
    "/npm/react-dom",
    "/npm/react/-/react-18.0.0.tgz",
    "/npm/react/-/react-18.0.0-rc.1.tgz",
    "/npm/@acme/react",
    "/npm/@acme/react/-/react-1.0.0.tgz",
    "/npm/-/npm/v1/attestations/react@18.0.0",
    "/npm/-/npm/v1/attestations/@acme/react@1.0.0",
]


@pytest.mark.parametrize(
    ("purl", "expected"),
    [
        ("pkg:npm/react", [NODE[0], NODE[2], NODE[3], NODE[6]]),
        ("pkg:npm/react@18.0.0", [NODE[2], NODE[6]]),
        ("pkg:npm/%40acme/react", [NODE[4], NODE[5], NODE[7]]),
        ("pkg:npm/%40acme/react@1.0.0", [NODE[5], NODE[7]]),
        ("pkg:npm/react@9", []),
    ],
)
def test_an_npm_package_and_one_version_of_it(purl: str, expected: list[str]) -> None:
    assert named(purl, NODE) == expected


DEBIAN = [
    "/debian/pool/main/c/curl/curl_7.88.1-10+deb12u5_amd64.deb",
    "/debian/pool/main/c/curl/curl_7.88.1-10+deb12u5_arm64.deb",
    "/debian/pool/main/c/curl/curl_7.88.1-10+deb12u4_amd64.deb",
    "/debian/pool/main/c/curl/curl_7.88.1-10+deb12u5.dsc",
    "/debian/pool/main/c/curl/curl_7.88.1.orig.tar.xz",
    "/debian/pool/main/c/curl/curl_7.88.1-10+deb12u5.debian.tar.xz",
    "/debian/pool/main/c/curl/libcurl4_7.88.1-10+deb12u5_amd64.deb",
    "/debian/dists/stable/InRelease",
]


@pytest.mark.parametrize(
    ("purl", "expected"),
    [
        ("pkg:deb/debian/curl", DEBIAN[:6]),
        ("pkg:deb/debian/curl@7.88.1-10%2Bdeb12u5", [DEBIAN[n] for n in (0, 1, 3, 4, 5)]),
        ("pkg:deb/debian/curl@1:7.88.1-10%2Bdeb12u4", [DEBIAN[2], DEBIAN[4]]),
        ("pkg:deb/debian/curl@7.88.1-10%2Bdeb12u5?arch=amd64&distro=stable", [DEBIAN[0]]),
        ("pkg:deb/debian/curl?arch=source", DEBIAN[3:6]),
    ],
)
def test_a_debian_package_a_version_an_architecture(purl: str, expected: list[str]) -> None:
    assert named(purl, DEBIAN) == expected


@pytest.mark.parametrize(
    ("purl", "named"),
    [
        ("react", "react"),
        ("pkg:cargo/serde", "cargo"),
        ("pkg:npm/acme/react", "scope"),
        ("pkg:pypi/a/b", "Python project"),
        ("pkg:pypi/", "pkg:pypi/"),
    ],
)
def test_what_means_nothing_is_named(purl: str, named: str) -> None:
    with pytest.raises(RequestError, match=named):
        parts(purl, MIRRORS)
