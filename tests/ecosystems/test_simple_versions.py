"""Which version the name of a file says, and that a page lists it once."""

from __future__ import annotations

import pytest

from mirror.ecosystems.simple_versions import canonical, covering, version_of


@pytest.mark.parametrize(
    ("file", "project", "version"),
    [
        ("six-1.17.0-py2.py3-none-any.whl", "six", "1.17.0"),
        ("Foo_Bar-1.0+l_1-1-py3-none-any.whl", "foo-bar", "1.0+l-1"),
        ("six-1.17.0.tar.gz", "six", "1.17.0"),
        ("Foo.Bar-1.0-1.zip", "foo-bar", "1.0-1"),
        ("python-3-thing-1.0.tar.bz2", "python-3-thing", "1.0"),
        ("pkg-1.0-py2.7.egg", "pkg", "1.0"),
        ("pkg-1.0-py2.7-linux-x86_64.egg", "pkg", "1.0"),
        ("pkg-1.0.win-amd64-py2.7.exe", "pkg", "1.0"),
        ("pkg-1.0.win32.exe", "pkg", "1.0"),
        ("six-1.0-1.noarch.rpm", "six", None),
        ("seven-1.0.zip", "six", None),
        ("six-.zip", "six", None),
        ("six.whl", "six", None),
        ("six-" + "1" * 1_000_000 + ".zip", "six", None),
    ],
)
def test_the_version_stands_in_the_files_name(file: str, project: str, version: str | None) -> None:
    assert version_of(file, project) == version


@pytest.mark.parametrize(
    "same",
    [
        ["1.0", "1", "v1.0.0", "01.0"],
        ["1.0a1", "1.0.alpha1", "1.0-a.1"],
        ["1.0rc0", "1.0c", "1.0-preview", "1.0pre0"],
        ["1.0.post1", "1.0-1", "1.0-r1", "1.0rev1"],
        ["1.0.dev0", "1.0dev", "1.0-DEV"],
        ["1!1.0+ubuntu.1", "1!1.0+ubuntu-1", "1!1+Ubuntu_1"],
    ],
)
def test_spellings_that_pep_440_holds_for_equal_are_one_version(same: list[str]) -> None:
    assert len({canonical(version) for version in same}) == 1


def test_different_versions_stay_different() -> None:
    versions = ["1.0", "1.0.1", "1.0a1", "1.0b1", "1.0rc1", "1.0.post1", "1.0.dev1", "1!1.0", "1.0+x", "1.0-x-y", "odd"]
    assert len({canonical(version) for version in versions}) == len(versions)


def test_a_version_is_added_only_where_no_spelling_of_it_is_listed() -> None:
    files = ["six-1.0.0.zip", "six-1.1.zip", "six-1.1.0-py3-none-any.whl", "README", None]
    assert covering(["1.0", 7], files, "six") == ["1.0", 7, "1.1"]
