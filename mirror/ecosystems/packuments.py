"""npm's package documents (packuments), and what is made of them: their URLs ours, the short form, one version's part.

They have up to 100 MB. So they are never parsed whole, and all bytes that need not change stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from heapq import merge

from mirror.ecosystems import abbreviated, packument_edits, tarballs
from mirror.ecosystems.instants import seconds
from mirror.ecosystems.json_spans import Edit, edited
from mirror.ecosystems.json_text import chunked
from mirror.ecosystems.packument_sight import Sight
from mirror.ecosystems.versions import Packument, Version, read
from mirror.ecosystems.views import Seen, View, plain
from mirror.errors import NotFound
from mirror.model import Fact, Headers, Rewritten

FULL = "application/json"
ABBREVIATED = "application/vnd.npm.install-v1+json"

_ATTESTATIONS = "/-/npm/v1/attestations/"


def rewritten(
    body: bytes,
    headers: Headers,
    *,
    package: str,
    mount: str,
    short: bool = False,
    view: View | None = None,
    seen: Seen | None = None,
    dates: Seen | None = None,
) -> Rewritten:
    """A packument with its tarballs at `<mount>/<package>/-/<file>`; OriginError where it is no packument.

    `short`: the abbreviated form is wanted, and made where the origin gave the full one. Versions that `view` refuses
    are left out: of `versions`, `time` and the dist-tags; Withheld (403) where all are. A version without a publish
    time gets the instant that `dates` knows, and is named in `_mirror`.
    """
    packument = read(body, headers, dated=view is not None or dates is not None)
    names = _names(packument, package)
    sight = Sight(packument, package, names, view, seen, dates)
    hidden, changes = sight.hidden(), _changes(packument, names, mount)
    is_short = _media_type(headers) == ABBREVIATED
    if short and not is_short:
        instead, ends = packument_edits.instead(packument, sight, hidden), packument_edits.restrictions
        pieces = abbreviated.made(packument, changes, hidden, instead, ends(packument, sight, hidden))
    else:
        pieces = edited(packument.body, packument.start, len(packument.body), _edits(packument, sight, hidden, changes))
    return Rewritten(chunked(pieces), ABBREVIATED if short or is_short else FULL, sight.until)


def manifest(
    body: bytes,
    headers: Headers,
    *,
    package: str,
    mount: str,
    wanted: str,
    view: View | None = None,
    seen: Seen | None = None,
) -> Rewritten:
    """The manifest of the version, or the version with the dist-tag, `wanted`; NotFound where there is none, Withheld
    (403) where `view` refuses it."""
    packument = read(body, headers, dated=view is not None)
    names = _names(packument, package)
    sight = Sight(packument, package, names, view, seen)
    name = wanted if wanted in packument.versions else packument.tag(wanted)
    if name is None or name not in packument.versions:
        raise NotFound(f"{package} has no version and no dist-tag {wanted!r}")
    if sight.hides(name):
        other = sight.tag(wanted) if name != wanted else None
        if other is None:
            raise sight.withheld(name)
        name = other
    version = packument.versions[name]
    edits = _changes(packument, names, mount)(name)
    return Rewritten(edited(packument.body, version.start, version.end, edits), FULL, sight.until)


def tags(
    body: bytes, headers: Headers, *, package: str, view: View | None = None, seen: Seen | None = None
) -> Rewritten:
    """The dist-tags, as they stand in the packument; those of a version that `view` refuses moved or left out, Withheld
    (403) where it refuses all."""
    packument = read(body, headers, dated=view is not None)
    names = _names(packument, package) if view is not None else {}
    sight = Sight(packument, package, names, view, seen)
    moved = sight.tags(sight.hidden())
    stated = packument.body[slice(*packument.tags)] if packument.tags else b"{}"
    return Rewritten([stated if moved is None else moved], FULL, sight.until)


def facts(body: bytes, headers: Headers, *, package: str) -> Iterator[Fact]:
    """What a packument says of its tarballs; OriginError where it is no packument."""
    packument = read(body, headers, dated=True)
    for tarball in tarballs.named(packument, package):
        version = packument.versions[tarball.version]
        published = seconds(packument.times.get(tarball.version, (None, 0, 0))[0])
        known = (tarball.name, tarball.url, tarballs.digest(version), None)
        yield Fact(*known, package, plain(tarball.version), published, version.license)


def _names(packument: Packument, package: str) -> dict[str, str]:
    """The path below the mirror of each version's tarball."""
    return {tarball.version: tarball.name for tarball in tarballs.named(packument, package)}


def _edits(
    packument: Packument, sight: Sight, hidden: set[str], changes: Callable[[str], list[Edit]]
) -> Iterable[Edit]:
    # Of two versions of one name the last counts, and need not stand where the first did.
    ordered = sorted(packument.versions, key=lambda name: packument.versions[name].start)
    within = (edit for name in ordered if name not in hidden for edit in changes(name))
    around = packument_edits.around(packument, sight, hidden)
    return merge(within, around, packument_edits.versions(packument, hidden)) if around else within


def _changes(packument: Packument, names: dict[str, str], mount: str) -> Callable[[str], list[Edit]]:
    """What has to change in the version of a name, in order."""
    return lambda name: sorted(_moved(packument.versions[name], names.get(name), mount))


def _moved(version: Version, tarball: str | None, mount: str) -> Iterator[Edit]:
    if tarball is not None:
        yield *version.tarball_at, json.dumps(mount + tarball).encode()
    # npm keeps this URL's path alone and puts it on the registry's host; without our prefix it would miss us.
    url = version.attestations or ""
    if _ATTESTATIONS in url:
        yield *version.attestations_at, json.dumps(mount + url[url.index(_ATTESTATIONS) :]).encode()


def _media_type(headers: Headers) -> str:
    return (headers.get("content-type") or "").partition(";")[0].strip().lower()
