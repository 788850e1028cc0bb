"""Byte ranges: which part of an answer a request asks for, and the framing of several (RFC 9110 §14, §13.1.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from mirror.httpcache.fields import entity_tag, parse_date, same_strongly, split_list
from mirror.model import Headers, Request

MAX_FIELD = 4096  # characters of a Range field that are worth reading
MAX_SPECS = 100  # ranges in one request; more is abuse
MAX_PARTS = 8  # parts in one multipart answer
_FAR = 10**18  # no body has so many bytes


@dataclass(frozen=True, slots=True)
class Whole:
    """Send everything, as a 200."""


@dataclass(frozen=True, slots=True)
class Part:
    """Send the bytes [start, end) as a 206."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Send these [start, end), at least two that do not overlap, as a 206 of multipart/byteranges."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """Answer 416 with `unsatisfied(size)`."""


Selection: TypeAlias = Whole | Part | Parts | Unsatisfiable
_Spec: TypeAlias = tuple[
    int | None, int | None
]  # first and last byte; (None, n): the last n bytes; (n, None): from n on

_UNIT = re.compile(r"bytes=", re.ASCII | re.IGNORECASE)
_SPEC = re.compile(r"([0-9]*)-([0-9]*)", re.ASCII)


def select(request: Request, headers: Headers, size: int | None) -> Selection:
    """What a request wants of a 200 with these fields and `size` bytes. Without a size (not yet known) it is `Whole`.

    Malformed ranges, other units and too many are ignored, as is the field where If-Range does not hold (§13.1.5).
    Ranges that overlap are merged; up to eight are then `Parts` in the order asked for (§15.3.7.2), more are `Whole`.
    """
    specs = _specs(request)
    if not specs or size is None or not _if_range(request, headers):
        return Whole()
    found = [part for spec in specs if (part := _resolve(spec, size)) is not None]
    if not found:
        # §14.1.2: the last bytes of nothing are satisfiable, but no Content-Range can say so.
        return Whole() if size == 0 and any(first is None and last for first, last in specs) else Unsatisfiable()
    parts = _merged(found)
    if len(parts) == 1:
        return Part(*parts[0])
    return Parts(parts) if len(parts) <= MAX_PARTS else Whole()


def wanted(request: Request) -> tuple[int, int | None] | None:
    """The one range [start, end) that a request asks of an object whose size nobody knows yet; end None: to its end.

    (-n, None) are the last n bytes. None for several ranges, or no usable Range. If-Range is for `select`, once there
    is a head.
    """
    specs = _specs(request)
    first, last = specs[0] if len(specs) == 1 else (None, None)
    if first is None:
        return (-last, None) if last else None
    return first, None if last is None else last + 1


def _specs(request: Request) -> list[_Spec]:
    """The ranges asked for, as they stand in the field; none where it is absent, malformed, or not to be honoured."""
    text = request.headers.get("range")
    if text is None or request.method != "GET" or len(text) > MAX_FIELD or not _UNIT.match(text):
        return []
    members = split_list(text[len("bytes=") :])
    specs = [spec for member in members if (spec := _spec(member)) is not None]
    return specs if len(specs) == len(members) <= MAX_SPECS else []


def _spec(text: str) -> _Spec | None:
    match = _SPEC.fullmatch(text)
    if match is None or text == "-":
        return None
    # MAX_FIELD keeps the digits few enough for int().
    first, last = (min(int(digits), _FAR) if digits else None for digits in match.groups())
    return None if first is not None and last is not None and last < first else (first, last)


def _resolve(spec: _Spec, size: int) -> tuple[int, int] | None:
    """[start, end) within `size` bytes, or None where there is no such byte (§14.1.2)."""
    first, last = spec
    if first is None:
        start, end = max(0, size - (last or 0)), size
    else:
        start, end = first, size if last is None else min(last + 1, size)
    return (start, end) if start < end else None


def _merged(parts: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The parts as they are where none overlap; else in ascending order, those that do as one."""
    ascending = sorted(parts)
    if all(left[1] <= right[0] for left, right in pairwise(ascending)):
        return tuple(parts)
    merged = ascending[:1]
    for start, end in ascending[1:]:
        if start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _if_range(request: Request, headers: Headers) -> bool:
    """True where there is no If-Range, or it names what is stored: strong ETag or the exact date (RFC 9110 §13.1.5)."""
    condition = request.headers.get("if-range")
    if condition is None:
        return True
    if entity_tag(condition):
        return same_strongly(condition, headers.get("etag") or "")
    modified = parse_date(condition, 0.0)
    if modified is None or condition != headers.get("last-modified"):
        return False
    # §8.8.2.2: made in the second of its last change, it may have changed again within that second.
    dated = parse_date(headers.get("date"), 0.0)
    return dated is None or dated > modified


def content_range(start: int, end: int, size: int) -> str:
    """The Content-Range of the bytes [start, end) (RFC 9110 §14.4)."""
    return f"bytes {start}-{end - 1}/{size}"


def unsatisfied(size: int) -> str:
    """The Content-Range of a 416."""
    return f"bytes */{size}"


def multipart(
    parts: tuple[tuple[int, int], ...], size: int, content_type: str, boundary: str
) -> tuple[list[bytes], bytes, int]:
    """The framing of multipart/byteranges (RFC 9110 §14.6): what stands before each part, after the last; total length.

    The length counts the framing and the parts' bytes. `content_type` "" leaves the parts without one.
    """
    typed = f"Content-Type: {content_type}\r\n" if content_type else ""
    framing: list[bytes] = []
    for start, end in parts:
        opening = f"\r\n--{boundary}\r\n" if framing else f"--{boundary}\r\n"
        prefix = f"{opening}{typed}Content-Range: {content_range(start, end, size)}\r\n\r\n"
        framing.append(prefix.encode("latin-1", "replace"))
    trailer = f"\r\n--{boundary}--\r\n".encode("latin-1", "replace")
    return framing, trailer, sum(map(len, framing)) + sum(end - start for start, end in parts) + len(trailer)
