"""Which format a file has; and whatever a file holds, it is read or refused, never a fault of ours."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror import locks
from mirror.errors import ConfigError

KEYS = st.sampled_from([
    *("packages", "package", "dependencies", "name", "version", "resolved", "link", "source", "files", "wheels"),
    *("sdist", "hash", "hashes", "sha256", "metadata", "node_modules/a", "marker", "os", "optional", "url", "archive"),
    "",
])  # fmt: skip
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["git+x:y", "npm:a@1", "1.0"])
)
TREES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6))
LINES = st.lists(
    st.sampled_from(
        ["six==1", "-r", "-r x", "-e", "-e .", "\\", "a @ b", "--hash=", " #", "x;", "a==1 --hash=sha256:0"]
    )
    | st.text(max_size=20)
)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("requirements-dev.txt", "six\n", "requirements"),
        ("urls.txt", "# mine\n/pypi/simple/six/\nhttps://upstream.test/x\n", "urls"),
        ("deep/uv.lock", "", "uv"),
        ("C:\\x\\Poetry.lock", "", "poetry"),
        ("pylock.toml", "", "pylock"),
        ("npm-shrinkwrap.json", "", "package-lock"),
        ("-", '\ufeff{"packages": {}}', "package-lock"),
        ("-", 'version = 1\n\n[[package]]\nname = "a"\n', "uv"),
        ("-", "lockfileVersion: '9.0'\n", "pnpm-lock"),
        ("-", "", "requirements"),
    ],
)
def test_kind_is_told_from_the_name_or_the_beginning(name: str, text: str, kind: str) -> None:
    assert locks.kind(name, text) == kind


def test_addresses_are_taken_as_they_stand() -> None:
    lock = locks.read("# x\n/pypi/simple/six/\n\n https://upstream.test/x \n", "urls")
    assert [one.url for one in lock.wanted] == ["/pypi/simple/six/", "https://upstream.test/x"]


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(TREES)
def test_any_json_is_read_or_refused(tree: object) -> None:
    inner = {"node_modules/a": tree}
    for written in (
        tree,
        {"dependencies": tree},
        {"dependencies": {"a": tree}},
        {"packages": tree | inner if isinstance(tree, dict) else inner},
    ):
        with suppress(ConfigError):
            locks.read(json.dumps(written), "package-lock")


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(TREES)
def test_any_toml_is_read_or_refused(tree: object) -> None:
    for text in (f"package = [{_toml(tree)}]", f"packages = [{_toml(tree)}]\nmetadata = {_toml(tree)}"):
        for kind in ("uv", "poetry", "pylock"):
            with suppress(ConfigError):
                locks.read(text, kind)


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(LINES, st.sampled_from(sorted(locks.FORMATS)))
def test_any_lines_are_read_or_refused(lines: list[str], kind: str) -> None:
    text = "\n".join(lines)
    assert locks.kind("-", text) in locks.FORMATS
    with suppress(ConfigError):
        locks.read(text, kind)


def _toml(tree: object) -> str:
    """Inline TOML of a tree; null is a text there."""
    if isinstance(tree, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(key, ensure_ascii=False)} = {_toml(value)}" for key, value in tree.items())
            + "}"
        )
    if isinstance(tree, list):
        return "[" + ", ".join(map(_toml, tree)) + "]"
    return json.dumps("null" if tree is None else tree, ensure_ascii=False)
