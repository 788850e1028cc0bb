"""Reads advisories from disk: files, folders and zip files of JSON documents, none of which may take all memory.

OSV publishes one zip file for each ecosystem, with hundreds of thousands of small documents in it.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import IO

from mirror.policy import advisories
from mirror.policy.advisories import Advisories

_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that is read: bytes of one document and of all of them, unpacked, and how many documents."""

    document: int = 16 << 20
    whole: int = 4 << 30
    documents: int = 2_000_000


@dataclass(slots=True)
class _Reading:
    """What is read so far; what could not be gathers in `problems`."""

    bounds: Bounds
    size: int = 0
    count: int = 0
    full: bool = False
    problems: list[str] = field(default_factory=list)

    def taken(self, stream: IO[bytes], name: str) -> Iterator[bytes]:
        """The document, unless it is too large: what a zip file says of its size is not believed."""
        content = stream.read(self.bounds.document + 1)
        self.size, self.count = self.size + len(content), self.count + 1
        if self.size > self.bounds.whole or self.count > self.bounds.documents:
            self.full = True
            self.problems.append(f"{name}: too much altogether; nothing from here on is read")
        elif len(content) > self.bounds.document:
            self.problems.append(f"{name}: larger than {self.bounds.document} bytes")
        else:
            yield content


def read(paths: Iterable[Path], bounds: Bounds | None = None) -> Advisories:
    """What is known from these files and folders. What cannot be read is told of in `problems`, and left out. Takes
    seconds to minutes, and the disk: not for an event loop."""
    reading = _Reading(bounds or Bounds())
    found = advisories.read(_documents(paths, reading))
    return replace(found, problems=(*reading.problems, *found.problems))


def _documents(paths: Iterable[Path], reading: _Reading) -> Iterator[bytes]:
    for path in paths:
        files = sorted(path.rglob("*.json")) + sorted(path.rglob("*.zip")) if path.is_dir() else [path]
        for file in files:
            if reading.full:
                return
            try:
                yield from _in_file(file, reading)
            except OSError as error:
                reading.problems.append(f"{file}: {error.strerror or error}")


def _in_file(file: Path, reading: _Reading) -> Iterator[bytes]:
    if not file.is_file():  # a pipe would be waited for
        reading.problems.append(f"{file}: {'not a file' if file.exists() else 'no such file'}")
        return
    with file.open("rb") as stream:
        if stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06"):
            yield from _in_zip(file, reading)
        else:
            stream.seek(0)
            yield from reading.taken(stream, str(file))


def _in_zip(file: Path, reading: _Reading) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if reading.full:
                    return
                if not member.is_dir() and member.filename.endswith(".json"):
                    yield from _member(archive, member, f"{file}: {member.filename[:120]!r}", reading)
    except zipfile.BadZipFile:
        reading.problems.append(f"{file}: not a zip file that can be read")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, reading: _Reading) -> Iterator[bytes]:
    try:
        with archive.open(member) as stream:
            yield from reading.taken(stream, name)
    # Damaged, with a password, or packed in a way that this Python does not know.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        reading.problems.append(f"{name}: {error}")


def wrong(path: Path) -> str:
    """Why a file is none that advisories can be read from, "" where it is one: the first of them are looked at.
    Takes the disk."""
    reading = _Reading(Bounds())
    first = list(islice(_in_file(path, reading), _LOOKED_AT))
    found = advisories.read(first)
    if not first or (found.problems and not found.count):
        return next(iter((*reading.problems, *found.problems)), "it is empty")
    return ""
