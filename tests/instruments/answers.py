"""What the origin answers: status, fields and which bytes. Pure, and shares no rule with the mirror."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate, parsedate_to_datetime

from mirror.model import Headers, Request

from . import bodies
from .shapes import Shape, after

Fields = tuple[tuple[str, str], ...]
BODILESS = (204, 304)


@dataclass(frozen=True, slots=True)
class Response:
    """What a scripted route answers; 304 where that fits, unless it is not `conditional`."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    conditional: bool = True


@dataclass(frozen=True, slots=True)
class Thing:
    """One version of one object: its bytes (`seed`, or `text`), its size, its ETag ("" for none), its Last-Modified."""

    seed: str
    size: int
    etag: str
    modified: float | None
    text: bytes | None = None

    @property
    def validators(self) -> Fields:
        dated = self.modified is not None
        return (("ETag", self.etag),) * bool(self.etag) + (
            ("Last-Modified", formatdate(self.modified, usegmt=True)),
        ) * dated


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to send: the object's bytes [start, end), `fields` without framing and Date."""

    status: int
    fields: Fields
    thing: Thing
    start: int = 0
    end: int = 0

    def into(self, view: memoryview, offset: int) -> None:
        """Fills `view` with the object's bytes from `offset` on."""
        if self.thing.text is None:
            bodies.into(view, self.thing.seed, offset)
        else:
            view[:] = self.thing.text[offset : offset + len(view)]


def scripted(response: Response, request: Request) -> Answer:
    """The answer of a route: 304 where the request has the ETag or date that the route's fields have; ranges where
    they accept them."""
    fields, known = tuple(response.headers), Headers.of(response.headers)
    dated = known.get("last-modified")
    modified = parsedate_to_datetime(dated).timestamp() if dated else None
    thing = Thing("", len(response.body), known.get("etag") or "", modified, response.body)
    if response.status == 200 and response.conditional and _not_modified(request.headers, thing):
        return Answer(304, tuple(pair for pair in fields if pair[0].lower() != "content-type"), thing)
    if response.status == 200 and known.get("accept-ranges") == "bytes":
        return _ranged(request, Shape(), fields, thing)
    return Answer(response.status, fields, thing, 0, thing.size)


def answer(request: Request, shape: Shape, seed: str, size: int, nth: int, born: float) -> Answer:
    """The answer about the object `seed` to the `nth` request of its address; `born` dates Last-Modified."""
    thing = _thing(shape, seed, size, nth, born)
    ranges = shape.ranges and not shape.infinite and not shape.status
    fields = thing.validators + _named(shape) + (("Accept-Ranges", "bytes"),) * ranges
    if shape.status:
        return Answer(shape.status, fields, thing, 0, 0 if shape.status in BODILESS or shape.location else size)
    if _not_modified(request.headers, thing):
        return Answer(304, fields, thing)
    if ranges:
        return _ranged(request, shape, fields, thing)
    return Answer(200, fields, thing, 0, sys.maxsize if shape.infinite else size)


def _ranged(request: Request, shape: Shape, fields: Fields, thing: Thing) -> Answer:
    """The part that was asked for, or the whole."""
    span = _span(request, thing)
    if span is None:
        return Answer(200, fields, thing, 0, thing.size)
    if span[0] >= span[1]:
        return Answer(416, (*fields, ("Content-Range", f"bytes */{thing.size}")), replace(thing, text=b""))
    return _partial(shape, fields, thing, *span)


def _partial(shape: Shape, fields: Fields, thing: Thing, start: int, end: int) -> Answer:
    if shape.lie206 == "etag":
        other = replace(thing, seed=f"{thing.seed}~lie", etag='"lie"')
        fields = (*other.validators, *fields[len(thing.validators) :])
        return Answer(206, (*fields, ("Content-Range", f"bytes {start}-{end - 1}/{thing.size}")), other, start, end)
    start += bool(shape.lie206)
    return Answer(206, (*fields, ("Content-Range", f"bytes {start}-{end - 1}/{thing.size}")), thing, start, end)


def _thing(shape: Shape, seed: str, size: int, nth: int, born: float) -> Thing:
    version = int(after(shape.version, nth, "0"))
    seed = bodies.versioned(seed, version)
    kind, _, count = shape.etag.partition(":after=")
    if kind not in ("strong", "weak", "none", "flip", "v2"):
        raise ValueError(f"no such etag: {shape.etag}")
    turn = nth if kind == "flip" else int(kind == "v2" and nth > int(count or 0))
    opaque = f'"{hashlib.sha256(f"{seed}/{size}/{turn}".encode()).hexdigest()[:16]}"'
    etag = {"none": "", "weak": f"W/{opaque}"}.get(kind, opaque)
    return Thing(seed, size, etag, None if shape.lm == "none" else int(born) - float(shape.lm) + version)


def _named(shape: Shape) -> Fields:
    named = (
        ("Content-Type", shape.type),
        ("Cache-Control", shape.cc),
        ("Vary", shape.vary),
        ("Age", shape.age),
        ("Location", shape.location),
        ("Content-Encoding", "gzip" if shape.gzip else ""),
    )
    return tuple(pair for pair in named if pair[1]) + shape.header


def _not_modified(headers: Headers, thing: Thing) -> bool:
    """RFC 9110 §13.1.2 (weak comparison, and it goes before the date), §13.1.3."""
    if (known := headers.get("if-none-match")) is not None:
        tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
        return bool(thing.etag) and ("*" in tags or thing.etag.removeprefix("W/") in tags)
    since = _date(headers.get("if-modified-since"))
    return since is not None and thing.modified is not None and int(thing.modified) <= since


def _span(request: Request, thing: Thing) -> tuple[int, int] | None:
    """[start, end) of a single range (RFC 9110 §14.1.2), empty where it cannot be satisfied; None: send the whole."""
    unit, _, wanted = (request.headers.get("range") or "").partition("=")
    first, dash, last = wanted.partition("-")
    readable = dash and (first + last).isdecimal() and "," not in wanted
    if unit != "bytes" or not readable or request.method != "GET" or not _if_range(request.headers, thing):
        return None
    if not first:
        return max(0, thing.size - int(last)), thing.size if int(last) else 0
    if last and int(last) < int(first):
        return None
    return int(first), min(thing.size, int(last) + 1 if last else thing.size)


def _if_range(headers: Headers, thing: Thing) -> bool:
    """RFC 9110 §13.1.5: strong comparison of the ETag, or exactly the same date."""
    if (condition := headers.get("if-range")) is None:
        return True
    if condition.endswith('"'):
        return condition == thing.etag and not condition.startswith("W/")
    return thing.modified is not None and _date(condition) == int(thing.modified)


def _date(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except ValueError:
        return None
