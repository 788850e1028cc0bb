"""The legacy JSON document of a project or of one of its versions: its facts, its links made ours, what may be seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from packaging.version import InvalidVersion, Version

from mirror.ecosystems import json_text, simple_files
from mirror.ecosystems.bodies import decoded
from mirror.ecosystems.simple_files import Listed
from mirror.ecosystems.simple_links import normalized, place
from mirror.ecosystems.simple_sight import Sight
from mirror.ecosystems.views import Seen, View, plain
from mirror.errors import OriginError
from mirror.model import Fact, Headers, Rewritten


def rewritten(
    body: bytes, headers: Headers, *, page: str, mount: str, view: View | None = None, seen: Seen | None = None
) -> Rewritten:
    """The document with its files' URLs below `mount`; `page` is its own at the origin. OriginError: it is none.

    Without the files that `view` refuses: where the version that it speaks of has lost all of its own, it speaks of the
    latest that has not; Withheld (403) where there is none, because there is nothing left to speak of.
    """
    document = json_text.parsed(decoded(body, headers))
    sight = Sight(_project(page), view, seen)
    if sight:
        _leave_out(document, page, sight)
    for _, files in _releases(document):
        for file in simple_files.checked(files):
            if found := place(page, file["url"]):
                file["url"] = mount + found.link
    return Rewritten(list(json_text.written(document)), "application/json", sight.until)


def facts(body: bytes, headers: Headers, *, page: str) -> Iterator[Fact]:
    """What the document says of its files; OriginError where it is none. Nothing is done before the first one."""
    document = json_text.parsed(decoded(body, headers))
    for version, files in _releases(document):
        licensed = _license(document, version)
        yield from simple_files.facts(simple_files.listed(files, page), project=_project(page), licensed=licensed)


def _project(page: str) -> str:
    """The project of `.../pypi/<project>[/<version>]/json`."""
    _, _, behind = page.rpartition("/pypi/")
    return normalized(behind.partition("/")[0])


def _releases(document: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Lists of files, with the versions that they are of; first that of the version which the document speaks of."""
    releases = document.get("releases") or {}
    if not isinstance(releases, dict) or "urls" not in document:
        raise OriginError("the origin's document does not list a project's files")
    yield str(_about(document).get("version")), document["urls"]
    yield from releases.items()


def _about(document: dict[str, Any]) -> dict[str, Any]:
    about = document.get("info")
    return about if isinstance(about, dict) else {}


def _license(document: dict[str, Any], version: str) -> str:
    """The license that is stated for a version: one is, that of the version which the document speaks of."""
    about = _about(document)
    if version != str(about.get("version")):
        return ""
    return plain(about.get("license_expression")) or plain(about.get("license"))


def _leave_out(document: dict[str, Any], page: str, sight: Sight) -> None:
    """Take out the files that are hidden, and the versions that have lost all of theirs."""
    left = [
        (version, bool(files), _visible(files, page, sight, _license(document, version)))
        for version, files in _releases(document)
    ]
    (_, had, document["urls"]), *releases = left
    if releases:
        document["releases"] = {version: kept for version, before, kept in releases if kept or not before}
    if had and not document["urls"]:
        latest = _latest(document.get("releases") or {})
        if latest is None:
            raise sight.judge.withheld()
        _speak_of(document, latest)


def _visible(files: object, page: str, sight: Sight, licensed: str) -> list[dict[str, Any]]:
    checked = simple_files.checked(files)
    return [file for file in checked if not sight.hides(Listed(file, place(page, file["url"])), licensed)]


def _latest(releases: dict[str, Any]) -> str | None:
    """The highest version that has files: one that is yanked, or no final release, only where all are."""
    found = [(rank, name) for name, files in releases.items() if files and (rank := _rank(name, files)) is not None]
    return max(found)[1] if found else None


def _rank(name: str, files: list[dict[str, Any]]) -> tuple[bool, bool, Version] | None:
    try:
        version = Version(name)
    except InvalidVersion:
        return None
    return not _yanked(files), not version.is_prerelease, version


def _yanked(files: list[dict[str, Any]]) -> bool:
    return all(file.get("yanked") for file in files)


def _speak_of(document: dict[str, Any], version: str) -> None:
    """Make the document speak of another version, of which it says no more than its files do: what it needs, and what
    is wrong with it, was said of the other one."""
    files = document["releases"][version]
    about = _about(document)
    before = f"/{about.get('version')}/"
    stated: dict[str, Any] = {
        "version": version,
        "requires_dist": None,
        "provides_extra": None,
        "requires_python": files[0].get("requires_python"),
        "yanked": _yanked(files),
        "yanked_reason": files[0].get("yanked_reason") if _yanked(files) else None,
    }
    if isinstance(address := about.get("release_url"), str) and address.endswith(before):
        stated["release_url"] = f"{address.removesuffix(before)}/{version}/"
    about |= {name: value for name, value in stated.items() if name in about}
    document["urls"] = [dict(file) for file in files]
    document.pop("vulnerabilities", None)
