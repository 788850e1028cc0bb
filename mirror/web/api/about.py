"""What the routes are told of the server that they are part of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mirror.web.proxy import Names


@dataclass(frozen=True, slots=True)
class About:
    """`started` by the monotonic clock; `workers` processes; `names` are those of now; `ending`: whether it ends, or
    makes room for another, so that no answer may last."""

    started: float
    workers: int
    names: Callable[[], Names]
    ending: Callable[[], bool]
