"""What is fuzzed, by name: one call each, with what it is started from.

`seeds` are good input, `words` what has a meaning in it: fuzzing puts these together, a single one many times too.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from mirror.ecosystems import apt_indexes, wheels
from mirror.errors import MirrorError
from mirror.model import Entry, Head, Headers
from mirror.stores import codec
from tests.fuzz.calls import (
    HTML_FIELDS,
    JSON_FIELDS,
    PACKED_FIELDS,
    legacy,
    lock,
    packument,
    plans,
    release,
    selection,
    settings,
    simple,
    stored,
    taken,
)
from tests.fuzz.connection import converse


@dataclass(frozen=True, slots=True)
class Target:
    """One parser. `call` raises what is no error of ours."""

    call: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]

    def __call__(self, given: bytes) -> None:
        with contextlib.suppress(MirrorError):
            self.call(given)


def _wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("six-1.0.dist-info/METADATA", "Name: six\n" * 20)
    return content.getvalue()


def _seed(value: object) -> bytes:
    return json.dumps(value).encode()


_HEX = "a" * 64
_FILE = {"filename": "six-1.0.tar.gz", "url": "https://x.test/six-1.0.tar.gz", "hashes": {"sha256": _HEX}, "size": 1}
_ENTRY = Entry("/o/x", "https://x.test/x", Head(200, HTML_FIELDS, 1.0, 2.0), Headers(), "00", 3, _HEX)
_MANIFEST = {"name": "six", "version": "1.0.0", "dist": {"tarball": "https://x.test/six/-/six-1.0.0.tgz", "shasum": _HEX[:40]}}  # fmt: skip  # noqa: E501
_RELEASE = f"Suite: x\nDate: Sat, 01 Jan 2022 00:00:00 UTC\nAcquire-By-Hash: yes\nSHA256:\n {_HEX} 10 main/Packages\n"
_JSON_WORDS = (b"{", b"[", b'"', b"}", b"]", b":", b",", b'{"":', b"1e999", b"-", b"null", b"\\ud800", b'"\\u0000"')
_JSON_WORDS += (b'"files":', b'"versions":', b'"dist":', b'"size":9', b"NaN", b"\xff", b"\xef\xbb\xbf", b" ")
_FIELD_WORDS = (
    b"Filename: a\n",
    b"\n\n",
    b"SHA256:",
    b" ",
    b"\n",
    b"Size: 1\n",
    b"\r\n",
    b"Checksums-Sha256:\n",
    b"\0",
)
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
        (
            b"\r\n",
            b"\n",
            b"\r",
            b":",
            b" ",
            b"\t",
            b"\x00",
            b"\r\n\r\n",
            b"Host: b\r\n",
            b"Content-Length: 5\r\n",
            b"0\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"HTTP/1.0",
            b"HTTP/2.0",
            b"ffffffffffffffff\r\n",
            b"%",
            b"#",
            b"GET ",
            b";a=b",
            b"CONNECT a:1 HTTP/1.1\r\n",
            b"Connection: close\r\n",
            b"Upgrade: x\r\nConnection: upgrade\r\n",
            b"\xff",
            b"a",
        ),
    ),
    "plan": Target(
        plans,
        (
            b"/simple/six/?x=1\nAccept: text/html",
            b"/six/-/six-1.0.0.tgz\nRange: bytes=1-2",
            b"/dists/x/InRelease\nDate: x",
            b"/http/host.test/x\nCache-Control: max-age=1\nVary: accept",
            b"/files/aa/bb/six-1.0.tar.gz\nIf-Range: x",
        ),
        (
            b"/",
            b"..",
            b"%2e",
            b"%2F",
            b"%",
            b"@",
            b"\n",
            b":",
            b"?",
            b"//",
            b"\\",
            b";",
            b"%00",
            b"\xff",
            b"-/",
            b"bytes=",
            b"\nRange: bytes=0-1,",
            b"\nIf-None-Match: ",
            b'"',
            b",",
            b"\nCache-Control: ",
            b"=",
            b"\nVary: *",
            b"[::1",
            b" ",
        ),
    ),
    "simple-html": Target(
        simple(HTML_FIELDS),
        (
            f'<!DOCTYPE html><html><head><meta name="a:b" content="1.0"><base href="/x/"></head><body><a href="six-1.0.tar.gz#sha256={_HEX}" data-requires-python="&gt;3">six-1.0.tar.gz</a></body></html>'.encode(),  # noqa: E501
        ),
        (
            b"<",
            b">",
            b"<a ",
            b"href=",
            b'"',
            b"'",
            b"&#",
            b"&amp",
            b"<!--",
            b"-->",
            b"<script>",
            b"</a>",
            b"=",
            b"<base href=",
            b"<![CDATA[",
            b"<!",
            b"<?",
            b"</",
            b"/",
            b"\x00",
            b"&#x110000;",
            b"http://[",
            b"#sha256=",
            b"\xff",
            b" ",
            b"<a x ",
        ),
    ),
    "simple-json": Target(
        simple(JSON_FIELDS),
        (
            _seed({"meta": {"api-version": "1.1"}, "name": "six", "files": [_FILE], "versions": ["1.0"]}),
            _seed({"meta": {"api-version": "1.0"}, "projects": [{"name": "six"}]}),
        ),
        (*_JSON_WORDS, b'{"name":"a"},', b"http://["),
    ),
    "legacy-json": Target(
        legacy,
        (_seed({"info": {}, "releases": {"1.0": [{**_FILE, "digests": {"sha256": _HEX}}]}, "urls": [_FILE]}),),
        _JSON_WORDS,
    ),
    "packument": Target(
        packument,
        (_seed({"name": "six", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": _MANIFEST}, "time": {}}),),
        (*_JSON_WORDS, b'"1.0.0":{},', b"http://["),
    ),
    "release": Target(
        release,
        (
            _RELEASE.encode(),
            b"-----BEGIN PGP SIGNED MESSAGE-----\n\n%s\n-----BEGIN PGP SIGNATURE-----\n" % _RELEASE.encode(),
        ),
        (*_FIELD_WORDS, b"Date: Sat, 99 Jan 99999 99:99:99 +9999\n", b"SHA256:\n", b" a 1 b\n", b"Date: "),
    ),
    "packages": Target(
        lambda body: taken(lambda: apt_indexes.package_facts(body, Headers())),
        (
            f"Package: x\nFilename: pool/x.deb\nSize: 3\nSHA256: {_HEX}\n\n".encode(),
            f"Package: x\nDirectory: pool/x\nChecksums-Sha256:\n {_HEX} 3 x.dsc\n".encode(),
            b"\x1f\x8b\x08\x00",
            b"\xfd7zXZ\x00",
            b"BZh9",
            b"(\xb5/\xfd",
        ),
        _FIELD_WORDS,
    ),
    "wheel": Target(
        wheels.metadata, (_wheel(),), (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"\0", b"\xff", b"/METADATA")
    ),
    "packed": Target(
        lambda body: taken(lambda: apt_indexes.package_facts(body, PACKED_FIELDS)),
        (zlib.compress(b"Filename: a\nSize: 1\n" * 50, wbits=31),),
        (b"\x1f\x8b", b"\0", b"\xff\xff", b"\x08\x1f"),
    ),
    "lock": Target(
        lock,
        (
            b'[[package]]\nname = "six"\nversion = "1"\nsource = { registry = "x" }\n',
            b"six==1.0 --hash=sha256:aa\n-r other\n",
            _seed(
                {
                    "lockfileVersion": 3,
                    "packages": {"node_modules/six": {"version": "1.0.0", "resolved": "https://x.test/"}},
                }
            ),
            b"lockfileVersion: '9.0'\npackages:\n  six@1.0.0:\n    resolution: {tarball: https://x.test/a}\n",
        ),
        (
            *_JSON_WORDS,
            b"\n",
            b"[[",
            b"]]",
            b"=",
            b"'''",
            b"#",
            b"\\\n",
            b"--hash=a:b",
            b";",
            b"[a]",
            b"@",
            b"  a@1:\n",
            b"a.b.",
            b"packages:\n",
            b"; python_version<'3'",
            b" and ",
            b"(",
            b"tarball: ",
            b"===",
            b"\t",
            b"\x0c",
        ),
    ),
    "config": Target(
        settings,
        (
            b'[server]\nlisten = "127.0.0.1:1"\n[cache]\nmax_size = "1GB"\n[mirrors.x]\necosystem = "http"\nupstream = "http://x.test"\n',
            b'[policy]\nmin_age = "3d"\nages = { "a*" = "1d" }\n[mirrors.x]\necosystem = "npm"\n',
            b'[[policy.deny]]\npackages = "pkg:npm/x"\nversions = "^1"\n[mirrors.x]\necosystem = "npm"\n',
            b'[[policy.exempt]]\npackages = ["x"]\nowner = "x"\nreason = "x"\nuntil = 2026-12-31\n'
            b'[mirrors.x]\necosystem = "npm"\n',
        ),
        (
            b"[",
            b"]",
            b"=",
            b'"',
            b"'''",
            b"\n",
            b"[[",
            b"{",
            b"}",
            b",",
            b"1e9",
            b"inf",
            b"\x00",
            b"[mirrors.a]\n",
            b"a.b.c=1\n",
            b"#",
            b'"http://["',
            b'"9999999999999999TB"',
            b'ttl = "1e400s"\n',
            b"\xff",
            b"[admin]\n",
            b"true",
            b"1979-01-01",
        ),
    ),
    "selection": Target(
        selection,
        (
            b"/pypi/simple/six/",
            b"/npm/**/-/[a-z]*.tgz",
            b"pkg:npm/%40a/b@1.0.0",
            b"pkg:deb/debian/x@1:2?arch=all",
            b"pypi:six",
        ),
        (
            b"/",
            b"*",
            b"**",
            b"?",
            b"[",
            b"]",
            b"!",
            b"^",
            b"-",
            b"pkg:",
            b"@",
            b"%",
            b"%40",
            b"#",
            b"&a=b",
            b"\\",
            b"\xff",
            b"a*",
        ),
    ),
    "stored": Target(
        stored,
        (
            codec.dump_entry(_ENTRY).encode(),
            codec.footer(_ENTRY),
            b'{"extents":[[0,1]],"key":"","url":"","head":{},"total":1}',
        ),
        (*_JSON_WORDS, codec.MAGIC, b'"head":', b'"extents":[[1,0]]', b'"digest":["a","b"]', b"1e400", b"Infinity"),
    ),
}
