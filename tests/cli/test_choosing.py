"""Which files of a page, and which npm packages, a machine needs."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.tags import Tag

from mirror.choosing import Target, files
from mirror.locks import Platform, Wanted

HERE = Target(
    "3.11",
    frozenset({Tag("cp311", "cp311", "manylinux_2_17_x86_64"), Tag("py3", "none", "any")}),
    "linux",
    "x64",
    "glibc",
)
PLAIN = "x-{}-py3-none-any.whl"
LINUX = "x-{}-cp311-cp311-manylinux_2_17_x86_64.whl"
WINDOWS = "x-{}-cp311-cp311-win_amd64.whl"
SOURCE = "x-{}.tar.gz"


def page(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"filename": name, "url": f"/f/{name}", "hashes": {"sha256": name}, **more} for name in names]


def chosen(listed: list[dict[str, Any]], version: str, target: Target = HERE, *hashes: str) -> list[str]:
    wanted = Wanted("pypi", "x", version, hashes=frozenset(f"sha256:{one}" for one in hashes))
    return [file["filename"] for file in files(listed, wanted, target)[0]]


ALL = page(*(name.format("1.0") for name in (LINUX, WINDOWS, SOURCE)), "x-1.0.exe", "no file", PLAIN.format("2.0"))


def test_wheels_that_fit_or_else_what_is_built_from_source() -> None:
    assert chosen(ALL, "==1.0") == [LINUX.format("1.0")]
    assert chosen(page(WINDOWS.format("1.0"), SOURCE.format("1.0")), "==1.0") == [SOURCE.format("1.0")]
    assert chosen(page(WINDOWS.format("1.0")), "==1.0") == [WINDOWS.format("1.0")]  # nothing fits: all there is


def test_all_files_are_for_all_machines() -> None:
    assert chosen(ALL, "==1.0", Target()) == [name.format("1.0") for name in (LINUX, WINDOWS, SOURCE)]


def test_hashes_of_the_lock_file_choose() -> None:
    assert chosen(ALL, "==1.0", HERE, SOURCE.format("1.0")) == [SOURCE.format("1.0")]
    assert "has a hash" in files(ALL, Wanted("pypi", "x", "==1.0", hashes=frozenset({"sha256:0"})), HERE)[1]


def test_what_is_not_pinned_is_the_newest_that_can_be_installed() -> None:
    listed = [
        *page(PLAIN.format("1.0"), PLAIN.format("1.1")),
        *page(PLAIN.format("1.2"), yanked="broken"),
        *page(PLAIN.format("1.3"), **{"requires-python": ">=3.12"}),
        *page(PLAIN.format("2.0rc1")),
    ]
    assert chosen(listed, "") == [PLAIN.format("1.1")]
    assert chosen(listed, "<1.1") == [PLAIN.format("1.0")]
    assert chosen(listed, "==1.*") == [PLAIN.format("1.1")]
    assert chosen(listed, "==1.2") == [PLAIN.format("1.2")]  # who names it has it, yanked or not
    assert chosen(listed, "==2.0rc1") == [PLAIN.format("2.0rc1")]


@pytest.mark.parametrize(("version", "told"), [("==9", "no version that fits ==9"), ("=1", "=1 is no version")])
def test_what_is_not_there_is_told(version: str, told: str) -> None:
    assert told in files(ALL, Wanted("pypi", "x", version), HERE)[1]


@pytest.mark.parametrize(
    ("platform", "wants"),
    [
        (Platform(), True),
        (Platform(("linux",)), True),
        (Platform(("darwin", "linux"), ("x64",), ("glibc",)), True),
        (Platform(("win32",)), False),
        (Platform(("!linux",)), False),
        (Platform(("!win32",), ("any",)), True),
        (Platform(("linux",), ("x64",), ("musl",)), False),
    ],
)
def test_platforms_as_npm_has_them(platform: Platform, wants: bool) -> None:
    wanted = Wanted("npm", "x", "1.0.0", platform=platform)
    assert (HERE.wants(wanted), Target().wants(wanted)) == (wants, True)


@pytest.mark.parametrize(
    ("marker", "wants"),
    [
        ("", True),
        ('python_version < "3"', False),
        ('python_version == "3.11"', True),
        ('extra == "fast"', False),
        ("no marker", True),
        ('"x" in dependency_groups', True),
    ],
)
def test_markers(marker: str, wants: bool) -> None:
    assert HERE.wants(Wanted("pypi", "x", marker=marker)) is wants


def test_another_python_has_other_wheels() -> None:
    names = [f"x-1.0-cp3{minor}-cp3{minor}-{{}}" for minor in (9, 10)]
    system = next(iter(tag.platform for tag in sorted(Target.here("3.9").tags or (), key=str) if tag.platform != "any"))
    listed = page(*(f"{name.format(system)}.whl" for name in names))
    assert chosen(listed, "==1.0", Target.here("3.9")) == [listed[0]["filename"]]
    assert chosen(listed, "==1.0", Target.here("3.10")) == [listed[1]["filename"]]
