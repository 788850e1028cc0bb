"""Whatever is written into the configuration, an index or an advisory: our errors, or none."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import ConfigError
from mirror.policy.advisories import read
from mirror.policy.artifact import Artifact
from mirror.policy.names import selector
from mirror.policy.versions import SCHEMES
from tests.policy.builders import DAY, NOW, advisory, gatekeeper, rule

ecosystems = st.sampled_from(list(SCHEMES))
versions = st.one_of(st.text(max_size=20), st.from_regex(r"[v0-9.a-z:~+*x^<>=|, -]{0,20}", fullmatch=True))
odd = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), versions, st.sampled_from(["0", "1.0", "npm"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(versions, inner, max_size=3)),
    max_leaves=5,
)


@given(ecosystems, versions, versions, versions)
def test_versions_and_ranges(ecosystem: str, text: str, one: str, other: str) -> None:
    scheme = SCHEMES[ecosystem]
    keys = [key for key in (scheme.key(one), scheme.key(other)) if key is not None]
    if len(keys) == 2:
        assert (keys[0] < keys[1]) + (keys[0] == keys[1]) + (keys[0] > keys[1]) == 1
    with contextlib.suppress(ConfigError):
        known = scheme.range(text)
        for key in keys:
            assert known.holds(key, wide=True) >= known.holds(key, wide=False)


@given(st.one_of(versions, versions.map("pkg:npm/{}".format), versions.map("pkg:{}".format)), ecosystems)
def test_selectors(text: str, ecosystem: str) -> None:
    with contextlib.suppress(ConfigError):
        selector(text).test(ecosystem)("six")
        selector(text, ecosystem)


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, value in inner for place in _places(value, (*path, key)))]


@given(st.data(), st.sampled_from(["PyPI", "npm", "Debian:12"]))
def test_advisories(data: st.DataObject, ecosystem: str) -> None:
    """One of which some part is anything."""
    tree: Any = [advisory("six", ("introduced", "1.0.0"), ("fixed", "2.0.0"), ecosystem=ecosystem, versions=["1.1.0"])]
    *path, last = data.draw(st.sampled_from(_places(tree)[1:]))
    into = tree
    for key in path:
        into = into[key]
    into[last] = data.draw(odd)
    known = read([json.dumps(tree).encode()])
    for name in SCHEMES:
        gate = gatekeeper(name, min_age=DAY).knowing(known)
        for version in ("1.1.0", "2.0.0", data.draw(versions)):
            gate.verdict(Artifact(name, "six", version, published=NOW), NOW)


@given(
    ecosystems,
    st.text(max_size=30),
    versions,
    st.text(max_size=30),
    st.one_of(st.none(), st.floats()),
    st.one_of(st.none(), st.floats()),
    st.text(max_size=30),
)
def test_artifacts(
    ecosystem: str,
    package: str,
    version: str,
    file: str,
    published: float | None,
    seen: float | None,
    license_: str,
) -> None:
    for dates in ("origin", "first-seen"):
        denied = rule("a*", files="*.exe", licenses="GPL*")
        gate = gatekeeper(ecosystem, min_age=DAY, dates=dates, deny=(denied,))
        verdict = gate.verdict(Artifact(ecosystem, package, version, file, published, seen, license_), NOW)
        assert verdict.until > NOW
        assert verdict.reason.isprintable()
