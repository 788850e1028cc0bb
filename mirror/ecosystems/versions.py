"""What a packument says of its versions, and where in its text: read member by member."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mirror.ecosystems.bodies import decoded
from mirror.ecosystems.json_spans import LARGE, Cursor
from mirror.errors import OriginError
from mirror.model import Headers

Span = tuple[int, int]

_NOWHERE = (0, 0)
_MEMBERS = {name: re.compile(rf'"{name}"[ \t\n\r]*:[ \t\n\r]*"') for name in ("tarball", "url", "modified")}
_SHORT = 1 << 20  # bytes; what is longer is no list of tags


class Version(NamedTuple):
    """The span of one version's manifest, and what its `dist` says; None where it says nothing, or no string.

    `tarball_at` and `attestations_at` are the spans of the JSON that stands for these URLs. (Flat: a large packument
    has 50,000 of these, and the garbage collector, which stops all threads, looks at each object.)
    """

    start: int = 0
    end: int = 0
    tarball: str | None = None
    tarball_at: Span = _NOWHERE
    integrity: str | None = None
    shasum: str | None = None
    attestations: str | None = None
    attestations_at: Span = _NOWHERE


_NO_DIST = Version()


@dataclass(slots=True)
class Packument:
    """A package's document. `body` is its JSON without a content coding; of members of one name the last counts.

    `start` is where the JSON begins; `name`, `tags` and `modified` are spans of values, None where there are none.
    """

    body: bytes
    start: int
    name: Span | None = None
    tags: Span | None = None
    modified: Span | None = None
    versions: dict[str, Version] = field(default_factory=dict)

    def tag(self, name: str) -> str | None:
        """The version that a dist-tag names."""
        if self.tags is None or self.tags[1] - self.tags[0] > _SHORT:
            return None
        tags = json.loads(self.body[slice(*self.tags)])
        version = tags.get(name) if isinstance(tags, dict) else None
        return version if isinstance(version, str) else None


def read(body: bytes, headers: Headers) -> Packument:
    """The packument that a stored body holds; OriginError where it holds none."""
    try:
        return _read(decoded(body, headers))
    except RecursionError as exc:
        raise OriginError("the origin's document is not JSON that can be read: it is nested too deeply") from exc


def _read(body: bytes) -> Packument:
    cursor = Cursor(body)
    packument = Packument(body, cursor.at)
    versions: dict[str, Version] | None = None
    if cursor.kind != "{":
        raise OriginError("the origin's document is not a JSON object")
    for name in cursor.members():
        match name:
            case "name":
                packument.name = _text_span(cursor)
            case "dist-tags":
                packument.tags = _span(cursor)
            case "modified":
                packument.modified = packument.modified or _text_span(cursor)
            case "time":
                packument.modified = _modified(cursor) or packument.modified
            case "versions":
                versions = _versions(cursor)
    cursor.end()
    if packument.name is None or versions is None:
        raise OriginError("the origin's document is not a packument: it lacks a name or versions")
    packument.versions = versions
    return packument


def _span(cursor: Cursor) -> Span:
    start = cursor.at
    cursor.value()
    return start, cursor.at


def _text_span(cursor: Cursor) -> Span | None:
    """The span of the value, None where it is no string."""
    is_text = cursor.kind == '"'
    span = _span(cursor)
    return span if is_text else None


def _placed(text: str, start: int, name: str, value: object) -> Span | None:
    """The span of a member's value, where `text` (which begins at byte `start`) has just one such member, in whatever
    object; None where that cannot be told from the text alone.

    Without a \\u in it names stand there as they are; and a quote within a string is never the end of a name.
    """
    if not isinstance(value, str) or not value.isascii() or "\\u" in text:
        return None
    ends = [found.end() for found in _MEMBERS[name].finditer(text) if text.startswith(f'{value}"', found.end())]
    return (start + ends[0] - 1, start + ends[0] + len(value) + 1) if len(ends) == 1 else None


def _modified(cursor: Cursor) -> Span | None:
    start, times = cursor.at, cursor.value()
    if isinstance(times, dict):
        quick = _placed(cursor.since(start), start, "modified", times.get("modified"))
        if quick is not None or "modified" not in times:
            return quick
    end = cursor.at
    cursor.go(start)
    try:
        return _modified_by_members(cursor)
    finally:
        cursor.go(end)


def _modified_by_members(cursor: Cursor) -> Span | None:
    found: Span | None = None
    if cursor.kind == "{":
        for name in cursor.members():
            if name == "modified":
                found = _text_span(cursor)
    return found


def _versions(cursor: Cursor) -> dict[str, Version] | None:
    if cursor.kind != "{":
        return None
    return {name: _version(cursor) for name in cursor.members()}


def _version(cursor: Cursor) -> Version:
    start, manifest = cursor.at, cursor.value()
    if not isinstance(manifest, dict) and manifest is not LARGE:
        return Version(start, cursor.at)
    if isinstance(manifest, dict) and (quick := _quick(cursor.since(start), start, manifest.get("dist"))) is not None:
        return quick._replace(start=start, end=cursor.at)
    cursor.go(start)
    return _by_members(cursor)


def _quick(text: str, start: int, dist: object) -> Version | None:
    """What `dist` says, where its URLs can be found without a walk: an eighth of the work, and nearly always so."""
    if not isinstance(dist, dict):
        return _NO_DIST
    told = [dist[name] if isinstance(dist.get(name), str) else None for name in ("tarball", "integrity", "shasum")]
    attestations = dist.get("attestations")
    url = attestations.get("url") if isinstance(attestations, dict) else None
    tarball, integrity, shasum = told
    at = _NOWHERE if tarball is None else _placed(text, start, "tarball", tarball)
    url_at = _placed(text, start, "url", url) if isinstance(url, str) else _NOWHERE
    if at is None or url_at is None or not all(value.isascii() for value in told if value is not None):
        return None
    return Version(0, 0, tarball, at, integrity, shasum, url if isinstance(url, str) else None, url_at)


def _by_members(cursor: Cursor) -> Version:
    start, dist = cursor.at, _NO_DIST
    if cursor.kind == "{":
        for name in cursor.members():
            if name == "dist":
                dist = _dist(cursor)
    else:
        cursor.value()
    return dist._replace(start=start, end=cursor.at)


def _dist(cursor: Cursor) -> Version:
    found: dict[str, Any] = {}
    if cursor.kind == "{":
        for name in cursor.members():
            start = cursor.at
            if name in ("tarball", "integrity", "shasum"):
                found[name] = cursor.string()
            elif name == "attestations":
                found[name], found["attestations_at"] = _url(cursor)
            if name == "tarball":
                found["tarball_at"] = (start, cursor.at)
    return Version(**found)


def _url(cursor: Cursor) -> tuple[str | None, Span]:
    url, span = None, _NOWHERE
    if cursor.kind == "{":
        for name in cursor.members():
            if name == "url":
                start = cursor.at
                url = cursor.string()
                span = (start, cursor.at)
    return url, span
