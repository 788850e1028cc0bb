"""Documents that grow without bounds when they are unpacked cost next to nothing, and are refused."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import lzma
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.test_edge import asking, hear, parts
from tests.instruments.server import Served, served

from .growth import MOST, growth
from .upstream import Upstream, answer, upstream

CONFIG = """
[cache]
min_free = "1MB"
[upstream]
retries = 0
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
[mirrors.npm]
ecosystem = "npm"
upstream = "{0}/npm"
[mirrors.apt]
ecosystem = "apt"
upstream = "{0}/archive"
"""
HTML, JSON = "Content-Type: text/html", "Content-Type: application/vnd.pypi.simple.v1+json"
PACKUMENT = "Content-Type: application/json"
MIB = 1 << 20
ASK_JSON = f"Accept: {JSON.partition(' ')[2]}"
ABBREVIATED = "Accept: application/vnd.npm.install-v1+json"


def grown(size: int, begin: bytes = b"") -> bytes:
    """Raw deflate of `begin` and `size` MiB of spaces: 16 MiB of them are 16 KiB that stand any number of times."""
    machine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = machine.compress(begin) + machine.flush(zlib.Z_FULL_FLUSH)
    spaces = machine.compress(b" " * (16 * MIB)) + machine.flush(zlib.Z_FULL_FLUSH)
    return first + spaces * (size // 16) + machine.flush()


def as_gzip(deflated: bytes) -> bytes:
    return b"\x1f\x8b\x08" + bytes(6) + b"\x03" + deflated + bytes(8)


def as_zlib(deflated: bytes) -> bytes:
    return b"\x78\x9c" + deflated + bytes(4)


def sparse(count: int) -> bytes:
    """gzip that stays just below what would be too dense to be true, `count` MiB of it."""
    machine = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    unlike = [hashlib.sha512(str(number).encode()).digest() * 60 for number in range(256)]
    return b"".join(machine.compress(piece + b" " * 12_000) for _ in range(count) for piece in unlike) + machine.flush()


@dataclass(frozen=True, slots=True)
class Bomb:
    """What is asked for, of whom the upstream says it, and with which fields."""

    target: str
    path: str
    fields: tuple[str, ...]
    body: Callable[[], bytes]
    asks: str = "Accept: */*"


def page(*fields: str, body: Callable[[], bytes], asks: str = "Accept: */*") -> Bomb:
    return Bomb("/pypi/simple/bomb/", "/simple/bomb/", fields, body, asks)


def packument(*fields: str, body: Callable[[], bytes]) -> Bomb:
    return Bomb("/npm/bomb", "/npm/bomb", (PACKUMENT, *fields), body, ABBREVIATED)


BOMBS = {
    "gzip page": page(HTML, "Content-Encoding: gzip", body=lambda: as_gzip(grown(2048))),
    "gzip page in JSON": page(JSON, "Content-Encoding: gzip", body=lambda: as_gzip(grown(2048)), asks=ASK_JSON),
    "many gzip members": page(HTML, "Content-Encoding: x-gzip", body=lambda: zlib_gzip(64 * MIB) * 32),
    "deflate page": page(HTML, "Content-Encoding: deflate", body=lambda: as_zlib(grown(2048))),
    "bare deflate page": page(HTML, "Content-Encoding: deflate", body=lambda: grown(2048)),
    "below the ratio": page(HTML, "Content-Encoding: gzip", body=lambda: sparse(12)),
    "gzip in gzip": page(HTML, "Content-Encoding: gzip, gzip", body=lambda: as_gzip(zlib.compress(grown(2048)))),
    "zstd page": page(HTML, "Content-Encoding: zstd", body=lambda: b"\x28\xb5\x2f\xfd" + bytes(1000)),
    "brotli page": page(HTML, "Content-Encoding: br", body=lambda: b"\x5b\xff\xff\xff\x00" + bytes(1000)),
    "gzip packument": packument("Content-Encoding: gzip", body=lambda: as_gzip(grown(2048, b'{"name":"bomb",'))),
    "deflate packument": packument("Content-Encoding: deflate", body=lambda: as_zlib(grown(2048, b'{"x":"'))),
    "deep packument": packument(body=lambda: b'{"versions":' + b'{"a":' * 100_000),
    "deep page": page(JSON, body=lambda: b'{"files":' + b"[" * 100_000, asks=ASK_JSON),
    "deep page that is closed": page(JSON, body=lambda: b'{"files":' + b"[" * 10**6 + b"]" * 10**6 + b"}"),
    "legacy JSON": Bomb(
        "/pypi/pypi/bomb/json",
        "/pypi/bomb/json",
        (PACKUMENT, "Content-Encoding: gzip"),
        lambda: as_gzip(grown(2048, b'{"info":')),
    ),
}


def zlib_gzip(size: int) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return machine.compress(bytes(size)) + machine.flush()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Upstream]]:
    with upstream() as origin, served(tmp_path_factory.mktemp("bombs"), CONFIG.format(origin.url())) as server:
        good(server, origin)  # what the first document of all costs is not the bombs'
        yield server, origin
        assert "Traceback" not in server.log()


def good(server: Served, origin: Upstream) -> None:
    """That the next request is answered as if nothing had been."""
    name = f"good{len(origin.asked)}"
    origin.says[f"/simple/{name}/"] = answer(b'<a href="/files/x-1.0.zip">x-1.0.zip</a>', HTML)
    assert parts(hear(server, asking(f"/pypi/simple/{name}/"))[0])[0] == 200


@pytest.mark.row(47)
@pytest.mark.parametrize("name", BOMBS)
def test_a_document_that_explodes_is_refused_and_costs_nothing(both: tuple[Served, Upstream], name: str) -> None:
    """Seen red: a document may grow without a limit when it is unpacked; a coding that was not asked for is taken for
    the document."""
    (server, origin), bomb = both, BOMBS[name]
    origin.says = {bomb.path: answer(bomb.body(), *bomb.fields)}
    with growth(server) as grew:
        status, fields, _ = parts(hear(server, asking(bomb.target, bomb.asks))[0])
    assert (status, fields["content-type"]) == (502, "application/problem+json")
    assert grew.most <= MOST
    good(server, origin)


def wheel(write: Callable[[zipfile.ZipFile], None]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        write(archive)
    return content.getvalue()


def metadata(method: int, size: int) -> Callable[[], bytes]:
    return lambda: wheel(lambda archive: archive.writestr("bomb-1.0.dist-info/METADATA", bytes(size), method, 9))


def names() -> bytes:
    """A list of 600,000 files, and hardly a file."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 0, 20, 0, *[0] * 4, 0, 0, 0, 1, *[0] * 4, 0, 0) + b"x"
    count, at = 600_000, 0
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count % 65536, count % 65536, count * len(entry), at, 0)
    return b"PK\1\2" + entry[4:] + entry * (count - 1) + end


WHEELS = {
    "deflate": metadata(zipfile.ZIP_DEFLATED, 160 * MIB),
    "bzip2": metadata(zipfile.ZIP_BZIP2, 160 * MIB),
    "lzma": metadata(zipfile.ZIP_LZMA, 160 * MIB),
    "600,000 names": names,
}


@pytest.mark.row(47)
@pytest.mark.parametrize("name", WHEELS)
def test_a_wheel_that_explodes_is_served_and_not_unpacked(both: tuple[Served, Upstream], name: str) -> None:
    """The wheel is what the index says it is; the metadata within it is what cannot be had.

    Seen red: the metadata of a wheel may be packed by LZMA, which unpacks it whole; a wheel's list of files may have
    any length.
    """
    (server, origin), body, file = both, WHEELS[name](), f"bomb-1.{len(name)}.0-py3-none-any.whl"
    digest = hashlib.sha256(body).hexdigest()
    link = f'<a href="/files/{file}#sha256={digest}" data-core-metadata="sha256={"0" * 64}">{file}</a>'
    origin.says = {"/simple/bomb/": answer(link.encode(), HTML), f"/files/{file}": answer(body)}
    hear(server, "PURGE /pypi/simple/bomb/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    whole = parts(hear(server, asking(f"/pypi/files/files/{file}"))[0])
    with growth(server) as grew:
        status = parts(hear(server, asking(f"/pypi/files/files/{file}.metadata"))[0])[0]
    assert (whole[0], whole[2] == body, status) == (200, True, 404)
    assert grew.most <= MOST + len(body)
    good(server, origin)


def with_dictionary() -> bytes:
    """xz that wants a dictionary of 1 GiB: who unpacks it holds as much as comes out."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 8 * MIB}]
    machine = lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_NONE, filters=filters)
    packed = bytearray(b"".join(machine.compress(b"\n" * MIB) for _ in range(256)) + machine.flush())
    at = packed.index(b"\x21\x01", 12) + 2  # the filter LZMA2, with one byte of properties: the size
    packed[at] = 36  # (2 | 0) << (36 // 2 + 11)
    header = packed[12 : 12 + (packed[12] + 1) * 4 - 4]
    packed[12 + len(header) : 16 + len(header)] = struct.pack("<L", zlib.crc32(header))
    return bytes(packed)


INDEXES = {
    "Packages.xz": with_dictionary,
    "Packages.gz": lambda: as_gzip(grown(2048)),
    "Packages.bz2": lambda: bz2.compress(b"\n" * (160 * MIB)),
    "Sources.xz": lambda: lzma.compress(b"\n" * (32 * MIB), preset=0),
}


@pytest.mark.row(47)
@pytest.mark.parametrize("name", INDEXES)
def test_an_index_of_packages_that_explodes_is_not_unpacked_and_nobody_has_all_of_it(
    both: tuple[Served, Upstream], name: str
) -> None:
    """It is refused where it is small, and else broken off: what its files are cannot be known. Blank lines alone take
    no time.

    Seen red: xz may ask for any memory; each blank line of an index is a paragraph.
    """
    (server, origin), body = both, INDEXES[name]()
    directory = f"/dists/bomb{name.replace('.', '').lower()}/main/binary-all"
    origin.says = {f"/archive{directory}/{name}": answer(body)}
    began = time.monotonic()
    with growth(server) as grew:
        got, broke = hear(server, asking(f"/apt{directory}/{name}"))
        good(server, origin)
        # A file of the archive asks for what the indexes say: it waits until they are read.
        assert parts(hear(server, asking("/apt/pool/main/b/bomb_1_all.deb"))[0])[0] == 404
    assert parts(got)[0] == 502 or broke
    assert time.monotonic() - began < 20
    assert grew.most <= MOST + 2 * len(body)
    good(server, origin)


@pytest.mark.row(47)
def test_the_facts_of_a_bomb_are_none(both: tuple[Served, Upstream]) -> None:
    """What a document that was refused names cannot be had by that."""
    server, origin = both
    files = json.dumps({"meta": {"api-version": "1.0"}, "name": "refused", "files": []})
    origin.says = {
        "/simple/refused/": answer(as_gzip(grown(2048, files.encode()[:-1])), JSON, "Content-Encoding: gzip")
    }
    status = parts(hear(server, asking("/pypi/files/127.0.0.1/refused-1.0.zip"))[0])[0]
    assert status in (404, 502)
