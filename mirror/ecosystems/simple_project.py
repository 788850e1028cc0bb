"""A project's page in the one form that all answers are made from: what PEP 691 calls it, read from JSON or HTML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urljoin

from mirror.ecosystems import json_text, simple_files
from mirror.ecosystems.bodies import decoded
from mirror.ecosystems.simple_files import Listed
from mirror.ecosystems.simple_html import Tag, named, stated_serial, tags, text_of
from mirror.ecosystems.simple_links import place
from mirror.ecosystems.simple_types import checked_version, is_json
from mirror.errors import OriginError
from mirror.model import Headers

VERSION = "pypi:repository-version"
STATUS = "pypi:project-status"
REASON = "pypi:project-status-reason"


class Project(NamedTuple):
    """A page: all that it says but its files, and these. `document` is our own to change."""

    document: dict[str, Any]
    files: list[Listed]

    @property
    def quarantined(self) -> bool:
        """Whether nothing of it may be installed (PEP 792)."""
        return _quarantined(self.document.get("project-status"))


def read(body: bytes, headers: Headers, page: str) -> Project:
    """The page whose URL is `page`; OriginError where it is none, or of another version than 1 (PEP 629)."""
    plain = decoded(body, headers)
    project = _from_json(plain, page) if is_json(headers) else _from_html(plain, page)
    return project._replace(files=[]) if project.quarantined else project


def address(found: Iterable[Tag], page: str) -> str:
    """The URL that an HTML page's links are relative to; OriginError where the page is of another version (PEP 629)."""
    found = list(found)
    for version in named(found, VERSION):
        checked_version(version)
    bases = (href for tag in found if tag.name == "base" and (href := tag.get("href")) is not None)
    try:
        return urljoin(page, next(bases, ""))
    except ValueError as exc:
        raise OriginError("the origin's page has a base that is no URL") from exc


def quarantines(found: Iterable[Tag]) -> bool:
    """Whether an HTML page says that nothing of the project may be installed."""
    return any(_quarantined({"status": status}) for status in named(found, STATUS))


def _from_json(body: bytes, page: str) -> Project:
    document = json_text.parsed(body)
    meta = document.setdefault("meta", {"api-version": "1.0"})
    checked_version(meta.get("api-version", "1.0") if isinstance(meta, dict) else None)
    # PEP 792 puts it at the top; one example of its specification has it here.
    inner = meta.pop("project-status", None)
    stated = document.get("project-status")
    status = inner if stated is None or _quarantined(inner) else stated
    if status is not None:
        document["project-status"] = {"status": status} if isinstance(status, str) else status
    if "files" not in document:
        raise OriginError("the origin's page is not version 1 of the simple API")
    return Project(document, simple_files.listed(document["files"], page))


def _from_html(body: bytes, page: str) -> Project:
    text = text_of(body)
    about: list[Tag] = []
    links: list[dict[str, str]] = []  # of strings alone, which the garbage collector has no work with
    for tag in tags(text):
        if tag.name != "a":
            about.append(tag)
        elif "href" in tag.attributes:
            links.append({name: attribute.value for name, attribute in tag.attributes.items()})
    base = address(about, page)
    files = [simple_files.from_attributes(where, link.get) for link in links if (where := place(base, link["href"]))]
    meta: dict[str, Any] = {"api-version": next(named(about, VERSION), "1.0").strip()}
    if (number := stated_serial(text)) is not None:
        meta["_last-serial"] = number
    document: dict[str, Any] = {"meta": meta, "name": page.rstrip("/").rpartition("/")[2]}
    if status := "quarantined" if quarantines(about) else next(named(about, STATUS), ""):
        reason = next(named(about, REASON), "")
        document["project-status"] = {"status": status.strip()} | ({"reason": reason} if reason else {})
    return Project(document | {"files": []}, files)


def _quarantined(status: object) -> bool:
    word = status.get("status") if isinstance(status, dict) else status
    return isinstance(word, str) and word.strip().lower() == "quarantined"
