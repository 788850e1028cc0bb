"""The files of the record: their names, their order, and the head beside them. All of it blocks."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from mirror.audit.chain import Link

HEAD = "head"
_WIDTH = 256  # bytes, always: a head is written in place, and never half
_NAME = re.compile(r"([0-9]{6,12})\.([0-9]{4}-[0-9]{2}-[0-9]{2})\.jsonl")


@dataclass(frozen=True, slots=True)
class Head:
    """The last line that is surely on disk, and the size of its file with it."""

    link: Link
    file: str
    size: int

    def encode(self) -> bytes:
        told = {"n": self.link.number, "hash": self.link.hash, "file": self.file, "size": self.size}
        return json.dumps(told).encode().ljust(_WIDTH - 1) + b"\n"

    @classmethod
    def decode(cls, text: bytes) -> Head | None:
        """None where that is none."""
        try:
            told = json.loads(text)
            number, size, link, file = int(told["n"]), int(told["size"]), str(told["hash"]), str(told["file"])
        except (ValueError, TypeError, KeyError):
            return None
        sound = number > 0 and size >= 0 and re.fullmatch(r"[0-9a-f]{64}", link) and _NAME.fullmatch(file)
        return cls(Link(number, link), file, size) if sound else None


def read_head(folder: Path) -> Head | None:
    """The head of the record in a folder; None where there is none that can be read."""
    try:
        return Head.decode((folder / HEAD).read_bytes())
    except OSError:
        return None


def files(folder: Path) -> list[Path]:
    """The files of the record, the oldest first. OSError where the folder cannot be read."""
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: (number(path.name), path.name))


def number(name: str) -> int:
    """Which file of the record it is, by its name; 0 where it has none of these names."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else 0


def day(name: str) -> str:
    """The day (UTC) of a file."""
    found = _NAME.fullmatch(name)
    return found[2] if found else ""


def named(number: int, day: str) -> str:
    """The name of a file."""
    return f"{number:06d}.{day}.jsonl"


def first_line(path: Path) -> bytes:
    """The first line of a file, without its end; b"" where there is none."""
    with path.open("rb") as file:
        return file.readline(1 << 16).rstrip(b"\n")


def sync(folder: Path) -> None:
    """Have the folder's names on disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
