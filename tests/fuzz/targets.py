"""What is fuzzed, by name: one call each, with what it is started from.

`seeds` are good input, `words` what has a meaning in it: fuzzing puts these together, a single one many times too.
"""

from __future__ import annotations

from mirror.model import Entry, Head, Headers
from mirror.stores import codec
from tests.fuzz.calls import HTML_FIELDS, lock, plans, selection, settings, stored
from tests.fuzz.connection import converse
from tests.fuzz.documents import DOCUMENTS
from tests.fuzz.target import HEX, JSON_WORDS, Target, seed

_ENTRY = Entry("/o/x", "https://x.test/x", Head(200, HTML_FIELDS, 1.0, 2.0), Headers(), "00", 3, HEX)
_HEAD = b"GET /x HTTP/1.1\r\nHost: a\r\n"

TARGETS: dict[str, Target] = {
    **DOCUMENTS,
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
    "lock": Target(
        lock,
        (
            b'[[package]]\nname = "six"\nversion = "1"\nsource = { registry = "x" }\n',
            b"six==1.0 --hash=sha256:aa\n-r other\n",
            seed(
                {
                    "lockfileVersion": 3,
                    "packages": {"node_modules/six": {"version": "1.0.0", "resolved": "https://x.test/"}},
                }
            ),
            b"lockfileVersion: '9.0'\npackages:\n  six@1.0.0:\n    resolution: {tarball: https://x.test/a}\n",
        ),
        (
            *JSON_WORDS,
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
        (*JSON_WORDS, codec.MAGIC, b'"head":', b'"extents":[[1,0]]', b'"digest":["a","b"]', b"1e400", b"Infinity"),
    ),
}
