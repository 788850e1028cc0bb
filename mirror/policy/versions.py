"""Versions and ranges of them, as each ecosystem orders them, by its own library.

A version that the library cannot read has no key: no range holds it. The larger libraries are imported when they are
asked for the first time: every command reads a configuration, and few have ranges of those ecosystems in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any, Protocol

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from mirror.errors import ConfigError

Key = Any
"""What versions of one ecosystem are compared by: has all comparisons with others of it."""

_LONGEST = 256  # characters; what is longer is no version (npm's limit), and would cost the libraries time


class Range(Protocol):
    """Versions between others. `exact` is the only version that it holds, None where there are several."""

    @property
    def exact(self) -> Key | None: ...

    def holds(self, key: Key, *, wide: bool) -> bool:
        """Whether the version is in it. `wide` takes in the pre-releases that lie in it; otherwise they count as for
        the ecosystem's own clients: where the range names one."""
        ...


@dataclass(frozen=True, slots=True)
class Scheme:
    """How an ecosystem reads versions (`key`: None where it cannot) and ranges (`read`: raises ValueError)."""

    key: Callable[[str], Key | None]
    read: Callable[[str], Range]
    example: str

    def range(self, text: str) -> Range:
        """The range that a person has written. Raises ConfigError."""
        wrong = ConfigError([f'"{text[:80]}" is not a range of versions (write {self.example})'])
        if len(text) > _LONGEST or not text.isascii() or not text.strip():
            raise wrong
        try:
            return self.read(text.strip())
        except ValueError as exc:
            raise wrong from exc


# PEP 440, by packaging.


def _pypi_key(version: str) -> Key | None:
    if len(version) > _LONGEST or not version.isascii():
        return None
    try:
        return Version(version)
    except InvalidVersion:
        return None


@dataclass(frozen=True, slots=True)
class _Specifiers:
    several: SpecifierSet
    named: bool  # a pre-release is
    exact: Key | None

    def holds(self, key: Key, *, wide: bool) -> bool:
        return self.several.contains(key, prereleases=wide or self.named)


def _pypi_range(text: str) -> Range:
    alone = _pypi_key(text)
    try:
        several = SpecifierSet(f"=={text}" if alone else text)
    except InvalidSpecifier as exc:
        raise ValueError(text) from exc
    only = next(iter(several)) if len(several) == 1 else None
    exact = _pypi_key(only.version) if only and only.operator in ("==", "===") else None
    return _Specifiers(several, bool(several.prereleases), exact)


# Semantic versions as npm reads them, by node-semver's port.

_RELEASE = ((2, 0, ""),)  # behind every pre-release (semver.org §11)
_PLAIN = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)


def _npm_key(version: str) -> Key | None:
    if len(version) > _LONGEST or not version.isascii():
        return None
    if plain := _PLAIN.fullmatch(version):  # as most are; the library takes ten times as long
        return (int(plain[1]), int(plain[2]), int(plain[3]), _RELEASE)
    import nodesemver

    try:
        return _npm_order(nodesemver.make_semver(version, False))
    except ValueError:
        return None


def _npm_order(known: Any) -> Key:
    pre = tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in known.prerelease)
    return (known.major, known.minor, known.patch, pre or _RELEASE)


_COMPARE: dict[str, Callable[[Key, Key], bool]] = {
    "": lambda one, other: one == other,
    "=": lambda one, other: one == other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


@dataclass(frozen=True, slots=True)
class _Comparators:
    """Alternatives, each of them comparators that all have to hold; none: any version."""

    alternatives: tuple[tuple[tuple[str, Key], ...], ...]

    @property
    def exact(self) -> Key | None:
        if len(self.alternatives) != 1 or len(self.alternatives[0]) != 1:
            return None
        ((operator, version),) = self.alternatives[0]
        return version if operator in ("", "=") else None

    def holds(self, key: Key, *, wide: bool) -> bool:
        return any(self._all(each, key, wide) for each in self.alternatives)

    @staticmethod
    def _all(comparators: tuple[tuple[str, Key], ...], key: Key, wide: bool) -> bool:
        for operator, version in comparators:
            if not _COMPARE[operator](key, version):
                # `>=2.0.0` takes in 2.0.0-rc.1 in the wide sense: npm itself reads 2.x as >=2.0.0-0 then.
                ahead = wide and operator == ">=" and version[3] == _RELEASE and key[:3] == version[:3]
                if not ahead:
                    return False
        if wide or key[3] == _RELEASE:
            return True
        # A pre-release counts where one of the same version is named.
        return any(version[3] != _RELEASE and version[:3] == key[:3] for _, version in comparators)


def _npm_range(text: str) -> Range:
    import nodesemver

    def pairs(comparators: list[Any]) -> tuple[tuple[str, Key], ...]:
        known = ((each.operator, _npm_order(each.semver)) for each in comparators if each.semver is not nodesemver.ANY)
        return tuple(each for each in known if each != (">=", (0, 0, 0, _RELEASE)))  # any version, for npm

    several = tuple(pairs(alternative) for alternative in nodesemver.make_range(text, False).set)
    return _Comparators(((),) if () in several else several)  # with a `*` in it npm takes it for `*` alone


# Debian's (deb-version(7)), by univers.

_RELATION = re.compile(r"\s*(<<|<=|=|>=|>>)?\s*([^\s<>=,]+)\s*")


def _apt_key(version: str) -> Key | None:
    if len(version) > _LONGEST or not version.isascii():
        return None
    from univers import debian

    library: Any = debian  # it has no types
    try:
        return cmp_to_key(library.compare_versions)(library.coerce_version(version))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Relations:
    relations: tuple[tuple[str, Key], ...]

    @property
    def exact(self) -> Key | None:
        operator, version = self.relations[0]
        return version if len(self.relations) == 1 and operator == "=" else None

    def holds(self, key: Key, *, wide: bool) -> bool:
        return all(_COMPARE[operator](key, version) for operator, version in self.relations)


def _apt_range(text: str) -> Range:
    found = []
    for part in text.split(","):
        match = _RELATION.fullmatch(part)
        version = _apt_key(match[2]) if match else None
        if match is None or version is None:
            raise ValueError(text)
        found.append(({"<<": "<", ">>": ">", None: "="}.get(match[1], match[1]), version))
    return _Relations(tuple(found))


SCHEMES = {
    "pypi": Scheme(_pypi_key, _pypi_range, '"<1.17", "==1.16.*" or "1.17.0": PEP 440'),
    "npm": Scheme(_npm_key, _npm_range, '"<1.2.3", "^4.0.0 || ^5.0.0" or "1.2.3": as npm does'),
    "apt": Scheme(_apt_key, _apt_range, '"<< 1.2-3", ">= 1.0, << 2.0" or "1.2-3": as dpkg does'),
}
