"""What an index says of a project, as the real one writes it and as a poor one does. Pure; shares no rule with us."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any

from .python_packages import File, Project

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
SERIAL = 4242


def real_json(project: Project, files_at: str) -> bytes:
    """The page as PEP 691, 700, 714, 740 and 792 have it, with the real index's own misspelling; `files_at` is the
    file host."""
    page = {
        "meta": {"api-version": "1.4", "_last-serial": SERIAL},
        "name": project.name,
        "project-status": {"status": project.status},
        "versions": project.versions,
        "files": [_listed(file, files_at) for file in project.files],
    }
    return json.dumps(page).encode()


def real_html(project: Project, files_at: str) -> bytes:
    """The same in HTML, which has no sizes and no times (PEP 833 keeps it so)."""
    return _page(project, [_link(file, files_at, metadata=True) for file in project.files], f"<!--SERIAL {SERIAL}-->")


def poor_html(project: Project, files_at: str) -> bytes:
    """The same from an index that tells no metadata file; every other link has a time, which no standard knows."""
    links = [_link(file, files_at, metadata=False, timed=not number % 2) for number, file in enumerate(project.files)]
    return _page(project, links, "")


def root_json(names: list[str]) -> bytes:
    projects = [{"name": name, "_last-serial": SERIAL} for name in names]
    return json.dumps({"meta": {"api-version": "1.4", "_last-serial": SERIAL}, "projects": projects}).encode()


def root_html(names: list[str]) -> bytes:
    links = "".join(f'<a href="/simple/{name}/">{name}</a><br/>\n' for name in names)
    return f"<!DOCTYPE html>\n<html><head>{_META}</head><body>\n{links}</body></html>\n".encode()


def legacy(project: Project, files_at: str, version: str = "") -> bytes:
    """The JSON API's document, of a version or of the newest that is not yanked."""
    shown = version or next((file.version for file in reversed(project.files) if file.yanked is None), "")
    about = {"name": project.name, "version": shown, "yanked": False, "requires_python": None}
    document: dict[str, Any] = {"info": about, "last_serial": SERIAL}
    document["urls"] = [_released(file, files_at) for file in project.files if file.version == shown]
    if not version:
        document["releases"] = {
            each: [_released(file, files_at) for file in project.files if file.version == each]
            for each in project.versions
        }
    return json.dumps(document).encode()


def etag(page: bytes) -> str:
    """The real index's tag: of the page before it is compressed."""
    return f'"{base64.b64encode(hashlib.md5(page, usedforsecurity=False).digest()).decode()}"'


def _listed(file: File, files_at: str) -> dict[str, Any]:
    metadata = {"sha256": hashlib.sha256(file.metadata).hexdigest()} if file.metadata is not None else False
    return {
        "filename": file.name,
        "url": files_at + file.path,
        "hashes": {"sha256": file.sha256},
        "requires-python": file.requires_python,
        "size": len(file.body),
        "upload-time": file.uploaded,
        "yanked": False if file.yanked is None else file.yanked or True,
        "core-metadata": metadata,
        "data-dist-info-metadata": metadata,
        "provenance": None,
    }


def _released(file: File, files_at: str) -> dict[str, Any]:
    digests = {
        "sha256": file.sha256,
        "blake2b_256": file.path.split("/packages/")[1].rpartition("/")[0].replace("/", ""),
    }
    return {
        "filename": file.name,
        "url": files_at + file.path,
        "digests": digests,
        "size": len(file.body),
        "upload_time_iso_8601": file.uploaded,
        "requires_python": file.requires_python,
        "yanked": file.yanked is not None,
        "yanked_reason": file.yanked or None,
        "packagetype": "bdist_wheel" if file.name.endswith(".whl") else "sdist",
    }


_META = '<meta name="pypi:repository-version" content="1.4">'


def _page(project: Project, links: list[str], last: str) -> bytes:
    head = f"<head>{_META}<title>Links for {project.name}</title></head>"
    body = "".join(f"{link}<br />\n" for link in links)
    return (
        f"<!DOCTYPE html>\n<html>{head}<body><h1>Links for {project.name}</h1>\n{body}</body></html>\n{last}".encode()
    )


def _link(file: File, files_at: str, *, metadata: bool, timed: bool = False) -> str:
    attributes = {"href": f"{files_at}{file.path}#sha256={file.sha256}"}
    if file.requires_python is not None:
        attributes["data-requires-python"] = file.requires_python
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    if metadata and file.metadata is not None:
        told = f"sha256={hashlib.sha256(file.metadata).hexdigest()}"
        attributes |= {"data-dist-info-metadata": told, "data-core-metadata": told}
    if timed:
        attributes["data-upload-time"] = file.uploaded
    written = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{file.name}</a>"
