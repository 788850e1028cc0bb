"""Every parser of what comes from outside, as one call: bytes in, nothing out; only errors of ours are let pass.

`seeds` are good input, `words` what has a meaning in it: fuzzing puts these together, a single one many times too.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mirror import config, locks
from mirror.clients import Discovered
from mirror.ecosystems import (
    PLANNERS,
    apt_indexes,
    apt_releases,
    legacy_json,
    packuments,
    simple_pages,
    simple_root,
    wheels,
)
from mirror.ecosystems.simple_types import JSON
from mirror.errors import MirrorError
from mirror.httpcache import ranges
from mirror.httpcache.decision import before
from mirror.model import Entry, Head, Headers, Mirror, Plan, Request, Rewritten
from mirror.operations import Selection, cursors, globs, purls
from mirror.operations.places import Places
from mirror.operations.selecting import Chosen
from mirror.stores import codec
from tests.fuzz.connection import converse

PAGE = "https://upstream.test/simple/six/"
MIRRORS = tuple(Mirror(name, name, (f"https://{name}.test",)) for name in ("http", "pypi", "npm", "apt")) + (
    Mirror("any", "any"),
)
_HTML = Headers((("content-type", "text/html"),))
_JSON = Headers((("content-type", "application/vnd.pypi.simple.v1+json"),))
_PACKED = Headers((("content-encoding", "gzip"),))


@dataclass(frozen=True, slots=True)
class Target:
    """One parser. `call` raises what is no error of ours."""

    call: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]

    def __call__(self, given: bytes) -> None:
        with contextlib.suppress(MirrorError):
            self.call(given)


def _taken(*made: Callable[[], Rewritten | Iterator[object]]) -> None:
    """Each is tried, all of it: what one refuses another may take."""
    for make in made:
        with contextlib.suppress(MirrorError):
            found = make()
            for _ in found.pieces if isinstance(found, Rewritten) else found:
                pass


def _simple(fields: Headers) -> Callable[[bytes], None]:
    def call(page: bytes) -> None:
        _taken(
            lambda: simple_pages.rewritten(page, fields, page=PAGE, form=JSON),
            lambda: simple_pages.rewritten(page, fields, page=PAGE, form="text/html"),
            lambda: simple_pages.facts(page, fields, page=PAGE),
            lambda: simple_root.rewritten(page, fields, form=JSON),
            lambda: simple_root.rewritten(page, fields, form="text/html"),
        )

    return call


def _packument(body: bytes) -> None:
    known = {"package": "six", "mount": "http://mirror.test/npm"}
    _taken(
        lambda: packuments.rewritten(body, Headers(), **known),
        lambda: packuments.rewritten(body, Headers(), short=True, **known),
        lambda: packuments.manifest(body, Headers(), wanted="latest", **known),
        lambda: packuments.tags(body, Headers()),
        lambda: packuments.facts(body, Headers(), package="six"),
    )


def _legacy(body: bytes) -> None:
    _taken(
        lambda: legacy_json.rewritten(body, Headers(), page=PAGE, mount="http://mirror.test/pypi"),
        lambda: legacy_json.facts(body, Headers(), page=PAGE),
    )


def _release(body: bytes) -> None:
    found = apt_releases.release(body, Headers(), directory="dists/x")
    _taken(lambda: apt_releases.facts(found))


def _config(text: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(text)
        file.flush()
        config.load(Path(file.name), discover=lambda *_: Discovered(None, "not asked"))


def _lock(text: bytes) -> None:
    try:
        read = text.decode()
    except UnicodeDecodeError:
        return
    for name in locks.FORMATS:
        with contextlib.suppress(MirrorError):
            locks.read(read, name)
    assert locks.kind("-", read) in locks.FORMATS


def _selection(given: bytes) -> None:
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


def _stored(given: bytes) -> None:
    for load in (codec.load_entry, codec.load_note):
        with contextlib.suppress(MirrorError):
            load(given)
    codec.footer_size(given[-codec.TRAILER :])
    codec.blob_of(given.decode("utf-8", "replace"))
    codec.load_footer(given + codec.MAGIC + len(given).to_bytes(4, "big") + zlib.crc32(given).to_bytes(4, "big"))


def _plans(given: bytes) -> None:
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


def _wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("six-1.0.dist-info/METADATA", "Name: six\n" * 20)
    return content.getvalue()


def _seed(value: object) -> bytes:
    return json.dumps(value).encode()


_HEX = "a" * 64
_FILE = {"filename": "six-1.0.tar.gz", "url": "https://x.test/six-1.0.tar.gz", "hashes": {"sha256": _HEX}, "size": 1}
_ENTRY = Entry("/o/x", "https://x.test/x", Head(200, _HTML, 1.0, 2.0), Headers(), "00", 3, _HEX)
_MANIFEST = {"name": "six", "version": "1.0.0", "dist": {"tarball": "https://x.test/six/-/six-1.0.0.tgz", "shasum": _HEX[:40]}}  # fmt: skip  # noqa: E501
_RELEASE = f"Suite: x\nDate: Sat, 01 Jan 2022 00:00:00 UTC\nAcquire-By-Hash: yes\nSHA256:\n {_HEX} 10 main/Packages\n"
_JSON_WORDS = (b"{", b"[", b'"', b"}", b"]", b":", b",", b'{"":', b"1e999", b"-", b"null", b"\\ud800", b'"\\u0000"')
_JSON_WORDS += (b'"files":', b'"versions":', b'"dist":', b'"size":9', b"NaN", b"\xff", b"\xef\xbb\xbf", b" ")
_FIELD_WORDS = (b"Filename: a\n", b"\n\n", b"SHA256:", b" ", b"\n", b"Size: 1\n", b"\r\n", b"Checksums-Sha256:\n", b"\0")
_HEAD = b"GET /x HTTP/1.1\r\nHost: a\r\n"

TARGETS: dict[str, Target] = {
    "request": Target(
        converse,
        (
            _HEAD + b"\r\n",
            b"POST /x?y HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\n\r\nabc" + _HEAD + b"\r\n",
            b"PUT http://a/x HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
            _HEAD + b"Upgrade: h2c\r\nConnection: Upgrade\r\nExpect: 100-continue\r\n\r\n",
        ),
        (b"\r\n", b"\n", b"\r", b":", b" ", b"\t", b"\0", b"\r\n\r\n", b"Host: b\r\n", b"Content-Length: 5\r\n", b"0\r\n\r\n")
        + (b"Transfer-Encoding: chunked\r\n", b"HTTP/1.0", b"HTTP/2.0", b"ffffffffffffffff\r\n", b"%", b"#", b"GET ", b";a=b")
        + (b"CONNECT a:1 HTTP/1.1\r\n", b"Connection: close\r\n", b"Upgrade: x\r\nConnection: upgrade\r\n", b"\xff", b"a"),
    ),
    "plan": Target(
        _plans,
        (b"/simple/six/?x=1\nAccept: text/html", b"/six/-/six-1.0.0.tgz\nRange: bytes=1-2", b"/dists/x/InRelease\nDate: x")
        + (b"/http/host.test/x\nCache-Control: max-age=1\nVary: accept", b"/files/aa/bb/six-1.0.tar.gz\nIf-Range: x"),
        (b"/", b"..", b"%2e", b"%2F", b"%", b"@", b"\n", b":", b"?", b"//", b"\\", b";", b"%00", b"\xff", b"-/", b"bytes=")
        + (b"\nRange: bytes=0-1,", b"\nIf-None-Match: ", b'"', b",", b"\nCache-Control: ", b"=", b"\nVary: *", b"[::1", b" "),
    ),
    "simple-html": Target(
        _simple(_HTML),
        (f'<!DOCTYPE html><html><head><meta name="a:b" content="1.0"><base href="/x/"></head><body><a href="six-1.0.tar.gz#sha256={_HEX}" data-requires-python="&gt;3">six-1.0.tar.gz</a></body></html>'.encode(),),  # noqa: E501
        (b"<", b">", b"<a ", b"href=", b'"', b"'", b"&#", b"&amp", b"<!--", b"-->", b"<script>", b"</a>", b"=", b"<base href=")
        + (b"<![CDATA[", b"<!", b"<?", b"</", b"/", b"\0", b"&#x110000;", b"http://[", b"#sha256=", b"\xff", b" ", b"<a x "),
    ),
    "simple-json": Target(
        _simple(_JSON),
        (_seed({"meta": {"api-version": "1.1"}, "name": "six", "files": [_FILE], "versions": ["1.0"]}),)
        + (_seed({"meta": {"api-version": "1.0"}, "projects": [{"name": "six"}]}),),
        (*_JSON_WORDS, b'{"name":"a"},', b"http://["),
    ),
    "legacy-json": Target(
        _legacy,
        (_seed({"info": {}, "releases": {"1.0": [{**_FILE, "digests": {"sha256": _HEX}}]}, "urls": [_FILE]}),),
        _JSON_WORDS,
    ),
    "packument": Target(
        _packument,
        (_seed({"name": "six", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": _MANIFEST}, "time": {}}),),
        (*_JSON_WORDS, b'"1.0.0":{},', b"http://["),
    ),
    "release": Target(
        _release,
        (_RELEASE.encode(), b"-----BEGIN PGP SIGNED MESSAGE-----\n\n%s\n-----BEGIN PGP SIGNATURE-----\n" % _RELEASE.encode()),
        (*_FIELD_WORDS, b"Date: Sat, 99 Jan 99999 99:99:99 +9999\n", b"SHA256:\n", b" a 1 b\n", b"Date: "),
    ),
    "packages": Target(
        lambda body: _taken(lambda: apt_indexes.package_facts(body, Headers())),
        (f"Package: x\nFilename: pool/x.deb\nSize: 3\nSHA256: {_HEX}\n\n".encode(),)
        + (f"Package: x\nDirectory: pool/x\nChecksums-Sha256:\n {_HEX} 3 x.dsc\n".encode(),)
        + (b"\x1f\x8b\x08\x00", b"\xfd7zXZ\x00", b"BZh9", b"\x28\xb5\x2f\xfd"),
        _FIELD_WORDS,
    ),
    "wheel": Target(wheels.metadata, (_wheel(),), (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"\0", b"\xff", b"/METADATA")),
    "packed": Target(
        lambda body: _taken(lambda: apt_indexes.package_facts(body, _PACKED)),
        (zlib.compress(b"Filename: a\nSize: 1\n" * 50, wbits=31),),
        (b"\x1f\x8b", b"\0", b"\xff\xff", b"\x08\x1f"),
    ),
    "lock": Target(
        _lock,
        (b'[[package]]\nname = "six"\nversion = "1"\nsource = { registry = "x" }\n', b"six==1.0 --hash=sha256:aa\n-r other\n")
        + (_seed({"lockfileVersion": 3, "packages": {"node_modules/six": {"version": "1.0.0", "resolved": "https://x.test/"}}}),)
        + (b"lockfileVersion: '9.0'\npackages:\n  six@1.0.0:\n    resolution: {tarball: https://x.test/a}\n",),
        (*_JSON_WORDS, b"\n", b"[[", b"]]", b"=", b"'''", b"#", b"\\\n", b"--hash=a:b", b";", b"[a]", b"@", b"  a@1:\n", b"a.b.")
        + (b"packages:\n", b"; python_version<'3'", b" and ", b"(", b"tarball: ", b"===", b"\t", b"\x0c"),
    ),
    "config": Target(
        _config,
        (b'[server]\nlisten = "127.0.0.1:1"\n[cache]\nmax_size = "1GB"\n[mirrors.x]\necosystem = "http"\nupstream = "http://x.test"\n',),
        (b"[", b"]", b"=", b'"', b"'''", b"\n", b"[[", b"{", b"}", b",", b"1e9", b"inf", b"\0", b"[mirrors.a]\n", b"a.b.c=1\n", b"#")
        + (b'"http://["', b'"9999999999999999TB"', b'ttl = "1e400s"\n', b"\xff", b"[admin]\n", b"true", b"1979-01-01"),
    ),
    "selection": Target(
        _selection,
        (b"/pypi/simple/six/", b"/npm/**/-/[a-z]*.tgz", b"pkg:npm/%40a/b@1.0.0", b"pkg:deb/debian/x@1:2?arch=all", b"pypi:six"),
        (b"/", b"*", b"**", b"?", b"[", b"]", b"!", b"^", b"-", b"pkg:", b"@", b"%", b"%40", b"#", b"&a=b", b"\\", b"\xff", b"a*"),
    ),
    "stored": Target(
        _stored,
        (codec.dump_entry(_ENTRY).encode(), codec.footer(_ENTRY), b'{"extents":[[0,1]],"key":"","url":"","head":{},"total":1}'),
        (*_JSON_WORDS, codec.MAGIC, b'"head":', b'"extents":[[1,0]]', b'"digest":["a","b"]', b"1e400", b"Infinity"),
    ),
}
