"""Versions and ranges, as the ecosystems themselves read them."""

from __future__ import annotations

import json
import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.errors import ConfigError
from mirror.policy.versions import SCHEMES


def holds(ecosystem: str, text: str, version: str, *, wide: bool = False) -> bool:
    scheme = SCHEMES[ecosystem]
    key = scheme.key(version)
    assert key is not None
    return scheme.range(text).holds(key, wide=wide)


@pytest.mark.parametrize(
    ("ecosystem", "text", "inside", "outside"),
    [
        ("pypi", "<1.17", ["1.16", "1.16.post1", "0"], ["1.17", "1.17.0", "2", "1!0.1"]),
        ("pypi", ">=1.0,!=1.5.*,<2", ["1.0", "1.6"], ["0.9", "1.5.1", "2.0"]),
        ("pypi", "==1.16.*", ["1.16", "1.16.9"], ["1.17"]),
        ("pypi", "1.17.0", ["1.17", "v1.17.0"], ["1.17.1", "1.17.0rc1"]),
        ("npm", "^1.2.3", ["1.2.3", "1.9.0"], ["1.2.2", "2.0.0"]),
        ("npm", "~1.2", ["1.2.0", "1.2.99"], ["1.3.0"]),
        ("npm", "1.2 - 2 || >=5", ["1.2.0", "2.9.9", "7.0.0"], ["1.1.9", "3.0.0", "4.9.9"]),
        ("npm", "*", ["0.0.1", "9.9.9"], ["1.0.0-rc.1"]),
        ("npm", "* || ^3.0.0-rc.1", ["1.0.0"], ["3.0.0-rc.2"]),
        ("npm", "0 - 0.0.0-rc.2", ["0.0.0-rc.1"], ["0.0.0-rc.3", "0.0.0"]),
        ("npm", "1.2.3", ["1.2.3", "1.2.3+build.7"], ["1.2.4", "1.2.3-rc.1"]),
        ("apt", "<< 1.2-3", ["1.2-2", "1.2-3~deb12u1", "1.2"], ["1.2-3", "1:0.1-1"]),
        ("apt", ">= 1.0, << 2.0", ["1.0", "1.9-1"], ["0.9", "2.0", "2.0-1"]),
        ("apt", "1.2-3", ["1.2-3", "0:1.2-3"], ["1.2-3+b1"]),
    ],
)
def test_a_range_holds(ecosystem: str, text: str, inside: list[str], outside: list[str]) -> None:
    assert [version for version in inside + outside if holds(ecosystem, text, version)] == inside


@pytest.mark.parametrize(
    ("ecosystem", "text"),
    [
        ("pypi", "^1.0"),
        ("pypi", "latest"),
        ("npm", "latest"),
        ("npm", ">=1.0, <2"),
        ("apt", "< 1.0"),
        ("apt", ">= "),
        ("apt", "abc"),
        ("npm", ""),
        ("pypi", " "),
        ("npm", "1" * 300),
        ("npm", "\u0661.0.0"),
    ],
)
def test_what_is_no_range_is_said(ecosystem: str, text: str) -> None:
    with pytest.raises(ConfigError, match="is not a range of versions"):
        SCHEMES[ecosystem].range(text)


@pytest.mark.parametrize(
    ("ecosystem", "version"),
    [
        ("pypi", "2004d"),
        ("pypi", ""),
        ("pypi", "1" * 300),
        ("npm", "1.0"),
        ("npm", "1.0.0alpha"),
        ("npm", "1.2.3.4"),
        ("npm", "01.0.0"),
        ("npm", "1.\u0662.0"),
        ("npm", "1.0.0-" + "a." * 200),
        ("apt", "abc"),
        ("apt", "1.0_2"),
    ],
)
def test_what_is_no_version_has_no_key(ecosystem: str, version: str) -> None:
    assert SCHEMES[ecosystem].key(version) is None


ORDERED = (
    "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.10.0"
)


def test_semantic_versions_have_the_order_of_the_standard() -> None:
    """semver.org §11."""
    keys = [SCHEMES["npm"].key(version) for version in ORDERED.split()]
    assert keys == sorted(keys)
    assert all(one < other for one, other in pairwise(keys))


def test_a_pre_release_counts_where_the_range_names_one_of_its_version() -> None:
    """What npm and pip do. In the wide sense it counts as a part of what it precedes."""
    assert not holds("npm", "^1.2.3", "1.3.0-rc.1")
    assert not holds("npm", ">=1.2.3-alpha.1", "1.3.0-rc.1")
    assert holds("npm", ">=1.2.3-alpha.1", "1.2.3-beta")
    assert not holds("npm", ">=1.2.3 <1.2.3-beta", "1.2.3-alpha")
    assert not holds("pypi", ">=1.0", "1.5b1")
    assert holds("pypi", ">=1.0b1", "1.5b1")
    for text, version in (("^1.2.3", "1.3.0-rc.1"), ("1.x", "1.0.0-rc.1"), (">=2.0.0", "2.0.0-rc.1"), ("*", "1.0.0-0")):
        assert holds("npm", text, version, wide=True), text
    assert holds("pypi", ">=1.0", "1.5b1", wide=True)
    assert not holds("npm", "1.2.3", "1.2.3-rc.1", wide=True)
    assert not holds("npm", ">=2.0.0-beta", "2.0.0-alpha", wide=True)


@pytest.mark.parametrize(
    ("ecosystem", "text", "version"),
    [
        ("pypi", "==1.0", "1.0.0"),
        ("pypi", "1.0", "1.0.0"),
        ("npm", "=1.2.3", "1.2.3"),
        ("npm", "1.2.3-rc.1", "1.2.3-rc.1"),
        ("apt", "= 1.0", "1.0-0"),
    ],
)
def test_a_range_of_one_version_is_known_for_it(ecosystem: str, text: str, version: str) -> None:
    assert SCHEMES[ecosystem].range(text).exact == SCHEMES[ecosystem].key(version)


@pytest.mark.parametrize(
    ("ecosystem", "text"),
    [("pypi", "==1.*"), ("pypi", ">=1"), ("pypi", ""), ("npm", "1.x"), ("npm", "1.2.3 || 1.2.4"), ("apt", ">= 1")],
)
def test_a_range_of_several_is_not(ecosystem: str, text: str) -> None:
    if text:
        assert SCHEMES[ecosystem].range(text).exact is None


NUMBER = st.integers(0, 3).map(str)
RELEASE = st.tuples(NUMBER, NUMBER, NUMBER).map(".".join)
PRE = st.sampled_from(["", "", "-rc.1", "-0", "-alpha", "-alpha.2"])
SEMVER = st.tuples(RELEASE, PRE).map("".join)
PARTIAL = st.one_of(SEMVER, NUMBER, st.tuples(NUMBER, NUMBER).map(".".join), st.just("*"), NUMBER.map("{}.x".format))
SIMPLE = st.tuples(st.sampled_from(["", "^", "~", ">", ">=", "<", "<=", "="]), PARTIAL).map("".join)
RANGE = st.one_of(
    st.lists(SIMPLE, min_size=1, max_size=2).map(" ".join),
    st.tuples(PARTIAL, PARTIAL).map(" - ".join),
    st.tuples(SIMPLE, SIMPLE).map(" || ".join),
)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed, whose ranges these are")
def test_ranges_mean_what_npm_takes_them_for() -> None:
    """Each version in each range, asked of npm's own library. In the wide sense all that npm holds for affected by an
    advisory is inside, too."""
    root = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()
    pairs: list[tuple[str, str]] = []

    @settings(max_examples=600, database=None, deadline=None)
    @given(RANGE, SEMVER)
    def gather(text: str, version: str) -> None:
        pairs.append((text, version))

    gather()
    script = f"""const semver = require({json.dumps(root + "/npm/node_modules/semver")});
        const pairs = JSON.parse(require("fs").readFileSync(0, "utf8"));
        console.log(JSON.stringify(pairs.map(([text, version]) => [semver.satisfies(version, text),
            semver.satisfies(version, text, {{includePrerelease: true}})])));"""
    asked = subprocess.run(["node", "-e", script], input=json.dumps(pairs), capture_output=True, text=True, check=True)
    for (text, version), (plain, affected) in zip(pairs, json.loads(asked.stdout), strict=True):
        assert holds("npm", text, version) == plain, (text, version)
        assert holds("npm", text, version, wide=True) or not affected, (text, version)


DEBIAN = st.from_regex(r"([0-2]:)?[0-9][0-9a-c.+~]{0,5}(-[0-9a-c.+~]{1,4})?", fullmatch=True)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed, whose order this is")
@settings(max_examples=40, deadline=None)
@given(DEBIAN, DEBIAN)
def test_debian_versions_have_the_order_of_dpkg(one: str, other: str) -> None:
    command = ["dpkg", "--compare-versions", one, "lt", other]
    expected = subprocess.run(command, capture_output=True, check=False).returncode == 0
    key = SCHEMES["apt"].key
    assert (key(one) < key(other)) is expected
