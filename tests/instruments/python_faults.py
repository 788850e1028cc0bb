"""What can be wrong with an answer of an index or of its file host: the switches of `PythonIndex.fault`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .answers import Response

Change = Callable[[Response, int], Response]


@dataclass(frozen=True, slots=True)
class Fault:
    """`shape` (see shapes.py) befalls the delivery, `change` the answer (given how often the fault struck before)."""

    shape: str = ""
    change: Change = lambda response, _: response


def _closed(response: Response, turn: int) -> Response:
    raise ConnectionResetError("closed before the head")


def _with(*fields: tuple[str, str]) -> Change:
    """The answer with these fields besides, or in the place of those with the same names."""
    names = {name.lower() for name, _ in fields}

    def change(response: Response, turn: int) -> Response:
        kept = [pair for pair in response.headers if pair[0].lower() not in names]
        return replace(response, headers=[*kept, *fields])

    return change


def _instead(response: Response) -> Change:
    return lambda _, turn: response


def _flipped(response: Response, turn: int) -> Response:
    return _with(("ETag", f'"turn-{turn}"'))(response, turn)


def _without_vary(response: Response, turn: int) -> Response:
    return replace(response, headers=[pair for pair in response.headers if pair[0].lower() != "vary"])


def _old(response: Response, turn: int) -> Response:
    return _with(("X-PyPI-Last-Serial", "1"))(response, turn)


LOGIN = b"<!DOCTYPE html><html><title>Log in</title><form>Who are you?</form></html>"

FAULTS = {
    "cut": Fault("cut=50%"),
    "cut soon": Fault("cut=10"),
    "cut without length": Fault("chunked=1&cut=50%"),
    "cut at the end of the connection": Fault("close=1&cut=50%"),
    "closed": Fault(change=_closed),
    "other bytes": Fault("flipbyte=100"),
    "web page": Fault(change=_instead(Response(200, [("Content-Type", "text/html")], LOGIN))),
    "empty": Fault(change=_instead(Response(200, [("Content-Type", "application/octet-stream")]))),
    "429": Fault(change=_instead(Response(429, [("Retry-After", "1")], b"slower"))),
    "500": Fault(change=_instead(Response(500, [("Content-Type", "text/plain")], b"broken"))),
    **{
        str(status): Fault(change=_instead(Response(status, [("Content-Type", "text/plain")], b"not for you")))
        for status in (403, 404, 410, 451)
    },
    "drip": Fault("rate=10000"),
    "held": Fault("hold=50%"),
    "silent": Fault("wait=30"),
    "etag flips": Fault(change=_flipped),
    "304 without vary": Fault(change=_without_vary),
    "old serial": Fault(change=_old),
    "labelled gzip": Fault(change=_with(("Content-Encoding", "gzip"))),
    "private fields": Fault(
        change=_with(
            ("Set-Cookie", "session=secret; Path=/"),
            ("Strict-Transport-Security", "max-age=31536000"),
            ("Alt-Svc", 'h3=":443"'),
            ("NEL", "{}"),
            ("Report-To", "{}"),
        )
    ),
}


def elsewhere(location: str) -> Fault:
    """A redirect to another host."""
    return Fault(change=_instead(Response(302, [("Location", location)])))
