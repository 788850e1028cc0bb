"""npm packages: packuments in their two forms, tarballs, manifests, and what else a client reads from a registry."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from mirror.ecosystems import houses, packuments, paths, searches, subjects
from mirror.ecosystems.accept import quality, ranges
from mirror.ecosystems.bodies import json_whole, not_html
from mirror.ecosystems.packuments import ABBREVIATED, FULL
from mirror.ecosystems.rules import AS_IT_IS, DAY, HOUR, IMMUTABLE, document, reads, volatile
from mirror.errors import NotFound, TooLarge
from mirror.model import Headers, Lookup, Mirror, Plan, Ready, Request, Rewrite, Rule
from mirror.policy.artifact import Artifact

_TTL = 300.0  # what the registry itself allows (`max-age=300`)
_SEARCH_TTL = 60.0
_AUDIT_LIMIT = 16 * 1024 * 1024  # bytes of a lock file's names and versions, compressed or not

_ASK_ABBREVIATED = f"{ABBREVIATED}; q=1.0, {FULL}; q=0.8, */*"
_NOT_BY_ACCEPT = "Accept-Encoding"
_AUDITS = frozenset(f"-/npm/v1/security/{name}" for name in ("advisories/bulk", "audits/quick", "audits"))
_MISSING = Ready(404, Headers.of({"content-type": FULL, "cache-control": "no-cache"}), b'{"error":"Not found"}')
# Names from before the rules for new ones were made are still asked for: capitals, and ~'!()*.
_NAME = re.compile(r"(?:@[\w~.-]+/)?(?!\.)[\w~'!()*.-]+", re.ASCII)


def plan(mirror: Mirror, request: Request) -> Plan | Ready:
    """`/<package>`, `/<package>/-/<file>`, `/<package>/<version>` and the registry's `/-/...`; NotFound for all else.

    A scope may be written `/@scope%2fname` or `/@scope/name`. Whatever writes or logs in is answered with 405; what is
    posted to be audited is passed on.
    """
    segments = paths.decoded(request.path)[1:].split("/")
    if not reads(request):
        return _audit(mirror, request, segments) if request.method == "POST" else _refused()
    if segments[0] == "-":
        return _registry(mirror, request, segments[1:])
    size = 2 if segments[0].startswith("@") else 1
    package, rest = _package("/".join(segments[:size])), segments[size:]
    match rest:
        case []:
            return _asked(mirror, package, lambda asked: _packument(asked, request, package))
        case ["-", file] if file:
            return _asked(mirror, package, lambda asked: _tarball(asked, package, file))
        case [version] if version not in ("", "-"):
            return _asked(mirror, package, lambda asked: _manifest(asked, request, package, version))
    raise NotFound("Not found")


def _asked(mirror: Mirror, package: str, planned: Callable[[Mirror], Plan]) -> Plan:
    """What is planned for the upstreams that may hear of a package."""
    asked = houses.asked(mirror, package)
    return planned(asked) if asked is mirror else houses.kept(planned(asked))


def _package(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NotFound(f"{name!r} is no name that a package can have")
    return name


def _upstream_form(package: str) -> str:
    return package.replace("/", "%2f")


def _packument(mirror: Mirror, request: Request, package: str) -> Plan:
    accepted = ranges(request.headers.get("accept"))
    abbreviated = accepted.get(ABBREVIATED, 0.0)
    short = abbreviated > 0 and abbreviated >= quality(accepted, FULL)
    apply = partial(packuments.rewritten, package=package, mount=request.base, short=short)
    if mirror.gate:  # only the full form has the dates by which it decides: the short one is made from it
        variant = f"{request.base} short" if short else request.base
        return _document(mirror, package, False, Rewrite(variant, apply, slots=(package,), dated=not short))
    slots = () if short else (package,)
    return _document(mirror, package, short, Rewrite(request.base, apply, slots=slots, dated=not short))


def _document(mirror: Mirror, package: str, short: bool, rewrite: Rewrite) -> Plan:
    """A packument as it is stored, and what is made of it."""
    return Plan(
        key=f"/{mirror.name}/{package} {'abbrev' if short else 'full'}",
        urls=tuple(f"{upstream}/{_upstream_form(package)}" for upstream in mirror.upstreams),
        rule=volatile(mirror, _ttl(mirror)),
        send=document(_ASK_ABBREVIATED if short else FULL),
        tags=(f"npm:{package}",),
        rewrite=rewrite,
        slot=package,
        facts=partial(packuments.facts, package=package),
        check=not_html,
        missing=_MISSING,
    )


def _tarball(mirror: Mirror, package: str, file: str) -> Plan:
    name = f"/{package}/-/{paths.encoded(file)}"
    lookup = _in_packument(mirror, name, package)
    return Plan(
        key=f"/{mirror.name}{name}",
        urls=(),
        rule=IMMUTABLE,
        send=AS_IT_IS,
        tags=(f"npm:{package}",),
        content_type="application/octet-stream",
        lookup=lookup,
        check=not_html,
        missing=_MISSING,
        subject=subjects.at(mirror, f"/{package}/-/{file}", lookup, package),
    )


def _in_packument(mirror: Mirror, name: str, package: str) -> Lookup:
    accept = FULL if mirror.gate else _ASK_ABBREVIATED
    return Lookup(name, slots=(package,), documents=(f"/{package}",), required=True, accept=accept)


def _manifest(mirror: Mirror, request: Request, package: str, wanted: str) -> Plan:
    apply = partial(packuments.manifest, package=package, mount=request.base, wanted=wanted)
    rewrite = Rewrite(f"{request.base} manifest {wanted}", apply, _NOT_BY_ACCEPT, slots=(package,))
    return _document(mirror, package, False, rewrite)


def _tags(mirror: Mirror, package: str) -> Plan:
    apply = partial(packuments.tags, package=package)
    return _document(mirror, package, False, Rewrite("dist-tags", apply, _NOT_BY_ACCEPT, slots=(package,)))


def _registry(mirror: Mirror, request: Request, segments: list[str]) -> Plan | Ready:
    """What is below `/-/`: documents about packages, and the registry's own."""
    match segments:
        case ["ping"]:
            return _json(200, {})
        case ["whoami"]:
            return _json(401, {"error": "nobody is logged in to a mirror"})
        case ["user", *_] | ["v1", "login", *_] | ["package", *_, "trust"] | ["stage", *_]:
            return _refused()
        case ["npm", "v1", "tokens" | "user" | "oidc" | "stage", *_]:
            return _refused()
        case ["v1", "search"] | ["all"]:
            path = "/-/" + "/".join(segments) + paths.query(request.query)
            return _asked(mirror, houses.named_in(mirror, request.query), lambda asked: _listing(asked, mirror, path))
        case ["npm", "v1", "keys"]:
            return _plain(mirror, "/-/npm/v1/keys", HOUR)
        case ["package", *name, "dist-tags"]:
            package = _package("/".join(name))
            return _asked(mirror, package, lambda asked: _tags(asked, package))
        case ["npm", "v1", "attestations", *spec]:
            package, _, version = "/".join(spec).rpartition("@")
            return _asked(mirror, _package(package), lambda asked: _attestations(asked, package, version))
    raise NotFound("Not found")


def _listing(asked: Mirror, mirror: Mirror, path: str) -> Plan:
    """A search, or the list of all packages: as it is, or less what the gate refuses."""
    planned = _plain(asked, path, _SEARCH_TTL)
    if not mirror.gate:
        return planned
    apply = partial(searches.shown, housed=asked is not mirror)
    return replace(planned, rewrite=Rewrite("listing", apply, _NOT_BY_ACCEPT, listing=True))


def _attestations(mirror: Mirror, package: str, version: str) -> Plan:
    path = f"/-/npm/v1/attestations/{package}@{paths.encoded(version)}"
    subject = subjects.beside(mirror, Artifact("npm", package, version), _in_packument(mirror, "", package))
    return replace(_plain(mirror, path, DAY, package), subject=subject)


def _plain(mirror: Mirror, path: str, ttl: float, package: str = "") -> Plan:
    """A document that is served as it is; `path` names the scope with `/`, the upstream gets it as `%2f`."""
    asked = path.replace(package, _upstream_form(package), 1) if package else path
    return Plan(
        key=f"/{mirror.name}{path}",
        urls=tuple(upstream + asked for upstream in mirror.upstreams),
        rule=volatile(mirror, ttl),
        send=AS_IT_IS.set("accept", FULL),
        tags=(f"npm:{package}",) if package else (),
        check=not_html,
        missing=_MISSING,
        proof=json_whole,
    )


def _audit(mirror: Mirror, request: Request, segments: list[str]) -> Plan | Ready:
    """Names and versions on their way to be audited: the body and what says how it is written, and nothing of who
    sends it."""
    path = "/".join(segments)
    if path not in _AUDITS:
        return _refused()
    length = request.headers.get("content-length") or ""
    if length.isdecimal() and int(length) > _AUDIT_LIMIT:
        raise TooLarge(f"{length} bytes are too many to be audited; {_AUDIT_LIMIT} are not")
    fields = request.headers.only(("content-type",) if mirror.gate else ("content-type", "content-encoding"))
    return Plan(
        key=f"/{mirror.name}/{path}",
        urls=tuple(f"{upstream}/{path}" for upstream in mirror.upstreams),
        rule=Rule(store=False, package=True),
        send=Headers((("accept", FULL), *AS_IT_IS, *fields)),
        most=_AUDIT_LIMIT,
        tells=partial(houses.told, mirror.gate.private) if mirror.gate else None,
    )


def _ttl(mirror: Mirror) -> float:
    return _TTL if mirror.ttl is None else mirror.ttl


def _refused() -> Ready:
    reply = _json(405, {"error": "read-only mirror"})
    return Ready(reply.status, reply.headers.set("allow", "GET, HEAD"), reply.body)


def _json(status: int, value: dict[str, str]) -> Ready:
    return Ready(status, Headers.of({"content-type": "application/json"}), json.dumps(value).encode())
