"""Stored bodies made readable, within bounds: codings, compressed files, JSON; and what a beginning gives away."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Protocol

from mirror.errors import OriginError
from mirror.model import Digest, Headers


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


MIB = 1 << 20
DOCUMENT_LIMIT = 256 * MIB
INDEX_LIMIT = 1024 * MIB
RATIO_LIMIT = 200  # real pages stay below 60; beyond this, and over 1 MiB, it is a bomb
LARGE_RATIO = 60  # the same for what is over 16 MiB

_CHUNK = MIB
_LARGE = 16 * MIB
_STEP = 16 * 1024  # deflate grows 1032-fold at most, so one step makes 16 MiB at most
_XZ_MEMORY = 80 * MIB  # a dictionary of 64 MiB, the largest of `xz -9`, and what stands around it
_BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)
_HEX_DIGITS = {"sha512": 128, "sha384": 96, "sha256": 64, "sha1": 40, "md5": 32}


def decoded(body: bytes, headers: Headers, limit: int = DOCUMENT_LIMIT) -> bytes:
    """The body without its Content-Encoding (gzip, deflate or identity; RFC 9110 §8.4.1), at most `limit` bytes.

    OriginError where it is truncated, broken, of another coding, too large, or grows more than 200-fold over 1 MiB.
    """
    coding = (headers.get("content-encoding") or "identity").strip().lower()
    if coding == "identity":
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise OriginError(f"the origin answered in the content coding {coding!r}, which was not asked for")
    packed = BytesIO(body)
    chunks = _deflated(packed) if coding == "deflate" else _gunzipped(packed)
    whole = BytesIO()  # it grows in its place: joined, the chunks would be there twice for a moment
    for chunk in _bounded(chunks, packed, MIB, limit):
        whole.write(chunk)
    return whole.getvalue()


def unpacked(body: bytes, limit: int = INDEX_LIMIT) -> Iterator[bytes]:
    """The content of an .xz, .gz, .bz2 or plain file, told by its first bytes, in chunks of at most 1 MiB.

    OriginError, while iterating, where it is truncated or broken or its content exceeds `limit` bytes.
    """
    packed = BytesIO(body)
    unpack = next((unpack for magic, unpack in _PACKED.items() if body.startswith(magic)), _read)
    return _bounded(unpack(packed), packed, _LARGE, limit)


def json_object(body: bytes, headers: Headers) -> dict[str, Any]:
    """The JSON object that a stored body holds; OriginError where it holds none."""
    try:
        value = json.loads(decoded(body, headers))
    except (ValueError, RecursionError) as exc:
        raise OriginError("the origin's document is not JSON") from exc
    if not isinstance(value, dict):
        raise OriginError("the origin's document is not a JSON object")
    return value


def json_whole(body: bytes, headers: Headers) -> None:
    """OriginError where a stored body is no JSON, or not all of it."""
    try:
        json.loads(decoded(body, headers))
    except (ValueError, RecursionError) as exc:
        raise OriginError("the origin's document is not JSON") from exc


def json_bytes(value: object) -> bytes:
    """Compact JSON with keys in their order; OriginError where `value` came from a document that is no legal JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:
        # Half a surrogate pair is legal in JSON as an escape only (RFC 8259 §8.2).
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError) as exc:
        raise OriginError("the origin's document is not JSON") from exc


def hex_digest(algorithm: object, value: object) -> Digest | None:
    """The digest that an index announces in hex, or None where it is none that can be checked."""
    if not isinstance(algorithm, str) or not isinstance(value, str) or len(value) != _HEX_DIGITS.get(algorithm):
        return None
    value = value.lower()
    return Digest(algorithm, value) if not value.strip("0123456789abcdef") else None


def not_html(start: bytes, headers: Headers) -> None:
    """OriginError where an answer is a web page (a login form, an error with status 200)."""
    media_type = (headers.get("content-type") or "").partition(";")[0].strip().lower()
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if media_type in ("text/html", "application/xhtml+xml") or text.startswith((b"<!doctype html", b"<html")):
        raise OriginError("the origin answered with a web page instead of the file")


def begins(*magic: bytes) -> Callable[[bytes, Headers], None]:
    """A check that a body begins with one of `magic`."""

    def check(start: bytes, headers: Headers) -> None:
        if not start.startswith(magic):
            not_html(start, headers)
            raise OriginError("the origin's file does not begin as a file of this name does")

    return check


def _read(file: _Readable) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _gunzipped(packed: BytesIO) -> Iterator[bytes]:
    return _read(gzip.GzipFile(fileobj=packed))


def _unbzipped(packed: BytesIO) -> Iterator[bytes]:
    return _read(bz2.BZ2File(packed))


def _unxzed(packed: BytesIO) -> Iterator[bytes]:
    """As LZMAFile, which has no limit for the dictionary: what is unpacked with one of 1 GiB is held as a whole."""
    machine, piece = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY), packed.read(_STEP)
    while piece:
        yield machine.decompress(piece, _CHUNK)
        while not (machine.eof or machine.needs_input):
            yield machine.decompress(b"", _CHUNK)
        piece = machine.unused_data.lstrip(b"\0") or packed.read(_STEP)
        if machine.eof and piece.strip(b"\0"):  # another stream may follow, and padding before it
            machine = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
    if not machine.eof:
        raise EOFError


def _deflated(packed: BytesIO) -> Iterator[bytes]:
    # "deflate" means zlib's framing, but some senders leave it off (RFC 9110 §8.4.1.2).
    first = packed.getbuffer()[:2]
    framed = len(first) == 2 and first[0] & 0x0F == 8 and int.from_bytes(first, "big") % 31 == 0
    machine = zlib.decompressobj(zlib.MAX_WBITS if framed else -zlib.MAX_WBITS)
    while piece := packed.read(_STEP):
        yield machine.decompress(piece)
    if not machine.eof:
        raise EOFError


_PACKED: dict[bytes, Callable[[BytesIO], Iterator[bytes]]] = {
    b"\xfd7zXZ\x00": _unxzed,
    b"\x1f\x8b": _gunzipped,
    b"BZh": _unbzipped,
}


def _bounded(chunks: Iterator[bytes], packed: BytesIO, least: int, limit: int) -> Iterator[bytes]:
    """The chunks, `limit` bytes of them at most; and beyond `least` no more than may come out of what was taken of
    `packed` till then: a bomb is known by its beginning."""
    total = 0
    try:
        for chunk in chunks:
            total += len(chunk)
            if total > limit:
                raise OriginError(f"the origin's document is over {limit} bytes when decompressed")
            taken = packed.tell()
            if total > max(least, min(RATIO_LIMIT * taken, _LARGE + LARGE_RATIO * taken)):
                raise OriginError(f"the origin's document is over {total // taken} times larger when decompressed")
            yield chunk
    except _BROKEN as exc:
        raise OriginError("the origin's document is truncated or broken: it cannot be decompressed") from exc
