"""`/-/`: the page for people. Its files (`mirror/web/ui/`) are read once; what it shows, it asks of the admin API."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from mirror.httpcache.fields import entity_tags, same_weakly

INDEX = "index.html"

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        # Keys come from outside: no text can become markup, not even by a mistake of ours (W3C Trusted Types).
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

FIELDS = {
    "cache-control": "no-cache",  # a new version of the server comes with its own page: asked for each time, mostly 304
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the page; `etag` is a strong one, of its bytes."""

    body: bytes
    fields: dict[str, str]
    etag: str

    def answer(self, request: Request) -> Response:
        """The file, or 304 where the browser has it."""
        wanted = request.headers.get("if-none-match", "")
        if wanted == "*" or any(same_weakly(self.etag, other) for other in entity_tags(wanted)):
            return Response(status_code=304, headers={**FIELDS, "etag": self.etag})
        return Response(self.body, headers=self.fields)


def parts() -> dict[str, Part]:
    """The files of the page by name."""
    found = {}
    for path in files("mirror.web").joinpath("ui").iterdir():
        kind = TYPES.get(f".{path.name.rpartition('.')[2]}")
        if kind is not None:
            body = path.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            found[path.name] = Part(body, {**FIELDS, "content-type": kind, "etag": etag}, etag)
    return found


def routes(shown: Callable[[], bool] = lambda: True) -> APIRouter:
    """The routes of the page; `shown`: whether there is to be one now."""

    async def asked() -> None:
        if not shown():
            raise HTTPException(404, "this server has no page ([admin] page = false)")

    router = APIRouter(include_in_schema=False, dependencies=[Depends(asked)])
    known = parts()

    @router.api_route("", methods=["GET", "HEAD"])
    async def moved() -> Response:
        return RedirectResponse("/-/", 308)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return known[INDEX].answer(request)

    @router.api_route("/ui/{name}", methods=["GET", "HEAD"])
    async def part(name: str, request: Request) -> Response:
        if name not in known or name == INDEX:
            raise HTTPException(404, f"the page has no file {name[:100]!r}")
        return known[name].answer(request)

    return router
