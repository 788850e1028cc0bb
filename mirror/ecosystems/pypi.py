"""Python packages: the simple API (PEP 503, 691), its files and their metadata (PEP 658), and the legacy JSON API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from urllib.parse import parse_qs

from mirror.ecosystems import paths, simple_pages
from mirror.ecosystems.accept import quality, ranges
from mirror.ecosystems.bodies import begins, not_html
from mirror.ecosystems.rules import AS_IT_IS, HOUR, IMMUTABLE, document, only_reads, volatile
from mirror.ecosystems.simple_pages import JSON, PROJECT, TEXT_HTML, V1_HTML
from mirror.errors import NotFound
from mirror.model import Headers, Lookup, Mirror, Plan, Ready, Request, Rewrite

_TTL = 600.0  # what the index itself allows (`max-age=600`)
_LEGACY_TTL = 900.0
_ROOT_TTL = 6 * HOUR

_ASK_JSON = f"{JSON}, {V1_HTML};q=0.2, {TEXT_HTML};q=0.01"
_ALIASES = {
    JSON: JSON,
    V1_HTML: V1_HTML,
    TEXT_HTML: TEXT_HTML,
    "application/vnd.pypi.simple.latest+json": JSON,
    "application/vnd.pypi.simple.latest+html": V1_HTML,
}
_CANDIDATES = 4
_DIGIT_DASH = re.compile(r"-(?=\d)")
_DASH = re.compile(r"-")
_MAGIC = {
    ".whl": b"PK",
    ".zip": b"PK",
    ".egg": b"PK",
    ".tar.gz": b"\x1f\x8b",
    ".tgz": b"\x1f\x8b",
    ".tar.bz2": b"BZh",
}


def plan(mirror: Mirror, request: Request) -> Plan | Ready:
    """`/simple/`, `/simple/<name>/`, `/files/...`, `/pypi/<name>[/<version>]/json`; NotFound for all else.

    A project's name in another spelling, or without the slash behind it, is answered with a redirect.
    """
    only_reads(request)
    path = paths.decoded(request.path)
    match path[1:].split("/"):
        case ["simple"] | ["simple", ""]:
            return _root(mirror, request) if path == "/simple/" else _moved(mirror, request, "/simple/")
        case ["simple", name] | ["simple", name, ""]:
            canonical = f"/simple/{_project(name)}/"
            return _page(mirror, request, _project(name)) if path == canonical else _moved(mirror, request, canonical)
        case ["files", *_, file] if file:
            return _file(mirror, path, file)
        case ["pypi", name, "json"]:
            return _legacy(mirror, request, _project(name), "")
        case ["pypi", name, version, "json"]:
            return _legacy(mirror, request, _project(name), version)
    raise NotFound(f"there is nothing at {paths.encoded(path)}: see /{mirror.name}/simple/")


def _project(name: str) -> str:
    if not PROJECT.fullmatch(name):
        raise NotFound(f"{name!r} is no name that a Python project can have")
    return re.sub(r"[-_.]+", "-", name).lower()


def _moved(mirror: Mirror, request: Request, path: str) -> Ready:
    """A redirect without scheme and host, which a proxy in front of us may have changed."""
    return Ready(301, Headers.of({"location": paths.mount(mirror, request) + path + paths.query(request.query)}))


def _root(mirror: Mirror, request: Request) -> Plan:
    media_type = _media_type(request)
    variant = "json" if media_type == JSON else "html"
    html_type = _html_type(media_type)
    return Plan(
        key=f"/{mirror.name}/simple/ {variant}",
        urls=tuple(f"{upstream}/" for upstream in mirror.upstreams),
        rule=volatile(mirror, _ROOT_TTL),
        send=document(_ASK_JSON if variant == "json" else TEXT_HTML),
        rewrite=Rewrite(html_type, partial(simple_pages.rewritten_root, html_type=html_type)),
        check=_is_page,
    )


def _page(mirror: Mirror, request: Request, project: str) -> Plan:
    media_type = _media_type(request)
    variant = "json" if media_type == JSON else "html"
    html_type = _html_type(media_type)
    urls = tuple(f"{upstream}/{project}/" for upstream in mirror.upstreams)
    page = urls[0] if urls else ""
    return Plan(
        key=f"/{mirror.name}/simple/{project}/ {variant}",
        urls=urls,
        rule=volatile(mirror, _TTL if mirror.ttl is None else mirror.ttl),
        send=document(_ASK_JSON if variant == "json" else TEXT_HTML),
        tags=(f"pypi:{project}",),
        rewrite=Rewrite(html_type, partial(simple_pages.rewritten, page=page, html_type=html_type)),
        slot=f"simple/{project}",
        facts=partial(simple_pages.facts, page=page),
        check=_is_page,
    )


def _file(mirror: Mirror, path: str, file: str) -> Plan:
    projects = tuple(islice(_projects(file), _CANDIDATES))
    if not projects:
        raise NotFound(f"{file!r} is no name that a file of a Python project can have")
    name = paths.encoded(path)
    return Plan(
        key=f"/{mirror.name}{name}",
        urls=(),
        rule=IMMUTABLE,
        send=AS_IT_IS,
        tags=(f"pypi:{projects[0]}",),
        content_type="application/octet-stream",
        lookup=Lookup(
            name,
            slots=tuple(f"simple/{project}" for project in projects),
            documents=tuple(f"/simple/{project}/" for project in projects),
            required=True,
            accept=_ASK_JSON,
        ),
        check=_check(file),
    )


def _legacy(mirror: Mirror, request: Request, project: str, version: str) -> Plan:
    path = f"/pypi/{project}/{paths.encoded(version)}/json" if version else f"/pypi/{project}/json"
    urls = tuple(upstream.rpartition("/")[0] + path for upstream in mirror.upstreams)
    page = urls[0] if urls else ""
    return Plan(
        key=f"/{mirror.name}{path}",
        urls=urls,
        rule=volatile(mirror, _LEGACY_TTL),
        send=document("application/json"),
        tags=(f"pypi:{project}",),
        rewrite=Rewrite(
            request.base, partial(simple_pages.legacy_rewritten, page=page, mount=request.base), vary="Accept-Encoding"
        ),
        # A slot of its own: these facts lack the metadata files, which the simple page has.
        slot=path[1:].removesuffix("/json"),
        facts=partial(simple_pages.legacy_facts, page=page),
        check=not_html,
    )


def _media_type(request: Request) -> str:
    """What this client gets, were upstream to offer all three: by quality, then JSON before HTML (PEP 691).

    `?format=` overrules Accept. `*/*` alone, or nothing at all, means text/html, as at upstream.
    """
    asked = parse_qs(request.query).get("format", [""])[0].replace(" ", "+")
    if asked:
        return _ALIASES.get(asked, TEXT_HTML)
    accepted = ranges(request.headers.get("accept"))
    weights = {JSON: 0.0, V1_HTML: 0.0, TEXT_HTML: 0.0}
    for alias, media_type in _ALIASES.items():
        weight = quality(accepted, alias, anything=alias == TEXT_HTML)
        weights[media_type] = max(weights[media_type], weight)
    best = max(weights, key=lambda media_type: weights[media_type])
    if weights[best] > 0:
        return best
    return JSON if accepted.get("*/*", 0.0) > 0 else TEXT_HTML


def _html_type(media_type: str) -> str:
    """The type that an HTML page is given where this client wants `media_type`; upstream may have nothing but HTML."""
    return V1_HTML if media_type == V1_HTML else TEXT_HTML


def _projects(file: str) -> Iterator[str]:
    """The projects that a file of this name can belong to, the likeliest first.

    A wheel's name says it (PEP 427). Any other name is split before its version, which may be at any dash: most
    likely at one that a digit follows.
    """
    if file.endswith((".whl", ".whl.metadata")):
        names = [file.partition("-")[0]]
    else:
        splits = [split.start() for dash in (_DIGIT_DASH, _DASH) for split in dash.finditer(file)]
        names = [file[:split] for split in splits]
    yield from dict.fromkeys(_project(name) for name in names if PROJECT.fullmatch(name))


def _check(file: str) -> Callable[[bytes, Headers], None]:
    return next((begins(magic) for suffix, magic in _MAGIC.items() if file.endswith(suffix)), not_html)


def _is_page(start: bytes, headers: Headers) -> None:
    simple_pages.is_json(headers)
