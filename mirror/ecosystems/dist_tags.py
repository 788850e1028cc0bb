"""npm's dist-tags where the versions that they name may not be seen: where they point to instead, by npm's own rule."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

# Digits within what a client's parser takes (2^53 has sixteen).
_VERSION = re.compile(
    r"[v=\s]*([0-9]{1,16})\.([0-9]{1,16})\.([0-9]{1,16})(?:-([0-9A-Za-z.-]{1,200}))?(?:\+[0-9A-Za-z.-]*)?\s*"
)
_WORD = re.compile(r"[A-Za-z]*")

_Part = tuple[int, int, str]


class Precedence(NamedTuple):
    """A version's place in the order of Semantic Versioning 2.0.0 §11; `line` is what its prereleases are called
    (`beta`), "" for a release."""

    release: tuple[int, int, int]
    final: bool
    parts: tuple[_Part, ...]
    line: str

    @property
    def rank(self) -> tuple[tuple[int, int, int], bool, tuple[_Part, ...]]:
        """What is compared."""
        return self.release, self.final, self.parts


def precedence(version: str) -> Precedence | None:
    """Where a version stands, None where it is none that npm can order."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    before = match[4] or ""
    parts = tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in before.split(".") if before)
    line = _WORD.match(before)
    return Precedence((int(match[1]), int(match[2]), int(match[3])), not before, parts, line[0] if line else "")


def remapped(tags: Mapping[str, object], hidden: Collection[str], visible: Mapping[str, bool]) -> dict[str, object]:
    """The tags, those that name a `hidden` version moved, or left out where there is nothing to move them to.

    `visible` has the other versions, and whether each is deprecated. A tag moves to the highest one that is not above
    the one it named: `latest` to a release; another to a release where it named one, else to a prerelease of the same
    line; a deprecated version where all are (npm-pick-manifest does so for `before`).
    """
    moving = any(isinstance(version, str) and version in hidden for version in tags.values())
    known = [(name, place) for name in visible if (place := precedence(name))] if moving else []
    found: dict[str, object] = {}
    for tag, version in tags.items():
        if not isinstance(version, str) or version not in hidden:
            found[tag] = version
        elif (other := _stand_in(tag, version, known, visible)) is not None:
            found[tag] = other
    return found


def _stand_in(
    tag: str, version: str, known: Iterable[tuple[str, Precedence]], visible: Mapping[str, bool]
) -> str | None:
    named = precedence(version)
    if named is None:
        return None
    below = [(not visible[name], place.rank, name, place) for name, place in known if place.rank <= named.rank]
    finals = [one for one in below if one[3].final]
    same = [one for one in below if one[3].line == named.line and not one[3].final]
    fits = finals if named.final else (finals or same) if tag == "latest" else same
    return max(fits)[2] if fits else None
