"""What APT's Packages and Sources say of the archive's files, and how lists of files are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from mirror.ecosystems import paths
from mirror.ecosystems.bodies import MIB, decoded, hex_digest, unpacked
from mirror.ecosystems.views import plain
from mirror.errors import OriginError
from mirror.model import Fact, Headers

_SHA256_BLOCK = re.compile(rb"^Checksums-Sha256:[ \t]*\r?\n((?:[ \t][^\n]*+(?:\n|\Z))*+)", re.MULTILINE)
_LISTED = re.compile(rb"\s*([0-9a-f]+)\s+(\d{1,18})\s+(\S+)\s*")
_UNENCODED = re.compile(rb"[A-Za-z0-9/._+~-]+")
_SIZE = re.compile(rb"\d{1,18}")
_PARAGRAPH_LIMIT = 16 * MIB
_DIGESTS = ((b"\nSHA256:", "sha256"), (b"\nSHA512:", "sha512"))


def package_facts(body: bytes, headers: Headers) -> Iterator[Fact]:
    """The files that a Packages or Sources index lists, whatever its compression; none for an index of another kind.

    Read in pieces: the decompressed text is never held whole. OriginError, while iterating, where it is broken.
    """
    for paragraph in _paragraphs(unpacked(decoded(body, headers))):
        if (filename := _field(paragraph, b"\nFilename:")) is not None:
            yield from _binary(paragraph, filename)
        elif (directory := _field(paragraph, b"\nDirectory:")) is not None:
            yield from _source(paragraph, directory)


def _paragraphs(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The paragraphs of a control file, each with a line feed before its first line."""
    rest = b""
    for chunk in chunks:
        complete, blank, rest = (rest + chunk).rpartition(b"\n\n")
        if len(rest) > _PARAGRAPH_LIMIT:
            raise OriginError("the origin's index has a paragraph without end")
        if blank and (b"Filename:" in complete or b"Directory:" in complete):
            for paragraph in filter(None, complete.split(b"\n\n")):  # blank lines alone, by the million, are none
                yield b"\n" + paragraph
    yield b"\n" + rest


def _field(paragraph: bytes, start: bytes) -> bytes | None:
    """The first line of the field that `start` (line feed, name, colon) begins, or None."""
    at = paragraph.find(start)
    if at < 0:
        return None
    at += len(start)
    end = paragraph.find(b"\n", at)
    return paragraph[at : end if end >= 0 else len(paragraph)].strip()


def _binary(paragraph: bytes, filename: bytes) -> Iterator[Fact]:
    size = _field(paragraph, b"\nSize:") or b""
    if not _SIZE.fullmatch(size):
        raise OriginError("the origin's index lists a file without its size")
    for start, algorithm in _DIGESTS:
        value = _field(paragraph, start)
        if value is not None:
            digest = hex_digest(algorithm, value.decode("latin-1"))
            if digest is None:
                raise OriginError("the origin's index lists a file with a broken digest")
            yield Fact(_name(filename), "", digest, int(size), *_about(paragraph))
            return


def _source(paragraph: bytes, directory: bytes) -> Iterator[Fact]:
    if block := _SHA256_BLOCK.search(paragraph):
        package, version = _about(paragraph)
        for fact in listed(block[1], directory):
            yield replace(fact, package=package, version=version)


def _about(paragraph: bytes) -> tuple[str, str]:
    """Name and version of the package, with the epoch, which no file's name has; "" where they are not stated."""
    package, version = _field(paragraph, b"\nPackage:"), _field(paragraph, b"\nVersion:")
    return plain((package or b"").decode(errors="replace")), plain((version or b"").decode(errors="replace"))


def listed(block: bytes, directory: bytes, algorithm: str = "sha256") -> Iterator[Fact]:
    """The files of lines ` <digest> <size> <name>`, their names relative to `directory`; OriginError for others."""
    prefix = b"" if directory in (b"", b".") else directory + b"/"
    for line in block.splitlines():
        match = _LISTED.fullmatch(line)
        digest = hex_digest(algorithm, match[1].decode()) if match else None
        if match is None or digest is None:
            raise OriginError("the origin's index has a line that is not a digest, a size and a name")
        yield Fact(_name(prefix + match[3]), "", digest, int(match[2]))


def _name(filename: bytes) -> str:
    """The canonical path of a file, as clients ask for it below the mirror."""
    plain = filename.removeprefix(b"./")
    return "/" + (plain.decode() if _UNENCODED.fullmatch(plain) else paths.encoded(plain))
