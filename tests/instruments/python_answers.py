"""How two indexes of Python packages answer: the real one with all its fields, a poor one behind a gateway. Pure."""

from __future__ import annotations

import gzip
import hashlib
import re
from email.utils import formatdate
from urllib.parse import unquote

from mirror.model import Request

from . import python_pages as pages
from .answers import Response
from .python_packages import File, Project

MODIFIED = formatdate(1_700_000_000, usegmt=True)
_ALIASES = {
    "application/vnd.pypi.simple.latest+json": pages.JSON,
    "application/vnd.pypi.simple.latest+html": pages.V1_HTML,
}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Real:
    """JSON or HTML by Accept, validators, lifetimes, gzip, redirects to the normalised name, ranges of files."""

    def __init__(self, files_at: str) -> None:
        self.files_at = files_at

    def page(self, request: Request, project: Project) -> Response:
        if request.path != f"/simple/{project.name}/":
            return _moved(301, f"/simple/{project.name}/")
        media_type = _accepted(request)
        made = pages.real_json if media_type == pages.JSON else pages.real_html
        return _document(request, made(project, self.files_at), media_type, "Accept, Accept-Encoding", 600)

    def root(self, request: Request, names: list[str]) -> Response:
        if request.path != "/simple/":
            return _moved(301, "/simple/")
        media_type = _accepted(request)
        made = pages.root_json if media_type == pages.JSON else pages.root_html
        return _document(request, made(names), media_type, "Accept, Accept-Encoding", 600)

    def legacy(self, request: Request, project: Project, version: str) -> Response:
        page = pages.legacy(project, self.files_at, version)
        return _document(request, page, "application/json", "Accept-Encoding", 900)

    def file(self, request: Request, file: File) -> Response:
        """Never a 304: the edge takes the conditions away."""
        etag = f'"{hashlib.md5(file.body, usedforsecurity=False).hexdigest()}"'
        fields = [
            ("Content-Type", "application/octet-stream"),
            ("Cache-Control", "max-age=365000000, immutable, public"),
            ("ETag", etag),
            ("Last-Modified", MODIFIED),
            ("Accept-Ranges", "bytes"),
        ]
        span = _span(request, len(file.body))
        if span is None or request.headers.get("if-range") not in (None, etag, MODIFIED):
            return Response(200, fields, file.body, conditional=False)
        start, end = span
        if start >= end:
            return Response(416, [*fields, ("Content-Range", f"bytes */{len(file.body)}")])
        shown = ("Content-Range", f"bytes {start}-{end - 1}/{len(file.body)}")
        return Response(206, [*fields, shown], file.body[start:end])

    def metadata(self, request: Request, file: File) -> Response:
        """The one kind of file that is compressed for who wants it."""
        fields = [
            ("Content-Type", "binary/octet-stream"),
            ("Cache-Control", "max-age=365000000, immutable, public"),
            ("Vary", "Accept-Encoding"),
        ]
        return _packed(request, fields, file.metadata or b"")


class Poor:
    """Always HTML whatever Accept says, no validators, lifetimes, ranges or gzip; any spelling of a name."""

    def __init__(self, files_at: str) -> None:
        self.files_at = files_at

    def page(self, request: Request, project: Project) -> Response:
        if not request.path.endswith("/"):
            return _moved(308, f"{request.path}/")
        return Response(200, [("Content-Type", "text/html")], pages.poor_html(project, self.files_at))

    def root(self, request: Request, names: list[str]) -> Response:
        if not request.path.endswith("/"):
            return _moved(308, "/simple/")
        return Response(200, [("Content-Type", "text/html")], pages.root_html(names))

    def legacy(self, request: Request, project: Project, version: str) -> Response:
        page = pages.legacy(project, self.files_at, version)
        return Response(200, [("Content-Type", "application/json")], page)

    def file(self, request: Request, file: File) -> Response:
        return Response(200, [("Content-Type", "application/octet-stream")], file.body)

    def metadata(self, request: Request, file: File) -> Response:
        return Response(200, [("Content-Type", "application/octet-stream")], file.metadata or b"")


def spellings(name: str) -> list[str]:
    """Paths at which a project is asked for, the normalised one first."""
    other = [name.upper(), name.replace("-", "_"), name.replace("-", ".").title()]
    return [path for each in dict.fromkeys([name, *other]) for path in (f"/simple/{each}/", f"/simple/{each}")]


def file_path(request: Request) -> str:
    """The path as a store behind the edge reads it: a plain `+` is a space, so that only `%2B` finds such a file."""
    return unquote(request.path.replace("+", " "))


def _moved(status: int, to: str) -> Response:
    return Response(status, [("Location", to)])


def _document(request: Request, page: bytes, media_type: str, vary: str, lifetime: int) -> Response:
    shown = "text/html; charset=UTF-8" if media_type == "text/html" else media_type
    fields = [
        ("Content-Type", shown),
        ("Cache-Control", f"max-age={lifetime}, public"),
        ("ETag", pages.etag(page)),
        ("Vary", vary),
        ("X-PyPI-Last-Serial", str(pages.SERIAL)),
        ("Access-Control-Allow-Origin", "*"),
    ]
    return _packed(request, fields, page)


def _packed(request: Request, fields: list[tuple[str, str]], body: bytes) -> Response:
    if "gzip" not in (request.headers.get("accept-encoding") or ""):
        return Response(200, fields, body)
    return Response(200, [*fields, ("Content-Encoding", "gzip")], gzip.compress(body, mtime=0))


def _accepted(request: Request) -> str:
    """The best of the three types; text/html where the field is missing or names none of them."""
    weights: dict[str, float] = {}
    for member in (request.headers.get("accept") or "").split(","):
        media_type, *parameters = (part.strip() for part in member.split(";"))
        weight = next((float(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
        weights[_ALIASES.get(media_type, media_type)] = weight
    best = max((pages.JSON, pages.V1_HTML, "text/html"), key=lambda media_type: weights.get(media_type, 0.0))
    return best if weights.get(best) else "text/html"


def _span(request: Request, size: int) -> tuple[int, int] | None:
    found = _RANGE.fullmatch(request.headers.get("range") or "")
    if found is None or not any(found.groups()) or request.method != "GET":
        return None
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1 if last else size)
