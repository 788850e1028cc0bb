"""Finds records: the bytes are searched for what a line must have in it, and only lines that have it are parsed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

from mirror.audit import folder as places
from mirror.audit.chain import GIVEN, REFUSED
from mirror.audit.wanted import Told, Wanted

CHUNK = 256 << 10
"""Bytes that are searched at a time: few enough to stay in a processor's cache."""

_EVENTS = (GIVEN, REFUSED)


def search(folder: Path, wanted: Wanted, since: str = "", until: str = "~") -> Iterator[Told]:
    """The records that are wanted, from the instant `since` to before `until` (as `chain.stamp` has them), in the order
    in which they were written. What is no line is passed over: `verify` tells of that. OSError where nothing can be
    read."""
    paths = places.files(folder)
    behind = [*paths[1:], None]
    for path, following in zip(paths, behind, strict=True):
        if since and following is not None and _time(places.first_line(following)) < since:
            continue
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:  # it has got too old in this moment
            for line in _lines(file, wanted):
                told = _told(line)
                if told.get("event") in _EVENTS and since <= str(told.get("time")) < until and wanted.holds(told):
                    yield told


def _time(line: bytes) -> str:
    return str(_told(line).get("time") or "~")


def _told(line: bytes) -> Told:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _lines(file: FileIO, wanted: Wanted) -> Iterator[bytes]:
    """The lines of a file in which a needle is, and the version behind it. It is read and not mapped: what a full disk
    did not take whole is cut off again, and then a map would end the process."""
    known: dict[bytes, bool] = {}
    rest = b""
    while chunk := file.read(CHUNK):
        text = rest + chunk
        end = text.rfind(b"\n") + 1
        yield from _in(text, end, wanted, known)
        rest = text[end:]
    yield from _in(rest, len(rest), wanted, known)


def _in(text: bytes, end: int, wanted: Wanted, known: dict[bytes, bool]) -> Iterator[bytes]:
    """The same, of the whole lines that end there."""
    if not wanted.needles:
        yield from text[:end].splitlines()
        return
    last = -1
    for at in sorted(at for needle in wanted.needles for at in _places(text, end, needle, wanted, known)):
        begin = text.rfind(b"\n", 0, at) + 1
        if begin != last:  # two needles in one line
            stop = text.find(b"\n", at, end)
            yield text[begin : stop if stop >= 0 else end]
        last = begin


def _places(text: bytes, end: int, needle: bytes, wanted: Wanted, known: dict[bytes, bool]) -> Iterator[int]:
    """Where a needle is, with a version behind it that is wanted. `known`: those that were looked at."""
    at = text.find(needle, 0, end)
    while at >= 0:
        behind = at + len(needle)
        if wanted.version is None:
            yield at
        else:
            version = text[behind : text.find(b'"', behind, end)]
            if version not in known:
                known[version] = wanted.version(str(json.loads(b'"' + version + b'"')))
            if known[version]:
                yield at
        at = text.find(needle, behind, end)
