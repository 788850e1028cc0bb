"""Finds records: the bytes are searched for what a line must have in it, and only lines that have it are parsed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

from mirror.audit import folder as places
from mirror.audit.chain import GIVEN, REFUSED
from mirror.audit.wanted import Told, Wanted

CHUNK = 256 << 10
"""Bytes that are searched at a time: few enough to stay in a processor's cache."""

_EVENTS = (GIVEN, REFUSED)
_KEPT = 10_000  # ends of lines whose members are known
_HEAD = re.compile(
    rb'\{"n":[1-9][0-9]{0,17},"prev":"[0-9a-f]{64}","time":"[0-9TZ:.-]*","event":"[a-z]+",'
    rb'"client":"[ !#-\[\]-~]*",(?=")'
)
_FIRST = frozenset(("n", "prev", "time", "event", "client"))


def search(folder: Path, wanted: Wanted, since: str = "", until: str = "~") -> Iterator[Told]:
    """The records that are wanted, from the instant `since` to before `until` (as `chain.stamp` has them), in the order
    in which they were written. What is no line is passed over: `verify` tells of that. OSError where nothing can be
    read."""
    paths = places.files(folder)
    behind = [*paths[1:], None]
    told_of = _reader()
    for path, following in zip(paths, behind, strict=True):
        if since and following is not None and _time(places.first_line(following)) < since:
            continue
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:  # it has got too old in this moment
            for line in _lines(file, wanted):
                told = told_of(line)
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


def _reader() -> Callable[[bytes], Told]:
    """What a line tells. Most lines about one artifact end in the same bytes, behind the client's address: of those
    that are the same the members were parsed before, and what stands in front of them is read without a parser."""
    known: dict[bytes, Told] = {}

    def told_of(line: bytes) -> Told:
        head = _HEAD.match(line)
        if head is None:
            return _told(line)
        rest = line[head.end() :]
        before = known.get(rest)
        if before is None:
            told = _told(line)
            if told and len(known) < _KEPT and _FIRST.isdisjoint(_told(b"{" + rest)):
                known[rest] = told
            return told
        told, parts = before.copy(), head[0].decode().split('"')
        told["n"] = int(parts[2][1:-1])
        told["prev"], told["time"], told["event"], told["client"] = parts[5::4]
        return told

    return told_of


def _lines(file: FileIO, wanted: Wanted) -> Iterator[bytes]:
    """The lines of a file in which a needle is, and the version behind it. It is read and not mapped: what a full disk
    did not take whole is cut off again, and then a map would end the process. All of it is read into one place: to have
    a new one for each chunk costs more than the search."""
    known: dict[bytes, bool] = {}
    text = bytearray(CHUNK)
    filled = 0
    while count := file.readinto(memoryview(text)[filled:]):
        filled += count
        end = text.rfind(b"\n", 0, filled) + 1
        yield from _in(text, end, wanted, known)
        text[: filled - end] = text[end:filled]  # what has begun goes to the front
        filled -= end
        if filled == len(text):  # a line without an end
            text += bytes(len(text))
    yield from _in(text, filled, wanted, known)


def _in(text: bytearray, end: int, wanted: Wanted, known: dict[bytes, bool]) -> Iterator[bytes]:
    """The same, of the whole lines that end there."""
    if not wanted.needles:
        yield from bytes(text[:end]).splitlines()
        return
    found: Iterable[int] = _places(text, end, wanted.needles[0], wanted, known)
    if len(wanted.needles) > 1:
        found = sorted(at for needle in wanted.needles for at in _places(text, end, needle, wanted, known))
    last = -1
    for at in found:
        begin = text.rfind(b"\n", 0, at) + 1
        if begin != last:  # two needles in one line
            stop = text.find(b"\n", at, end)
            yield bytes(text[begin : stop if stop >= 0 else end])
        last = begin


def _places(text: bytearray, end: int, needle: bytes, wanted: Wanted, known: dict[bytes, bool]) -> Iterator[int]:
    """Where a needle is, with a version behind it that is wanted. `known`: those that were looked at."""
    at = text.find(needle, 0, end)
    while at >= 0:
        behind = at + len(needle)
        if wanted.version is None:
            yield at
        else:
            stop = text.find(b'"', behind, end)
            version = bytes(text[behind : stop if stop >= 0 else end])
            if version not in known:
                known[version] = _is(version, wanted.version)
            if known[version]:
                yield at
        at = text.find(needle, behind, end)


def _is(version: bytes, wanted: Callable[[str], bool]) -> bool:
    """Whether that is wanted; what a crash has left of a line is no version, and reaches into the next line."""
    try:
        return wanted(str(json.loads(b'"' + version + b'"')))
    except ValueError:
        return False
