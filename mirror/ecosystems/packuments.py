"""npm's package documents (packuments) and manifests: what they say of tarballs, and their URLs made ours."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urldefrag, urlsplit

from mirror.ecosystems import paths
from mirror.ecosystems.bodies import hex_digest, json_bytes, json_object
from mirror.errors import OriginError
from mirror.model import Digest, Fact, Headers, Rewritten, strongest

FULL = "application/json"
ABBREVIATED = "application/vnd.npm.install-v1+json"

_ATTESTATIONS = "/-/npm/v1/attestations/"
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_FILE = re.compile(r"[^/\\\x00-\x1f\x7f]+")


class _Tarball(NamedTuple):
    version: str
    dist: dict[str, Any]
    url: str
    file: str


def rewritten(body: bytes, headers: Headers, *, package: str, mount: str) -> Rewritten:
    """A packument with its tarballs at `<mount>/<package>/-/<file>`; OriginError where it is no packument."""
    document = _packument(body, headers)
    for name, tarball in _named(document, package):
        tarball.dist["tarball"] = mount + name
    for _, dist in _dists(document):
        _replace_attestations(dist, mount)
    return Rewritten([json_bytes(document)], _media_type(headers))


def manifest_rewritten(body: bytes, headers: Headers, *, package: str, mount: str) -> Rewritten:
    """One version's manifest, its URLs as in `rewritten`; OriginError where it is no manifest."""
    manifest = json_object(body, headers)
    for version, dist in _dists({"versions": {"": manifest}}):
        if tarball := _tarball(version, dist):
            dist["tarball"] = f"{mount}/{package}/-/{paths.encoded(tarball.file)}"
        _replace_attestations(dist, mount)
    return Rewritten([json_bytes(manifest)], FULL)


def facts(body: bytes, headers: Headers, *, package: str) -> list[Fact]:
    """What a packument says of its tarballs; OriginError where it is no packument."""
    named = _named(_packument(body, headers), package)
    return [Fact(name, tarball.url, _digest(tarball.dist)) for name, tarball in named]


def _packument(body: bytes, headers: Headers) -> dict[str, Any]:
    document = json_object(body, headers)
    if not isinstance(document.get("name"), str) or not isinstance(document.get("versions"), dict):
        raise OriginError("the origin's document is not a packument: it lacks a name or versions")
    return document


def _dists(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for version, manifest in document["versions"].items():
        dist = manifest.get("dist") if isinstance(manifest, dict) else None
        if isinstance(dist, dict):
            yield version, dist


def _named(document: dict[str, Any], package: str) -> Iterator[tuple[str, _Tarball]]:
    """Each tarball with its path below the mirror.

    That is the origin's own file name, because clients leave such URLs out of lock files; where several tarballs are
    called the same (`/1.0.0/package.tgz`), `<name>-<version>.tgz`.
    """
    tarballs = [found for version, dist in _dists(document) if (found := _tarball(version, dist))]
    urls = defaultdict(set)
    for tarball in tarballs:
        urls[tarball.file].add(tarball.url)
    for tarball in tarballs:
        usual = f"{package.rpartition('/')[2]}-{tarball.version}.tgz"
        file = tarball.file if len(urls[tarball.file]) == 1 else usual
        yield f"/{package}/-/{paths.encoded(file)}", tarball


def _tarball(version: str, dist: dict[str, Any]) -> _Tarball | None:
    written = dist.get("tarball")
    if not isinstance(written, str):
        return None
    try:
        url = urldefrag(quote(written.strip(), safe=_PRINTABLE)).url
        parts = urlsplit(url)
        file = unquote(parts.path, errors="strict").rpartition("/")[2]
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            return None
    except ValueError:
        return None
    return _Tarball(version, dist, url, file) if _FILE.fullmatch(file) and file not in (".", "..") else None


def _digest(dist: dict[str, Any]) -> Digest | None:
    integrity = dist.get("integrity")
    announced = (
        Digest.from_sri(integrity) if isinstance(integrity, str) else None,
        hex_digest("sha1", dist.get("shasum")),
    )
    return strongest(digest for digest in announced if digest)


def _replace_attestations(dist: dict[str, Any], mount: str) -> None:
    """npm keeps the URL's path alone and puts it on the registry's host; without our prefix it would miss us."""
    attestations = dist.get("attestations")
    url = attestations.get("url") if isinstance(attestations, dict) else None
    if isinstance(attestations, dict) and isinstance(url, str) and _ATTESTATIONS in url:
        attestations["url"] = mount + url[url.index(_ATTESTATIONS) :]


def _media_type(headers: Headers) -> str:
    media_type = (headers.get("content-type") or "").partition(";")[0].strip().lower()
    return ABBREVIATED if media_type == ABBREVIATED else FULL
