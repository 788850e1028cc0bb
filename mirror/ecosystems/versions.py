"""What a packument says of its versions, and where in its text: read member by member."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mirror.ecosystems import packument_times
from mirror.ecosystems.bodies import decoded
from mirror.ecosystems.json_spans import LARGE, Cursor
from mirror.ecosystems.packument_spans import Span, placed
from mirror.ecosystems.packument_times import Time
from mirror.ecosystems.views import plain
from mirror.errors import OriginError
from mirror.model import Headers

_NOWHERE = (0, 0)
_SHORT = 1 << 20  # bytes; what is longer is no list of tags


class Version(NamedTuple):
    """The span of one version's manifest, and what its `dist` says; None where it says nothing, or no string.

    `license` is as the manifest states it ("": not, or not in ASCII), `deprecated` whether it is. `tarball_at` and
    `attestations_at` are the spans of the JSON that stands for these URLs. (Flat: a large packument
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
    license: str = ""
    deprecated: bool = False


_NO_DIST = Version()


@dataclass(slots=True)
class Packument:
    """A package's document. `body` is its JSON without a content coding; of members of one name the last counts.

    `start` is where the JSON begins, `versions_at` where the object of the versions does; `name`, `tags`, `stated` (the
    `modified` beside the name), `modified` (that one, or the one in `time`) and `time` are spans of values, None where
    there are none. Where it was read with its dates, `times` has them; `twice`: something that matters to what may be
    seen is there twice under one name.
    """

    body: bytes
    start: int
    name: Span | None = None
    tags: Span | None = None
    stated: Span | None = None
    modified: Span | None = None
    time: Span | None = None
    versions_at: int = 0
    versions: dict[str, Version] = field(default_factory=dict)
    times: dict[str, Time] = field(default_factory=dict)
    twice: bool = False

    def all_tags(self) -> dict[str, Any]:
        """What each dist-tag names."""
        if self.tags is None or self.tags[1] - self.tags[0] > _SHORT:
            return {}
        tags = json.loads(self.body[slice(*self.tags)])
        return tags if isinstance(tags, dict) else {}

    def tag(self, name: str) -> str | None:
        """The version that a dist-tag names."""
        version = self.all_tags().get(name)
        return version if isinstance(version, str) else None


def read(body: bytes, headers: Headers, *, dated: bool = False) -> Packument:
    """The packument that a stored body holds, `dated` with its dates; OriginError where it holds none."""
    try:
        return _read(decoded(body, headers), dated)
    except RecursionError as exc:
        raise OriginError("the origin's document is not JSON that can be read: it is nested too deeply") from exc


def _read(body: bytes, dated: bool) -> Packument:
    cursor = Cursor(body)
    packument = Packument(body, cursor.at)
    if cursor.kind != "{":
        raise OriginError("the origin's document is not a JSON object")
    met, has_versions = set(), False
    for name in cursor.members():
        packument.twice = packument.twice or name in met
        match name:
            case "name":
                packument.name = _text_span(cursor)
            case "dist-tags":
                packument.tags = _span(cursor)
            case "modified":
                packument.stated = _text_span(cursor)
                packument.modified = packument.modified or packument.stated
            case "time":
                packument.modified = _time(cursor, packument, dated) or packument.modified
            case "versions":
                packument.versions_at = cursor.at
                has_versions = _versions(cursor, packument)
            case _:
                continue
        met.add(name)
    cursor.end()
    if packument.name is None or not has_versions:
        raise OriginError("the origin's document is not a packument: it lacks a name or versions")
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


def _time(cursor: Cursor, packument: Packument, dated: bool) -> Span | None:
    """Past `time`: the span of its `modified`."""
    if not dated:
        return packument_times.modified(cursor)
    start = cursor.at
    packument.times, twice = packument_times.times(cursor)
    packument.time = (start, cursor.at)
    packument.twice = packument.twice or twice
    text, *span = packument.times.get("modified", (None, 0, 0))
    return None if text is None else (span[0], span[1])


def _versions(cursor: Cursor, packument: Packument) -> bool:
    """Whether they are an object."""
    packument.versions = {}
    if cursor.kind != "{":
        return False
    for name in cursor.members():
        packument.twice = packument.twice or name in packument.versions
        packument.versions[name] = _version(cursor)
    return True


def _version(cursor: Cursor) -> Version:
    start, manifest = cursor.at, cursor.value()
    if not isinstance(manifest, dict) and manifest is not LARGE:
        return Version(start, cursor.at)
    if isinstance(manifest, dict) and (quick := _quick(cursor.since(start), start, manifest.get("dist"))) is not None:
        said = (_license(manifest.get("license")), bool(manifest.get("deprecated")))
        return quick._replace(start=start, end=cursor.at, license=said[0], deprecated=said[1])
    cursor.go(start)
    return _by_members(cursor)


def _license(stated: object) -> str:
    """The license, which may be written `{"type": ..., "url": ...}`, too."""
    written = stated.get("type") if isinstance(stated, dict) else stated
    return plain(written) if isinstance(written, str) and written.isascii() else ""


def _quick(text: str, start: int, dist: object) -> Version | None:
    """What `dist` says, where its URLs can be found without a walk: an eighth of the work, and nearly always so."""
    if not isinstance(dist, dict):
        return _NO_DIST
    told = [dist[name] if isinstance(dist.get(name), str) else None for name in ("tarball", "integrity", "shasum")]
    attestations = dist.get("attestations")
    url = attestations.get("url") if isinstance(attestations, dict) else None
    tarball, integrity, shasum = told
    at = _NOWHERE if tarball is None else placed(text, start, "tarball", tarball)
    url_at = placed(text, start, "url", url) if isinstance(url, str) else _NOWHERE
    if at is None or url_at is None or not all(value.isascii() for value in told if value is not None):
        return None
    return Version(0, 0, tarball, at, integrity, shasum, url if isinstance(url, str) else None, url_at)


def _by_members(cursor: Cursor) -> Version:
    start, dist = cursor.at, _NO_DIST
    said: dict[str, Any] = {}
    if cursor.kind == "{":
        for name in cursor.members():
            if name == "dist":
                dist = _dist(cursor)
            elif name in ("license", "deprecated"):
                said[name] = cursor.value()
    else:
        cursor.value()
    stated, deprecated = _license(said.get("license")), bool(said.get("deprecated"))
    return dist._replace(start=start, end=cursor.at, license=stated, deprecated=deprecated)


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
