"""What the clients of each ecosystem ask for, where it decides which of several answers they get."""

from __future__ import annotations

from mirror.ecosystems.packuments import ABBREVIATED, FULL
from mirror.ecosystems.simple_types import ASK
from mirror.model import Headers

_ASKED = {
    "pypi": ASK,
    "npm": f"{ABBREVIATED}; q=1.0, {FULL}; q=0.8, */*",
}


def fields(ecosystem: str) -> Headers:
    """The fields of a request as the ecosystem's usual client makes it (pip, npm, apt; else curl)."""
    asked = _ASKED.get(ecosystem)
    return Headers((("accept", asked), ("accept-encoding", "gzip")) if asked else (("accept", "*/*"),))
