"""One file of a project's page, as PEP 691 writes it: what it says, what we make of it, and the facts that follow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

from mirror.ecosystems import instants, simple_links, simple_versions
from mirror.ecosystems.bodies import hex_digest
from mirror.ecosystems.simple_links import Place, place
from mirror.ecosystems.views import plain
from mirror.errors import OriginError
from mirror.model import Digest, Fact, strongest

# PEP 714's name first; the index's own misspelling of the older one last.
METADATA_KEYS = ("core-metadata", "dist-info-metadata", "data-dist-info-metadata")

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")  # PEP 700
_SIZE = re.compile(r"[0-9]{1,15}")


class Listed(NamedTuple):
    """A file as the page has it, and where it is; without a place it is none that we can serve."""

    file: dict[str, Any]
    place: Place | None

    @property
    def metadata(self) -> dict[str, str] | bool | None:
        """Whether there is a `.metadata` beside the file, or its digests (PEP 658); None where nothing is said."""
        stated = next((self.file[key] for key in METADATA_KEYS if self.file.get(key) is not None), None)
        if isinstance(stated, dict):
            return {str(name): text.lower() for name, text in stated.items() if isinstance(text, str)} or True
        return None if stated is None else bool(stated)

    @property
    def name(self) -> str:
        """The file's name: that of its link, which clients ask for; what the page calls it may be another one."""
        if self.place is not None:
            return unquote(self.place.name.rpartition("/")[2])
        return plain(self.file.get("filename"))

    @property
    def published(self) -> float | None:
        """When it was uploaded, by the page or the legacy document; seconds since the epoch."""
        return instants.seconds(self.file.get("upload-time") or self.file.get("upload_time_iso_8601"))

    def version(self, project: str) -> str:
        """The version that the file's name says, "" where it says none."""
        return plain(simple_versions.version_of(self.name, project))


def listed(files: object, page: str) -> list[Listed]:
    """The files of a JSON page at URL `page`; OriginError where it is no list of files with URLs."""
    return [Listed(file, place(page, file["url"])) for file in checked(files)]


def checked(files: object) -> Iterator[dict[str, Any]]:
    """Each file of a list of such; OriginError where it is none."""
    for file in files if isinstance(files, list) else [None]:
        if not isinstance(file, dict) or not isinstance(file.get("url"), str):
            raise OriginError("the origin's page lists a file without a URL")
        yield file


def from_attributes(found: Place, get: Callable[[str], str | None]) -> Listed:
    """The file of a link, told by the attributes (PEP 503, 592, 658, 740) that `get` reads; None: there is none.

    The time of upload and the size stand in no specification of HTML, but some indexes write them, and clients read
    them there.
    """
    file: dict[str, Any] = {"filename": unquote(found.name.rpartition("/")[2]), "url": found.url}
    file["hashes"] = simple_links.hashes(found.fragment)
    stated = {
        "requires-python": get("data-requires-python") or None,
        "size": _size(get("data-size") or ""),
        "upload-time": instant(get("data-upload-time")),
        "yanked": None if (reason := get("data-yanked")) is None else reason or True,
        "core-metadata": metadata_attribute(get),
        "gpg-sig": {"true": True, "false": False}.get(get("data-gpg-sig") or ""),
        "provenance": get("data-provenance"),
    }
    file |= {key: value for key, value in stated.items() if value is not None}
    return Listed(file, found._replace(fragment=""))


def ours(entry: Listed) -> dict[str, Any]:
    """The file as we list it: below our mirror, its `.metadata` under the names of PEP 658 and 714 if we have it."""
    file = dict(entry.file)
    metadata = entry.metadata if entry.place else False
    if entry.place:
        file["url"] = f"../..{entry.place.link}"
    if isinstance(file.get("hashes"), dict):
        file["hashes"] = {name: _lower(value) for name, value in file["hashes"].items()}
    wanted = METADATA_KEYS[:2] if metadata else ()
    for key in (*wanted, *(key for key in METADATA_KEYS if key in file)):
        file[key] = metadata
    provenance = file.get("provenance", "https://")
    if provenance is not None and not (isinstance(provenance, str) and provenance.startswith("https://")):
        del file["provenance"]  # PEP 740: a fully qualified URL on a secure origin
    return file


def facts(files: Iterable[Listed], *, project: str, licensed: str = "", sized: bool = True) -> Iterator[Fact]:
    """What a page of that project says of its files, of their `.metadata` and of their signatures; `licensed`: the
    license that the page states for them; `sized`: its sizes can be relied on.

    A wheel of which nothing is said may have a `.metadata` all the same: a fact, but not one that we announce.
    """
    for entry in files:
        if (found := entry.place) is None:
            continue
        size = entry.file.get("size")
        known = size if sized and type(size) is int and size >= 0 else None
        digest = digest_of(entry.file.get("hashes") or entry.file.get("digests"))
        about = Fact("", package=project, version=entry.version(project), published=entry.published, license=licensed)
        digest = digest or digest_of(simple_links.hashes(found.fragment))
        yield replace(about, name=found.name, url=found.url, digest=digest, size=known)
        metadata = entry.metadata
        if metadata or (metadata is None and found.name.endswith(".whl")):
            name, url = found.beside(".metadata")
            yield replace(about, name=name, url=url, digest=digest_of(metadata))
        if entry.file.get("gpg-sig") is True:
            name, url = found.beside(".asc")
            yield replace(about, name=name, url=url)


def digest_of(digests: object) -> Digest | None:
    """The strongest of an index's digests that can be checked, or None."""
    pairs = digests.items() if isinstance(digests, dict) else ()
    return strongest(digest for pair in pairs if (digest := hex_digest(*pair)))


def metadata_attribute(get: Callable[[str], str | None]) -> dict[str, str] | bool | None:
    """What a link's attributes say of a `.metadata`, as `Listed.metadata` has it."""
    stated = next((text for key in METADATA_KEYS if (text := get(f"data-{key}")) is not None), None)
    if stated is None or stated.strip().lower() == "false":
        return None if stated is None else False
    return simple_links.hashes(stated) or True


def _size(text: str) -> int | None:
    return int(text) if _SIZE.fullmatch(text) else None


def instant(text: object) -> str | None:
    """The instant as PEP 700 writes it, or None where the text names none (without a zone it is none)."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            return None
        return text if _TIME.fullmatch(text) else found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, OverflowError):
        return None


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value
