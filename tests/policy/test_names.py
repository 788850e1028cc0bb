"""Which packages a line of the configuration means."""

from __future__ import annotations

import time

import pytest

from mirror.errors import ConfigError
from mirror.policy.names import Selector, canonical, glob, licenses, selector


def means(written: str, ecosystem: str, package: str) -> bool:
    known = selector(written)
    return known.of(ecosystem) and known.test(ecosystem)(canonical(ecosystem, package))


@pytest.mark.parametrize(
    ("written", "ecosystem", "package", "expected"),
    [
        ("six", "pypi", "six", True),
        ("six", "npm", "six", True),
        ("six", "pypi", "sixer", False),
        ("Foo.Bar_baz", "pypi", "foo-bar-baz", True),
        ("foo-bar", "pypi", "FOO__bar", True),
        ("django*", "pypi", "Django", True),
        ("django*", "pypi", "django-filter", True),
        ("django*", "pypi", "my-django", False),
        ("Django_*", "pypi", "django.filter", True),
        ("s?x", "pypi", "six", True),
        ("s?x", "pypi", "sx", False),
        ("*", "npm", "@acme/x", True),
        ("@acme/*", "npm", "@acme/x", True),
        ("@acme/*", "npm", "@acme-evil/x", False),
        ("@acme/*", "pypi", "acme-x", False),
        ("acme-*", "npm", "@other/acme-x", False),
        ("JSONStream", "npm", "jsonstream", False),
        ("pkg:pypi/Foo_Bar", "pypi", "foo.bar", True),
        ("pkg:pypi/six", "npm", "six", False),
        ("pkg:npm/%40acme/x", "npm", "@acme/x", True),
        ("pkg:npm/@acme/*", "npm", "@acme/y", True),
        ("pkg:deb/debian/curl", "apt", "curl", True),
        ("PKG:deb/curl", "apt", "curl", True),
        ("Curl", "apt", "curl", True),
    ],
)
def test_a_package_is_meant(written: str, ecosystem: str, package: str, expected: bool) -> None:
    assert means(written, ecosystem, package) is expected


def test_a_package_url_names_a_version() -> None:
    assert selector("pkg:pypi/six@1.17.0") == Selector("six", "pypi", "1.17.0")
    assert selector("pkg:npm/%40acme/x@1.0.0-rc.1") == Selector("@acme/x", "npm", "1.0.0-rc.1")
    assert selector("pkg:deb/debian/curl@1%3A7.0-1") == Selector("curl", "apt", "1:7.0-1")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("a b", "not a name"),
        ("", "not a name"),
        ("a/b", "not a name"),
        ("[ab]c", "not a name"),
        ("x" * 600, "not a name"),
        ("pkg:pypi", "not a package URL"),
        ("pkg:cargo/serde", "no mirror has packages of this type"),
        ("pkg:deb/debian/curl?arch=amd64", "qualifiers and subpaths say nothing"),
        ("pkg:pypi/a%20b", "no package can have this name"),
    ],
)
def test_what_names_no_package_is_said(written: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        selector(written)


def test_a_line_about_one_ecosystem_names_no_package_of_another() -> None:
    assert selector("six", "npm") == Selector("six", "npm")
    for written in ("pkg:pypi/six", "@acme/x"):
        with pytest.raises(ConfigError, match="is no apt package"):
            selector(written, "apt")


def test_a_glob_of_many_stars_takes_no_time() -> None:
    test = glob("*a" * 40 + "b")
    began = time.process_time()
    assert not test("a" * 5000)
    assert time.process_time() - began < 2


def test_the_licenses_of_an_expression() -> None:
    assert licenses("(MIT OR Apache-2.0) AND GPL-3.0-only WITH x-exception") == [
        "MIT",
        "Apache-2.0",
        "GPL-3.0-only",
        "x-exception",
    ]
