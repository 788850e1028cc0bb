"""A registry of the world's packages at an origin: `real` as the public one answers, `poor` as a gateway before it.

The poor one has the full document alone, whatever `Accept` says, without validators, lifetime, Vary and compression;
its tarballs are `application/x-gzip`; it knows neither versions, tags, keys, search nor audits by themselves.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

from mirror.model import Request

from .answers import Response
from .npm_faults import Fault, Respond
from .npm_world import CORGI, JSON, TAGS, WORLD, Version, full, short
from .origin import Origin

_NOW = "Wed, 01 Jan 2025 00:00:00 GMT"
_LASTING = "public, immutable, max-age=31557600"
_COOKIE = ("Set-Cookie", "upstream=1; Path=/")
KEYS = {"keys": [{"expires": None, "keyid": "SHA256:world", "keytype": "ecdsa-sha2-nistp256", "key": "MFkw"}]}
MISSING = Response(404, [("Content-Type", JSON)], b'{"error":"Not found"}')
ADVICE = {"plain": [{"id": 1, "title": "not plain enough", "severity": "low", "vulnerable_versions": "<=1.0.0"}]}


class Registry:
    """Below `prefix` of the origin; its documents say that it is at `url` ("": at the origin's own address).

    `asked(path)` counts requests for a path below it, `befall` makes it faulty.
    """

    def __init__(self, origin: Origin, kind: str = "real", prefix: str = "/npm", *, url: str = "") -> None:
        self.origin = origin
        self.real = kind == "real"
        self.prefix = prefix
        self.url = url or origin.url(prefix)
        self.versions: dict[str, list[Version]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self._responds: dict[str, Respond] = {}
        for version in WORLD:
            self.publish(version, *(tag for tag, is_ in TAGS.get(version.package, {}).items() if is_ == version.number))
        self._offer("/-/npm/v1/keys", lambda request: self._plain(request, KEYS))
        self._offer("/-/v1/search", self._search)
        self._offer("/-/npm/v1/security/advisories/bulk", self._audit)
        for name in ("missing", "@acme%2fmissing"):
            self._offer(f"/{name}", lambda _: MISSING)

    def publish(self, version: Version, *tags: str) -> None:
        """One more version of a package; `latest` without tags, unless the package has tags of its own."""
        package = version.package
        written = package.replace("/", "%2f")
        self.versions.setdefault(package, []).append(version)
        named = tags or (() if package in TAGS else ("latest",))
        self.tags.setdefault(package, {}).update(dict.fromkeys(named, version.number))
        for spelled in {written, package.replace("/", "%2F"), package}:
            self._offer(f"/{spelled}", lambda request: self._packument(request, package))
        self._offer(f"/-/package/{written}/dist-tags", lambda request: self._plain(request, self.tags[package]))
        for name in (version.number, *self.tags[package]):
            self._offer(f"/{written}/{name}", lambda request, name=name: self._manifest(request, package, name))
        self._offer(version.path, lambda request: self._tarball(request, version))
        if version.signed:
            attested = {"attestations": [{"predicateType": "https://slsa.dev/provenance/v1", "bundle": version.name}]}
            path = f"/-/npm/v1/attestations/{written}@{version.number}"
            self._offer(path, lambda request: self._plain(request, attested))

    def document(self, package: str, registry: str = "") -> dict[str, Any]:
        """The full document, its URLs below `registry` (the mirror's, to compare) or this registry."""
        return full(self.versions[package], self.tags[package], registry or self.url)

    def asked(self, path: str) -> int:
        return self.origin.requests(self.prefix + path)

    def befall(self, path: str, fault: Fault, times: int = 1) -> None:
        """The next `times` requests for the path get the fault; -1: all."""
        respond, before = self._responds[path], self.asked(path)
        left = [times]

        def answer(request: Request) -> Response:
            left[0] -= 1
            response = respond(request)
            return fault.change(response) if times < 0 or left[0] >= 0 else response

        shape = fault.shape + f"&times={before + times}" * (times >= 0 and bool(fault.shape))
        self.origin.route(self.prefix + path, body=answer, shape=shape)

    def _offer(self, path: str, respond: Respond) -> None:
        self._responds[path] = respond
        self.origin.route(self.prefix + path, body=respond)

    def _packument(self, request: Request, package: str) -> Response:
        document = self.document(package)
        if not self.real:
            return Response(200, [("Content-Type", JSON)], json.dumps(document).encode())
        media_type = CORGI if CORGI in (request.headers.get("accept") or "") else JSON
        value = short(document) if media_type == CORGI else document
        return _living(request, json.dumps(value).encode(), media_type, "Accept-Encoding, Accept")

    def _manifest(self, request: Request, package: str, name: str) -> Response:
        number = self.tags[package].get(name, name)
        found = next(version for version in self.versions[package] if version.number == number)
        return self._plain(request, found.manifest(self.url))

    def _plain(self, request: Request, value: object) -> Response:
        if not self.real:
            return MISSING
        return _living(request, json.dumps(value).encode(), JSON, "Accept-Encoding")

    def _search(self, request: Request) -> Response:
        found = [{"package": {"name": name, "links": {"npm": f"{self.url}/{name}"}}} for name in self.versions]
        return self._plain(request, {"objects": found, "total": len(found), "asked": request.query})

    def _audit(self, request: Request) -> Response:
        if not self.real or request.method != "POST":
            return Response(405, [("Content-Type", JSON)], b'{"error":"Method Not Allowed"}')
        return Response(200, [("Content-Type", JSON)], json.dumps(ADVICE).encode())

    def _tarball(self, request: Request, version: Version) -> Response:
        body = version.tarball
        if not self.real:
            return Response(200, [("Content-Type", "application/x-gzip")], body)
        tag = _tag(body)
        fields = [("Content-Type", "application/octet-stream"), ("Cache-Control", _LASTING), ("ETag", tag)]
        fields += [("Last-Modified", _NOW), ("Accept-Ranges", "bytes"), _COOKIE]
        unit, _, span = (request.headers.get("range") or "").partition("=")
        first, _, last = span.partition("-")
        if unit != "bytes" or not first or request.headers.get("if-range") not in (None, tag):
            return Response(200, fields, body)
        start, end = int(first), min(len(body), int(last or len(body)) + 1)
        if start >= len(body):
            return Response(416, [("Content-Range", f"bytes */{len(body)}")])
        return Response(206, [*fields, ("Content-Range", f"bytes {start}-{end - 1}/{len(body)}")], body[start:end])


def _living(request: Request, body: bytes, media_type: str, vary: str) -> Response:
    """A document of the real registry: gzip for who takes it; a 304's Vary lacks `Accept` (npm/cli#3656)."""
    tag = _tag(body)
    fields = [("ETag", tag), ("Last-Modified", _NOW), ("Cache-Control", "public, max-age=300"), _COOKIE]
    if request.headers.get("if-none-match") in (tag, f"W/{tag}"):
        return Response(304, [*fields, ("Vary", "Accept-Encoding")])
    fields += [("Vary", vary), ("Content-Type", media_type)]
    if "gzip" in (request.headers.get("accept-encoding") or ""):
        return Response(200, [*fields, ("Content-Encoding", "gzip")], gzip.compress(body, mtime=0))
    return Response(200, fields, body)


def _tag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324
