"""The ecosystems: what a request means to each, as one pure function `plan(mirror, request)`."""

from __future__ import annotations

from collections.abc import Callable

from mirror.ecosystems import any, apt, http, npm, pypi  # noqa: A004 - it is the name of one
from mirror.model import Mirror, Plan, Ready, Request

PLANNERS: dict[str, Callable[[Mirror, Request], Plan | Ready]] = {
    "http": http.plan,
    "any": any.plan,
    "pypi": pypi.plan,
    "npm": npm.plan,
    "apt": apt.plan,
}
