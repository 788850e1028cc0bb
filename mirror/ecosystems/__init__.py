"""The ecosystems: what a request means to each, as one pure function `plan(mirror, request)`."""

from __future__ import annotations

from collections.abc import Callable

from mirror.ecosystems import apt, http, npm, pypi
from mirror.model import Mirror, Plan, Ready, Request

PLANNERS: dict[str, Callable[[Mirror, Request], Plan | Ready]] = {
    "http": http.plan,
    "pypi": pypi.plan,
    "npm": npm.plan,
    "apt": apt.plan,
}
