"""npm's package documents (packuments), and what is made of them: their URLs ours, the short form, one version's part.

They have up to 100 MB. So they are never parsed whole, and all bytes that need not change stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from mirror.ecosystems import abbreviated, tarballs
from mirror.ecosystems.json_spans import Edit, edited
from mirror.ecosystems.json_text import chunked
from mirror.ecosystems.versions import Packument, Version, read
from mirror.errors import NotFound
from mirror.model import Fact, Headers, Rewritten

FULL = "application/json"
ABBREVIATED = "application/vnd.npm.install-v1+json"

_ATTESTATIONS = "/-/npm/v1/attestations/"


def rewritten(body: bytes, headers: Headers, *, package: str, mount: str, short: bool = False) -> Rewritten:
    """A packument with its tarballs at `<mount>/<package>/-/<file>`; OriginError where it is no packument.

    `short`: the abbreviated form is wanted, and made where the origin gave the full one.
    """
    packument = read(body, headers)
    changes = _changes(packument, package, mount)
    is_short = _media_type(headers) == ABBREVIATED
    if short and not is_short:
        pieces = abbreviated.made(packument, changes)
    else:
        # Of two versions of one name the last counts, and need not stand where the first did.
        ordered = sorted(packument.versions, key=lambda name: packument.versions[name].start)
        edits = (edit for name in ordered for edit in changes(name))
        pieces = edited(packument.body, packument.start, len(packument.body), edits)
    return Rewritten(chunked(pieces), ABBREVIATED if short or is_short else FULL)


def manifest(body: bytes, headers: Headers, *, package: str, mount: str, wanted: str) -> Rewritten:
    """The manifest of the version, or the version with the dist-tag, `wanted`; NotFound where there is none."""
    packument = read(body, headers)
    name = wanted if wanted in packument.versions else packument.tag(wanted)
    version = packument.versions.get(name) if name is not None else None
    if name is None or version is None:
        raise NotFound(f"{package} has no version and no dist-tag {wanted!r}")
    edits = _changes(packument, package, mount)(name)
    return Rewritten(edited(packument.body, version.start, version.end, edits), FULL)


def tags(body: bytes, headers: Headers) -> Rewritten:
    """The dist-tags, as they stand in the packument."""
    packument = read(body, headers)
    return Rewritten([packument.body[slice(*packument.tags)] if packument.tags else b"{}"], FULL)


def facts(body: bytes, headers: Headers, *, package: str) -> Iterator[Fact]:
    """What a packument says of its tarballs; OriginError where it is no packument."""
    packument = read(body, headers)
    for tarball in tarballs.named(packument, package):
        yield Fact(tarball.name, tarball.url, tarballs.digest(packument.versions[tarball.version]))


def _changes(packument: Packument, package: str, mount: str) -> Callable[[str], list[Edit]]:
    """What has to change in the version of a name, in order."""
    names = {tarball.version: tarball.name for tarball in tarballs.named(packument, package)}
    return lambda name: sorted(_edits(packument.versions[name], names.get(name), mount))


def _edits(version: Version, tarball: str | None, mount: str) -> Iterator[Edit]:
    if tarball is not None:
        yield *version.tarball_at, json.dumps(mount + tarball).encode()
    # npm keeps this URL's path alone and puts it on the registry's host; without our prefix it would miss us.
    url = version.attestations or ""
    if _ATTESTATIONS in url:
        yield *version.attestations_at, json.dumps(mount + url[url.index(_ATTESTATIONS) :]).encode()


def _media_type(headers: Headers) -> str:
    return (headers.get("content-type") or "").partition(";")[0].strip().lower()
