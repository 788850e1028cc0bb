"""What the routes are told of the server that they are part of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mirror.web.proxy import Names


@dataclass(frozen=True, slots=True)
class About:
    """`started` by the monotonic clock; `loaded_at`, when its configuration was read, in POSIX seconds; `workers`
    processes; `ending`: whether it ends, or makes room for another, so that no answer may last."""

    started: float
    loaded_at: float
    workers: int
    names: Names
    ending: Callable[[], bool]
