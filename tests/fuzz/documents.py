"""The documents that upstreams send, and advisories: what is fuzzed of them, by name."""

from __future__ import annotations

import io
import zipfile
import zlib

from mirror.ecosystems import apt_indexes, wheels
from mirror.model import Headers
from tests.fuzz.calls import (
    HTML_FIELDS,
    JSON_FIELDS,
    PACKED_FIELDS,
    advisory,
    legacy,
    listing,
    packument,
    release,
    simple,
    taken,
)
from tests.fuzz.target import HEX, JSON_WORDS, Target, seed


def _wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("six-1.0.dist-info/METADATA", "Name: six\n" * 20)
    return content.getvalue()


_FILE = {"filename": "six-1.0.tar.gz", "url": "https://x.test/six-1.0.tar.gz", "hashes": {"sha256": HEX}, "size": 1}
_MANIFEST = {"name": "six", "version": "1.0.0", "dist": {"tarball": "https://x.test/six/-/six-1.0.0.tgz", "shasum": HEX[:40]}}  # fmt: skip  # noqa: E501
_RELEASE = f"Suite: x\nDate: Sat, 01 Jan 2022 00:00:00 UTC\nAcquire-By-Hash: yes\nSHA256:\n {HEX} 10 main/Packages\n"
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
_EVENTS = [{"introduced": "0"}, {"fixed": "1.0"}, {"last_affected": "2.0"}]
_AFFECTED = {"package": {"ecosystem": "PyPI", "name": "six"}, "ranges": [{"type": "ECOSYSTEM", "events": _EVENTS}]}

DOCUMENTS: dict[str, Target] = {
    "simple-html": Target(
        simple(HTML_FIELDS),
        (
            f'<!DOCTYPE html><html><head><meta name="a:b" content="1.0"><base href="/x/"></head><body><a href="six-1.0.tar.gz#sha256={HEX}" data-requires-python="&gt;3">six-1.0.tar.gz</a></body></html>'.encode(),  # noqa: E501
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
            seed({"meta": {"api-version": "1.1"}, "name": "six", "files": [_FILE], "versions": ["1.0"]}),
            seed({"meta": {"api-version": "1.0"}, "projects": [{"name": "six"}]}),
        ),
        (*JSON_WORDS, b'{"name":"a"},', b"http://["),
    ),
    "legacy-json": Target(
        legacy,
        (seed({"info": {}, "releases": {"1.0": [{**_FILE, "digests": {"sha256": HEX}}]}, "urls": [_FILE]}),),
        JSON_WORDS,
    ),
    "packument": Target(
        packument,
        (seed({"name": "six", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": _MANIFEST}, "time": {}}),),
        (*JSON_WORDS, b'"1.0.0":{},', b"http://["),
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
            f"Package: x\nFilename: pool/x.deb\nSize: 3\nSHA256: {HEX}\n\n".encode(),
            f"Package: x\nDirectory: pool/x\nChecksums-Sha256:\n {HEX} 3 x.dsc\n".encode(),
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
    "listing": Target(
        listing,
        (
            seed({"objects": [{"package": {"name": "six", "version": "1.0.0", "date": "2026-01-01T00:00:00Z"}}]}),
            seed({"six": {"name": "six", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": "latest"}}}),
            seed([{"name": "six", "time": {"1.0.0": "x", "modified": "2026-01-01"}}]),
        ),
        (*JSON_WORDS, b'"name":', b'"time":', b'"dist-tags":', b'"2026-01-01T00:00:00Z"', b"99999-"),
    ),
    "advisory": Target(
        advisory,
        (
            seed({"id": "MAL-2026-1", "modified": "2026-01-01T00:00:00Z", "affected": [_AFFECTED]}),
            seed({"id": "X-1", "aliases": ["MAL-1"], "affected": [{**_AFFECTED, "versions": ["1.0", "1.1"]}]}),
        ),
        (
            *JSON_WORDS,
            b'{"introduced":"0"},',
            b'{"fixed":"1.0"}',
            b'{"limit":"*"}',
            b'"Debian:12"',
            b'"npm"',
            b'"withdrawn":',
            b'"ranges":',
            b'"SEMVER"',
            b"1!9" + b"9" * 50,
        ),
    ),
}
