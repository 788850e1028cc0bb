"""Python packages: the simple API (PEP 503, 691), files and what stands beside them, provenance, legacy JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from mirror.ecosystems import houses, legacy_json, paths, simple_pages, simple_root, subjects, wheels
from mirror.ecosystems.bodies import begins, not_html
from mirror.ecosystems.rules import AS_IT_IS, HOUR, IMMUTABLE, document, only_reads, volatile
from mirror.ecosystems.simple_links import PROJECT, normalized
from mirror.ecosystems.simple_types import ASK, JSON, is_json, media_type
from mirror.errors import NotFound
from mirror.model import Headers, Inside, Lookup, Mirror, Plan, Ready, Request, Rewrite
from mirror.policy.artifact import Artifact

_TTL = 600.0  # what the index itself allows (`max-age=600`)
_LEGACY_TTL = 900.0
_ROOT_TTL = 6 * HOUR
_PROVENANCE_TTL = HOUR

_ASK_PROVENANCE = "application/vnd.pypi.integrity.v1+json"
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
    """`/simple/`, `/simple/<name>/`, `/files/...`, `/integrity/<name>/<version>/<file>/provenance`,
    `/pypi/<name>[/<version>]/json`; NotFound for all else.

    A project's name in another spelling, or a slash too few or too many behind it, is answered with a redirect.
    """
    only_reads(request)
    path = paths.decoded(request.path)
    match path[1:].split("/"):
        case ["simple"] | ["simple", ""]:
            return _root(mirror, request) if path == "/simple/" else _moved(mirror, request, "/simple/")
        case ["simple", name] | ["simple", name, ""]:
            canonical = f"/simple/{_project(name)}/"
            if path != canonical:
                return _moved(mirror, request, canonical)
            return _asked(mirror, _project(name), lambda asked: _page(asked, request, _project(name)))
        case ["files", *_, file] if file:
            projects = _whose(mirror, file)
            return _asked(mirror, projects[0], lambda asked: _file(asked, path, file, projects))
        case ["pypi", name, *version, "json"] | ["pypi", name, *version, "json", ""] if len(version) < 2:
            canonical = "/".join(["/pypi", _project(name), *version, "json"])
            if path != canonical:
                return _moved(mirror, request, canonical)
            return _asked(mirror, _project(name), lambda asked: _legacy(asked, request, canonical))
        case ["integrity", name, version, file, "provenance"]:
            project = _project(name)
            return _asked(mirror, project, lambda asked: _provenance(asked, project, version, file))
    raise NotFound(f"there is nothing at {paths.encoded(path)}: see /{mirror.name}/simple/")


def _asked(mirror: Mirror, project: str, planned: Callable[[Mirror], Plan]) -> Plan:
    """What is planned for the upstreams that may hear of a project."""
    asked = houses.asked(mirror, project)
    return planned(asked) if asked is mirror else houses.kept(planned(asked))


def _project(name: str) -> str:
    if not PROJECT.fullmatch(name):
        raise NotFound(f"{name!r} is no name that a Python project can have")
    return normalized(name)


def _moved(mirror: Mirror, request: Request, path: str) -> Ready:
    """A redirect without scheme and host, which a proxy in front of us may have changed."""
    location = paths.mount(mirror, request) + paths.encoded(path) + paths.query(request.query)
    return Ready(301, Headers.of({"location": location}))


def _root(mirror: Mirror, request: Request) -> Plan:
    form = media_type(request)
    return Plan(
        key=f"/{mirror.name}/simple/",
        urls=tuple(f"{upstream}/" for upstream in mirror.upstreams),
        rule=volatile(mirror, _ROOT_TTL),
        send=document(ASK),
        rewrite=Rewrite(form, partial(simple_root.rewritten, form=form)),
        check=_is_page,
    )


def _page(mirror: Mirror, request: Request, project: str) -> Plan:
    """What is stored is what upstream sent, JSON if it has that; each client's form is made from it."""
    form = media_type(request)
    urls = tuple(f"{upstream}/{project}/" for upstream in mirror.upstreams)
    page = urls[0] if urls else f"/{project}/"
    return Plan(
        key=f"/{mirror.name}/simple/{project}/",
        urls=urls,
        rule=volatile(mirror, _TTL if mirror.ttl is None else mirror.ttl),
        send=document(ASK),
        tags=(f"pypi:{project}",),
        rewrite=Rewrite(
            form,
            partial(simple_pages.rewritten, page=page, form=form),
            slots=(slot := f"simple/{project}",),
            dated=form == JSON,
        ),
        slot=slot,
        facts=partial(simple_pages.facts, page=page),
        check=_is_page,
    )


def _whose(mirror: Mirror, file: str) -> tuple[str, ...]:
    projects = tuple(islice(_projects(file), _CANDIDATES))
    if not projects:
        raise NotFound(f"{file!r} is no name that a file of a Python project can have")
    return houses.candidates(mirror, projects)


def _file(mirror: Mirror, path: str, file: str, projects: tuple[str, ...]) -> Plan:
    name = paths.encoded(path)
    lookup = _in_pages(name, projects)
    return Plan(
        key=f"/{mirror.name}{name}",
        urls=(),
        rule=IMMUTABLE,
        send=AS_IT_IS,
        tags=(f"pypi:{projects[0]}",),
        content_type="application/octet-stream",
        lookup=lookup,
        check=_check(file),
        subject=subjects.at(mirror, path, lookup, projects[0]),
        inside=Inside(f"/{mirror.name}{name.removesuffix('.metadata')}", wheels.metadata)
        if file.endswith(".whl.metadata")
        else None,
    )


def _in_pages(name: str, projects: tuple[str, ...]) -> Lookup:
    return Lookup(
        name,
        slots=tuple(f"simple/{project}" for project in projects),
        documents=tuple(f"/simple/{project}/" for project in projects),
        required=True,
        accept=ASK,
    )


def _legacy(mirror: Mirror, request: Request, path: str) -> Plan:
    path = paths.encoded(path)
    urls = _beside_the_index(mirror, path)
    page, project, slot = urls[0] if urls else "", path.split("/")[2], path[1:].removesuffix("/json")
    apply = partial(legacy_json.rewritten, page=page, mount=request.base)
    return Plan(
        key=f"/{mirror.name}{path}",
        urls=urls,
        rule=volatile(mirror, _LEGACY_TTL),
        send=document("application/json"),
        tags=(f"pypi:{project}",),
        rewrite=Rewrite(request.base, apply, vary="Accept-Encoding", slots=(f"simple/{project}", slot)),
        # A slot of its own: these facts lack the metadata files, which the simple page has.
        slot=slot,
        facts=partial(legacy_json.facts, page=page),
        check=not_html,
    )


def _provenance(mirror: Mirror, project: str, version: str, file: str) -> Plan:
    """A file's attestations (PEP 740), to which more may be added: not immutable, though the file is."""
    path = paths.encoded(f"/integrity/{project}/{version}/{file}/provenance")
    return Plan(
        key=f"/{mirror.name}{path}",
        urls=_beside_the_index(mirror, path),
        rule=volatile(mirror, _PROVENANCE_TTL),
        send=AS_IT_IS.set("accept", _ASK_PROVENANCE),
        tags=(f"pypi:{project}",),
        check=not_html,
        subject=subjects.beside(mirror, Artifact("pypi", project, version, file), _in_pages("", (project,))),
    )


def _beside_the_index(mirror: Mirror, path: str) -> tuple[str, ...]:
    return tuple(upstream.rpartition("/")[0] + path for upstream in mirror.upstreams)


def _projects(file: str) -> Iterator[str]:
    """The projects that a file of this name can belong to, the likeliest first.

    A wheel's name says it (PEP 427). Any other name is split before its version, which may be at any dash: most
    likely at one that a digit follows.
    """
    if file.endswith((".whl", ".whl.metadata", ".whl.asc")):
        names = [file.partition("-")[0]]
    else:
        splits = [split.start() for dash in (_DIGIT_DASH, _DASH) for split in dash.finditer(file)]
        names = [file[:split] for split in splits]
    yield from dict.fromkeys(_project(name) for name in names if PROJECT.fullmatch(name))


def _check(file: str) -> Callable[[bytes, Headers], None]:
    return next((begins(magic) for suffix, magic in _MAGIC.items() if file.endswith(suffix)), not_html)


def _is_page(start: bytes, headers: Headers) -> None:
    is_json(headers)
