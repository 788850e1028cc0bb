"""The legacy JSON document of a project or of one of its versions: its facts, its links made ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mirror.ecosystems import json_text, simple_files
from mirror.ecosystems.bodies import decoded
from mirror.ecosystems.simple_links import place
from mirror.errors import OriginError
from mirror.model import Fact, Headers, Rewritten


def rewritten(body: bytes, headers: Headers, *, page: str, mount: str) -> Rewritten:
    """The document with its files' URLs below `mount`; `page` is its own at the origin. OriginError: it is none."""
    document = json_text.parsed(decoded(body, headers))
    for files in _releases(document):
        for file in simple_files.checked(files):
            if found := place(page, file["url"]):
                file["url"] = mount + found.link
    return Rewritten(list(json_text.written(document)), "application/json")


def facts(body: bytes, headers: Headers, *, page: str) -> Iterator[Fact]:
    """What the document says of its files; OriginError where it is none. Nothing is done before the first one."""
    for files in _releases(json_text.parsed(decoded(body, headers))):
        yield from simple_files.facts(simple_files.listed(files, page))


def _releases(document: dict[str, Any]) -> Iterator[object]:
    releases = document.get("releases") or {}
    if not isinstance(releases, dict) or "urls" not in document:
        raise OriginError("the origin's document does not list a project's files")
    yield document["urls"]
    yield from releases.values()
