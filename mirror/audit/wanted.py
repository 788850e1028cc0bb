"""What of the record is asked for: artifacts by package URL or name, records by client. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packageurl import PackageURL

from mirror.ecosystems.simple_links import normalized
from mirror.ecosystems.simple_versions import canonical
from mirror.errors import ConfigError

_ECOSYSTEMS = {"pypi": ("pypi",), "npm": ("npm",), "deb": ("apt",), "generic": ("any", "http")}

Told = dict[str, Any]
"""The members of a line."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`needles`: a line that is wanted has one of these bytes in it; none: any line. `holds`: whether one that has is
    wanted. `version`: whether that is, which stands behind each needle then."""

    needles: tuple[bytes, ...]
    holds: Callable[[Told], bool] = lambda _told: True
    version: Callable[[str], bool] | None = None


EVERYTHING = Wanted(())


def wanted(asked: str) -> Wanted:
    """What `mirror audit who` is asked for: a package URL, or a package's name, with `@VERSION` or without. ConfigError
    where it is a package URL that cannot be read, or of a kind that no mirror has."""
    if asked.startswith("pkg:"):
        return _of_purl(asked)
    name, at, version = asked[1:].rpartition("@")  # a scope begins with one, too
    name = asked[0] + name if at else asked
    return Wanted(_packages(name, normalized(name)), version=_same(version) if at else None)


def by_client(client: str) -> Wanted:
    """All records of a client: its address, or the name of its token."""
    return Wanted((_member("client", client), _member("token", client)))


def _of_purl(asked: str) -> Wanted:
    try:
        purl = PackageURL.from_string(asked)
    except ValueError as exc:
        raise ConfigError([f"{asked!r} is no package URL: {exc}"]) from exc
    ecosystems = _ECOSYSTEMS.get(purl.type)
    if ecosystems is None:
        raise ConfigError([f"{asked!r}: packages of type {purl.type!r} are on no mirror; {', '.join(_ECOSYSTEMS)} are"])
    name = normalized(purl.name) if purl.type == "pypi" else purl.name
    if purl.type == "npm" and purl.namespace:
        name = f"{purl.namespace}/{purl.name}"
    qualifiers = purl.qualifiers if isinstance(purl.qualifiers, dict) else {}

    def holds(told: Told) -> bool:
        if told.get("ecosystem") not in ecosystems:
            return False
        return not qualifiers or qualifiers.items() <= _qualifiers(str(told.get("purl"))).items()

    return Wanted(_packages(name), holds, _same(purl.version) if purl.version else None)


def _qualifiers(purl: str) -> dict[str, str]:
    try:
        found = PackageURL.from_string(purl).qualifiers
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _packages(*names: str) -> tuple[bytes, ...]:
    """What a line about a package of one of these names has in it, up to the version."""
    return tuple(dict.fromkeys(_member("package", name) + b',"version":"' for name in names))


def _member(name: str, value: str) -> bytes:
    """A member as it stands in a line: within a text it cannot stand, where quotation marks are escaped."""
    return f'"{name}":{json.dumps(value)}'.encode()


def _same(version: str) -> Callable[[str], bool]:
    """Whether a version is that one, in any spelling that PEP 440 holds for equal."""
    wanted = canonical(version)
    return lambda found: found == version or canonical(found) == wanted
