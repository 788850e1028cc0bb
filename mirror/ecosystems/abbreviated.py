"""A packument's abbreviated form made from the full one, for origins that have no other: what is needed to install."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping

from mirror.ecosystems.json_spans import LARGE, Cursor, Edit, edited
from mirror.ecosystems.versions import Packument, Version

_KEPT = frozenset(
    {
        *("name", "version", "deprecated", "dist", "bin", "directories", "engines", "cpu", "os", "libc", "funding"),
        *("dependencies", "optionalDependencies", "devDependencies", "acceptDependencies"),
        *("bundleDependencies", "bundledDependencies", "peerDependencies", "peerDependenciesMeta"),
        *("_hasShrinkwrap", "hasShrinkwrap", "hasInstallScript"),
    }
)
_INSTALLING = frozenset({"preinstall", "install", "postinstall"})


def made(
    packument: Packument,
    changes: Callable[[str], list[Edit]],
    hidden: Collection[str] = (),
    instead: Mapping[str, bytes] | None = None,
    ends: bytes = b"",
) -> Iterator[bytes]:
    """The abbreviated document, with what `changes` in each version but those that are `hidden`; `instead` takes the
    place of members, and `ends` stands behind them, with its comma."""
    body = packument.body
    spans = {"name": packument.name, "modified": packument.modified, "dist-tags": packument.tags}
    yield b"{"
    for name, span in spans.items():
        if span is not None:
            yield _key(name)
            yield (instead or {}).get(name) or body[slice(*span)]
            yield b","
    yield b'"versions":'
    comma = b"{"
    cursor = Cursor(body, checked=True)
    for name, version in packument.versions.items():
        if name in hidden:
            continue
        yield comma + _key(name)
        yield from _manifest(cursor, version, changes(name))
        comma = b","
    yield (b"}" if packument.versions else b"{}") + ends + b"}"


def _manifest(cursor: Cursor, version: Version, edits: list[Edit]) -> Iterator[bytes]:
    cursor.go(version.start)
    if cursor.kind != "{":
        yield cursor.body[version.start : version.end]
        return
    comma, installs, said = b"{", {"scripts": False, "gypfile": False}, False
    for name in cursor.members():
        start, value = cursor.at, cursor.value()
        if name in installs:
            installs[name] = value is True if name == "gypfile" else _installing(value)
        if name in _KEPT:
            said = said or name == "hasInstallScript"
            yield comma + _key(name)
            yield from edited(cursor.body, start, cursor.at, [edit for edit in edits if start < edit[0] < cursor.at])
            comma = b","
    if any(installs.values()) and not said:
        yield comma + b'"hasInstallScript":true'
        comma = b","
    yield b"}" if comma == b"," else b"{}"


def _installing(scripts: object) -> bool:
    return scripts is not LARGE and isinstance(scripts, dict) and not _INSTALLING.isdisjoint(scripts)


def _key(name: str) -> bytes:
    return json.dumps(name).encode() + b":"
