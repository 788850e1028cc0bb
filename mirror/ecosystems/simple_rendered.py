"""A project's page written: as JSON (PEP 691, 700, 792), or as HTML (PEP 503, frozen at version 1.4 by PEP 833)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from mirror.ecosystems import json_text, simple_files, simple_links, simple_versions
from mirror.ecosystems.simple_project import REASON, STATUS, VERSION, Project

HTML_VERSION = "1.4"

_SIZED = re.compile(r"1\.[1-9][0-9]?")


def as_json(project: Project, *, name: str, complete: bool, serial: int | None) -> Iterator[bytes]:
    """The page as JSON, its files below our mirror; `name` is the project's.

    `complete`: it came as JSON, and what it states of its version holds; else that follows from what is known of the
    files. Versions cover the files in both cases.
    """
    document, files = project.document, [simple_files.ours(entry) for entry in project.files]
    document["files"] = files
    if not complete:
        _state(document, serial)
    if isinstance(versions := document.get("versions"), list):
        names = [file.get("filename") for file in files]
        document["versions"] = simple_versions.covering(versions, names, name)
    return json_text.written(document)


def _state(document: dict[str, Any], serial: int | None) -> None:
    """From version 1.1 on each file has a size, and the page its versions (PEP 700): all, or neither and 1.0."""
    meta, files = document["meta"], document["files"]
    if files and all("size" in file for file in files):
        meta["api-version"] = meta["api-version"] if _SIZED.fullmatch(meta["api-version"]) else "1.1"
        document["versions"] = []
    else:
        meta["api-version"] = "1.0"
        for file in files:
            file.pop("size", None)
    if serial is not None:
        meta["_last-serial"] = serial


def as_html(project: Project, *, name: str, serial: int | None) -> Iterator[bytes]:
    """The page as HTML, its files below our mirror; `name` is the project's."""
    return json_text.chunked(_html(project, name, serial))


def head(title: str, metas: dict[str, str]) -> bytes:
    """How our pages begin."""
    lines = (f'    <meta name="{name}" content="{html.escape(content)}">\n' for name, content in metas.items())
    title = html.escape(title)
    return _bytes(
        f"<!DOCTYPE html>\n<html>\n  <head>\n{''.join(lines)}    <title>{title}</title>\n  </head>\n"
        f"  <body>\n    <h1>{title}</h1>\n"
    )


def foot(serial: int | None) -> bytes:
    """How our pages end; the comment is how the index itself says it."""
    return b"  </body>\n</html>\n" + (b"" if serial is None else f"<!--SERIAL {serial}-->\n".encode())


def _anchor(href: str, text: str, attributes: dict[str, str]) -> bytes:
    more = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    return _bytes(f'    <a href="{html.escape(href)}"{more}>{html.escape(text)}</a><br />\n')


def _html(project: Project, name: str, serial: int | None) -> Iterator[bytes]:
    status = project.document.get("project-status")
    said = status if isinstance(status, dict) else {}
    metas = {VERSION: HTML_VERSION, STATUS: said.get("status"), REASON: said.get("reason")}
    yield head(f"Links for {name}", {key: text for key, text in metas.items() if isinstance(text, str) and text})
    for entry in project.files:
        file = simple_files.ours(entry)
        url = file["url"]
        digest = simple_links.fragment(file.get("hashes"))
        href = f"{url.partition('#')[0]}#{digest}" if digest else url
        text = file.get("filename")
        yield _anchor(href, text if isinstance(text, str) else url.rpartition("/")[2], _attributes(file))
    yield foot(serial)


def _attributes(file: dict[str, Any]) -> dict[str, str]:
    """What a link says of its file. An attribute that is there means yanked, whatever it says (PEP 592)."""
    yanked, signed, size = file.get("yanked"), file.get("gpg-sig"), file.get("size")
    metadata = metadata_text(file.get("core-metadata"))
    stated = {
        "data-requires-python": file.get("requires-python") or None,
        "data-core-metadata": metadata,
        "data-dist-info-metadata": metadata,
        "data-yanked": (yanked if isinstance(yanked, str) else "") if yanked else None,
        "data-gpg-sig": {True: "true", False: "false"}[signed] if isinstance(signed, bool) else None,
        "data-provenance": file.get("provenance"),
        "data-upload-time": simple_files.instant(file.get("upload-time")),
        "data-size": str(size) if type(size) is int and size >= 0 else None,
    }
    return {name: value for name, value in stated.items() if isinstance(value, str)}


def metadata_text(metadata: object) -> str | None:
    """What an attribute says of a `.metadata`: its digest, "true", or None where there is none to be announced.

    There is no "false": clients take any value for an announcement.
    """
    return (simple_links.fragment(metadata) or "true") if metadata else None


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")  # half a surrogate pair cannot be written at all
