"""Every parser of what comes from outside, as a call that takes bytes, tries all ways to use them, and asserts."""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mirror import config, locks
from mirror.clients import Discovered
from mirror.ecosystems import (
    PLANNERS,
    apt_releases,
    legacy_json,
    packuments,
    searches,
    simple_pages,
    simple_root,
)
from mirror.ecosystems.simple_types import JSON
from mirror.errors import MirrorError
from mirror.httpcache import ranges
from mirror.httpcache.decision import before
from mirror.model import Entry, Head, Headers, Mirror, Plan, Request, Rewritten
from mirror.operations import Selection, cursors, globs, purls
from mirror.operations.places import Places
from mirror.operations.selecting import Chosen
from mirror.policy import advisories
from mirror.policy.artifact import Artifact, Verdict
from mirror.policy.gatekeeper import Gatekeeper
from mirror.policy.rules import Policy
from mirror.stores import codec

PAGE = "https://upstream.test/simple/six/"
LEGACY = "https://upstream.test/pypi/six/json"
MIRRORS = (
    *tuple(Mirror(name, name, (f"https://{name}.test",)) for name in ("http", "pypi", "npm", "apt")),
    Mirror("any", "any"),
)
HTML_FIELDS = Headers((("content-type", "text/html"),))
JSON_FIELDS = Headers((("content-type", "application/vnd.pypi.simple.v1+json"),))
PACKED_FIELDS = Headers((("content-encoding", "gzip"),))


def taken(*made: Callable[[], Rewritten | Iterator[object]]) -> None:
    """Each is tried, all of it: what one refuses another may take."""
    for make in made:
        with contextlib.suppress(MirrorError):
            found = make()
            for _ in found.pieces if isinstance(found, Rewritten) else found:
                pass


def half(artifact: Artifact) -> Verdict:
    """A view that refuses some."""
    return Verdict(len(artifact.version + artifact.file) % 2 == 0, "deny", "denied")


def seen(name: str) -> float | None:
    """When the mirror first saw some."""
    return 1e9 if len(name) % 2 else None


def simple(fields: Headers) -> Callable[[bytes], None]:
    def call(page: bytes) -> None:
        taken(
            lambda: simple_pages.rewritten(page, fields, page=PAGE, form=JSON),
            lambda: simple_pages.rewritten(page, fields, page=PAGE, form="text/html"),
            lambda: simple_pages.rewritten(page, fields, page=PAGE, form=JSON, view=half, seen=seen),
            lambda: simple_pages.rewritten(page, fields, page=PAGE, form="text/html", view=half, seen=seen),
            lambda: simple_pages.facts(page, fields, page=PAGE),
            lambda: simple_root.rewritten(page, fields, form=JSON),
            lambda: simple_root.rewritten(page, fields, form="text/html"),
        )

    return call


def packument(body: bytes) -> None:
    known = {"package": "six", "mount": "http://mirror.test/npm"}
    taken(
        lambda: packuments.rewritten(body, Headers(), **known),
        lambda: packuments.rewritten(body, Headers(), short=True, **known),
        lambda: packuments.rewritten(body, Headers(), view=half, seen=seen, **known),
        lambda: packuments.rewritten(body, Headers(), short=True, view=half, seen=seen, **known),
        lambda: packuments.manifest(body, Headers(), wanted="latest", **known),
        lambda: packuments.manifest(body, Headers(), wanted="latest", view=half, **known),
        lambda: packuments.tags(body, Headers(), package="six", view=half),
        lambda: packuments.tags(body, Headers(), package="six"),
        lambda: packuments.facts(body, Headers(), package="six"),
    )


def listing(body: bytes) -> None:
    taken(
        lambda: searches.shown(body, Headers()),
        lambda: searches.shown(body, Headers(), view=half),
        lambda: searches.shown(body, Headers(), housed=True, view=half),
    )


def advisory(document: bytes) -> None:
    """What it says of a package, by the rules of each ecosystem; problems are told of, not raised."""
    found = advisories.read([document, document])
    for ecosystem, packages in found.index.items():
        gate = Gatekeeper(Policy(ecosystem, min_age=1.0, advised=True), found)
        for package in packages:
            for version in ("1.0", "2.0.0-rc.1", "1:2-3", "not a version"):
                gate.verdict(Artifact(ecosystem, package, version, published=1e9), 1e9)


def legacy(body: bytes) -> None:
    taken(
        lambda: legacy_json.rewritten(body, Headers(), page=PAGE, mount="http://mirror.test/pypi"),
        lambda: legacy_json.rewritten(body, Headers(), page=LEGACY, mount="http://mirror.test/pypi", view=half),
        lambda: legacy_json.facts(body, Headers(), page=PAGE),
    )


def release(body: bytes) -> None:
    found = apt_releases.release(body, Headers(), directory="dists/x")
    taken(lambda: apt_releases.facts(found))


def settings(text: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(text)
        file.flush()
        config.load(Path(file.name), discover=lambda *_: Discovered(None, "not asked"))


def lock(text: bytes) -> None:
    try:
        read = text.decode()
    except UnicodeDecodeError:
        return
    for name in locks.FORMATS:
        with contextlib.suppress(MirrorError):
            locks.read(read, name)
    assert locks.kind("-", read) in locks.FORMATS


def selection(given: bytes) -> None:
    text = given.decode("utf-8", "replace")
    places = Places(MIRRORS)
    for field in ("urls", "prefixes", "globs", "tags", "purls", "mirrors"):
        with contextlib.suppress(MirrorError):
            chosen = Chosen(Selection(**{field: (text,)}), places)
            for key in ("/pypi/simple/six/", f"/npm/{text}", text, "/apt/pool/x_1_all.deb"):
                chosen.key(key)
    with contextlib.suppress(MirrorError):
        globs.compiled(text).match("/pypi/" + "a/b" * 20)
    with contextlib.suppress(MirrorError):
        purls.parts(text, MIRRORS)
    cursors.read(text)


def stored(given: bytes) -> None:
    for load in (codec.load_entry, codec.load_note):
        with contextlib.suppress(MirrorError):
            load(given)
    codec.footer_size(given[-codec.TRAILER :])
    codec.blob_of(given.decode("utf-8", "replace"))
    codec.load_footer(given + codec.MAGIC + len(given).to_bytes(4, "big") + zlib.crc32(given).to_bytes(4, "big"))


def plans(given: bytes) -> None:
    """A target and field lines, as they come to each ecosystem's plan and to the rules."""
    lines = given.decode("latin-1").split("\n")
    path, _, query = lines[0].partition("?")
    pairs = [line.partition(":")[::2] for line in lines[1:200]]
    fields = Headers.of((name.strip(), value.strip()) for name, value in pairs)
    for mirror in MIRRORS:
        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            with contextlib.suppress(MirrorError):
                request = Request(method, path, query, fields, "http://mirror.test/x")
                _decided(request, PLANNERS[mirror.ecosystem](mirror, request), fields)


def _decided(request: Request, plan: object, fields: Headers) -> None:
    if not isinstance(plan, Plan):
        return
    for url in (*plan.urls, *plan.alternates):
        assert urlsplit(url).scheme in ("http", "https"), url
        assert not set(url) & set("\r\n \t"), url
    entry = Entry(plan.key, (*plan.urls, "")[0], Head(200, fields, 1.0, 2.0), Headers(), "b", 99, "d")
    before(request, plan, entry, 1_800_000_000.0)
    ranges.select(request, entry.head, 99)
