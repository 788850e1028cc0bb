"""What one answer of the origin looks like, and which fault it has: the query of an object's address. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

Step = tuple[
    int, str
]  # (object offset that is reached, what happens there: hold, cut, reset, stall, once: cut the first time)


@dataclass(frozen=True, slots=True)
class Shape:
    """The options. A point is a number of body bytes of this response (`5000`) or a share of them (`50%`).

    Validators: `etag=strong|weak|none|flip` (flip: another at each request), `etag=v2:after=N` (another after N
    requests), `lm=SECONDS_AGO|none`.
    Bytes: `version=K`, `version=K:after=N`, `flipbyte=OFFSET` (that one byte is wrong).
    Fields: `type=`, `cc=`, `vary=`, `age=`, `header=Name:Value` (repeatable), `gzip=1` (a label only), `length=N` (a
    wrong Content-Length), `status=`, `location=`.
    Framing: `chunked=1`, `close=1` (ends with the connection), `noterm=1` (chunked without the last chunk), `extra=N`
    (N bytes after the end), `infinite=1` (chunked, or with `close=1` not, without end).
    Ranges: `ranges=0` (ignored), `lie206=1` (begins one byte late, and says so), `lie206=etag` (of another version).
    Faults: `drop=1` (FIN before the head), `cut=POINT` (FIN), `cuts=20,50` (FIN at these percents of the object, each
    once), `reset=POINT` (RST), `stall=POINT` (silent until the client leaves), `hold=POINT` (silent until
    `origin.release`), `wait=SECONDS` before the head, `rate=` (bytes per second), `trickle=` (bytes per second, one by
    one).
    `times=K`: the faults (and `status`, `lie206`, `flipbyte`, `length`, `noterm`, `extra`) befall the first K requests
    of this address only. `x=ANY` means nothing: it makes an address of its own.
    """

    etag: str = "strong"
    lm: str = "2592000"
    version: str = "0"
    flipbyte: int = -1
    type: str = "application/octet-stream"
    cc: str = ""
    vary: str = ""
    age: str = ""
    header: tuple[tuple[str, str], ...] = ()
    gzip: bool = False
    length: int = -1
    status: int = 0
    location: str = ""
    chunked: bool = False
    close: bool = False
    noterm: bool = False
    extra: int = 0
    infinite: bool = False
    ranges: bool = True
    lie206: str = ""
    drop: bool = False
    cut: str = ""
    cuts: tuple[int, ...] = ()
    reset: str = ""
    stall: str = ""
    hold: str = ""
    wait: float = 0.0
    rate: float = 0.0
    trickle: float = 0.0
    times: int = -1
    x: str = field(default="", compare=False)

    def at_request(self, nth: int) -> Shape:
        """The shape for the `nth` request (from 1) of its address: without its faults after `times` requests."""
        if self.times < 0 or nth <= self.times:
            return self
        calm = Shape()
        return replace(self, **{name: getattr(calm, name) for name in _FAULTS})

    def steps(self, start: int, end: int, size: int) -> list[Step]:
        """What happens while an object's bytes [start, end) are sent, in order."""
        named = ((name, getattr(self, name)) for name in ("hold", "cut", "reset", "stall"))
        found = [(start + _point(point, end - start), name) for name, point in named if point]
        found += [(point, "once") for percent in self.cuts if (point := size * percent // 100) > start]
        return sorted((step for step in found if step[0] <= end), key=lambda step: step[0])


_FAULTS = (
    *("drop", "cut", "cuts", "reset", "stall", "hold", "wait", "rate", "trickle"),
    *("status", "location", "lie206", "flipbyte", "length", "noterm", "extra"),
)


def parse(query: str) -> Shape:
    """The shape that a query string asks for; ValueError for an option that there is not."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _READ:
            raise ValueError(f"no such option: {name}")
        found[name] = found.get(name, ()) + _header(value) if name == "header" else _READ[name](value)
    return Shape(**found)


def after(option: str, nth: int, otherwise: str) -> str:
    """`VALUE:after=N` is VALUE from the request after the Nth on, `otherwise` before; a plain VALUE holds always."""
    value, _, count = option.partition(":after=")
    return value if nth > int(count or 0) else otherwise


def _point(point: str, length: int) -> int:
    return length * int(point[:-1]) // 100 if point.endswith("%") else int(point)


def _header(value: str) -> tuple[tuple[str, str], ...]:
    name, _, content = value.partition(":")
    return ((name, content.strip()),)


def _flag(value: str) -> bool:
    return value not in ("", "0")


def _percents(value: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in value.split(",")))


_READ: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("etag", "lm", "version", "type", "cc", "vary", "age", "location", "lie206", "x"), str),
    **dict.fromkeys(("cut", "reset", "stall", "hold"), str),
    **dict.fromkeys(("flipbyte", "length", "status", "extra", "times"), int),
    **dict.fromkeys(("wait", "rate", "trickle"), float),
    **dict.fromkeys(("gzip", "drop", "chunked", "close", "noterm", "infinite", "ranges"), _flag),
    "cuts": _percents,
    "header": _header,
}
