"""What can be wrong about a registry's answers, by name: a shape of the delivery, or a change of the answer. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

from mirror.model import Request

from .answers import Response

_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in to this network.</body></html>\n"
_TURNS = itertools.count()


@dataclass(frozen=True, slots=True)
class Fault:
    """`shape` as in shapes.py; `change` makes another answer of the right one."""

    shape: str = ""
    change: Callable[[Response], Response] = lambda response: response


def instead(status: int, body: bytes, *fields: tuple[str, str]) -> Callable[[Response], Response]:
    return lambda _: Response(status, fields, body)


def labelled(name: str, value: str) -> Callable[[Response], Response]:
    """The same answer with one more field, in place of those of that name."""

    def change(response: Response) -> Response:
        kept = [pair for pair in response.headers if pair[0].lower() != name.lower()]
        return replace(response, headers=[*kept, (name, value)])

    return change


def _closed(_: Response) -> Response:
    raise ConnectionError("closed before the head")


def _flipped(response: Response) -> Response:
    return labelled("ETag", f'"turn-{next(_TURNS)}"')(response)


def redirected(target: str) -> Fault:
    """302 to `target`, a whole URL."""
    return Fault(change=instead(302, b"", ("Location", target)))


FAULTS = {
    "cut": Fault("cut=40%"),
    "cut within chunks": Fault("chunked=1&cut=40%"),
    "cut without any length": Fault("close=1&cut=40%"),
    "reset": Fault("reset=40%"),
    "closed before the head": Fault(change=_closed),
    "wrong digest": Fault("flipbyte=1000"),
    "html 200": Fault(change=instead(200, _PAGE, ("Content-Type", "text/html"))),
    "html 200, said to be right": Fault(change=lambda response: replace(response, body=_PAGE)),
    "empty 200": Fault(change=lambda response: replace(response, body=b"")),
    "429": Fault(change=instead(429, b"slow down", ("Retry-After", "1"), ("Content-Type", "text/plain"))),
    "500": Fault(change=instead(500, b"oh", ("Content-Type", "text/plain"))),
    "gone": Fault(change=instead(404, b'{"error":"Not found"}', ("Content-Type", "application/json"))),
    "silence": Fault("wait=60"),
    "slow drip": Fault("rate=40000"),
    "gzip label": Fault(change=labelled("Content-Encoding", "gzip")),
    "etag flips": Fault(change=_flipped),
}

Respond = Callable[[Request], Response]
