"""Advisories as OSV publishes them (the OSV schema, 1.x): which versions are malicious, affected, or a fix.

Read once into one text for each package, because there are hundreds of thousands of them, and taken apart when a
package is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from math import inf
from typing import Any
from zlib import crc32

from mirror.policy.names import canonical
from mirror.policy.versions import SCHEMES, Key

_ECOSYSTEMS = {"PyPI": "pypi", "npm": "npm", "Debian": "apt"}
_EVENTS = ("fixed", "introduced", "last_affected", "limit")  # in the order in which they count at one version
_TOLD = 50  # problems that are worth reading

Entry = tuple[str, str, str]  # ecosystem, package, the text of what becomes an Advisory


@dataclass(frozen=True, slots=True)
class Advisory:
    """What one advisory says of one package.

    `named` are versions as it spells them, `keys` the same as they compare; `ranges` are events, sorted: at which
    version (None: before all), and which. `modified`: seconds since the epoch, -inf where that cannot be read.
    """

    id: str
    malicious: bool
    modified: float
    named: frozenset[str]
    keys: Collection[Key]
    ranges: tuple[tuple[tuple[Key | None, str], ...], ...]

    def affects(self, version: str, key: Key | None) -> bool:
        """Whether that version, with its key if it can be read, is affected (OSV schema, "Evaluation")."""
        if version in self.named:
            return True
        if key is None:  # in no range but one that holds everything
            return any(events == ((None, "introduced"),) for events in self.ranges)
        return key in self.keys or any(_inside(key, events) for events in self.ranges)

    def fixes(self) -> Iterator[Key]:
        """The versions that it names as fixes of what was introduced before."""
        for events in self.ranges:
            for at, (version, kind) in enumerate(events):
                if kind == "fixed" and any(before[1] == "introduced" for before in events[:at]):
                    yield version


def _inside(key: Key, events: tuple[tuple[Key | None, str], ...]) -> bool:
    limits = [version for version, kind in events if kind == "limit"]
    if limits and not any(version is None or key < version for version in limits):
        return False
    affected = False
    for version, kind in events:
        if kind == "introduced" and (version is None or key >= version):
            affected = True
        elif (kind == "fixed" and key >= version) or (kind == "last_affected" and key > version):
            affected = False
    return affected


@dataclass(frozen=True, slots=True)
class Advisories:
    """All that is known, by ecosystem and package. `problems` says what could not be read."""

    index: dict[str, dict[str, str]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    count: int = 0
    problems: tuple[str, ...] = ()

    def digest(self, ecosystem: str) -> str:
        """Changes with all that is known of that ecosystem."""
        return self.digests.get(ecosystem, "")

    def of(self, ecosystem: str, package: str) -> tuple[Advisory, ...]:
        """What is known of a package (its canonical name)."""
        text = self.index.get(ecosystem, {}).get(package)
        return tuple(
            Advisory(
                name,
                malicious,
                modified,
                frozenset(named),
                _keys(named, ecosystem),
                tuple(_sorted(events, ecosystem) for events in ranges),
            )
            for name, malicious, modified, named, ranges in (json.loads(f"[{text}]") if text else ())
        )


def _keys(named: list[str], ecosystem: str) -> Collection[Key]:
    found = [key for key in map(SCHEMES[ecosystem].key, named) if key is not None]
    return found if ecosystem == "apt" else frozenset(found)  # Debian's compare, and have no hash


def _sorted(events: list[list[str]], ecosystem: str) -> tuple[tuple[Key | None, str], ...]:
    key = SCHEMES[ecosystem].key
    known = [(None if _everywhere(version, kind) else key(version), kind) for version, kind in events]
    before = [event for event in known if event[0] is None]
    after = [event for event in known if event[0] is not None]
    return (*before, *sorted(after, key=lambda event: (event[0], _EVENTS.index(event[1]))))


def _everywhere(version: str, kind: str) -> bool:
    return (kind, version) == ("introduced", "0") or (kind == "limit" and "*" in version)


def read(documents: Iterable[bytes]) -> Advisories:
    """The advisories in these JSON documents, each with one of them or a list; of one id the last modified counts.

    What cannot be read is told of in `problems`, and left out; those that were withdrawn are, too.
    """
    # What is kept on the way is text, which the garbage collector has no work with, and nothing is sorted at once: with
    # hundreds of thousands of advisories either stops all threads for a second.
    problems = _Problems()
    latest: dict[str, float] = {}
    entries: dict[str, tuple[str, ...]] = {}
    for number, document in enumerate(documents, 1):
        for advisory in _objects(document, number, problems):
            name, modified = advisory["id"], _instant(advisory.get("modified"))
            if name not in latest or modified >= latest[name]:
                latest[name] = modified
                entries[name] = () if advisory.get("withdrawn") else tuple(chain(*_entries(advisory, problems)))
    index = _index(entries.values())
    known = sum(1 for found in entries.values() if found)
    return Advisories(index, {ecosystem: _digest(of) for ecosystem, of in index.items()}, known, problems.told())


def _index(entries: Iterable[tuple[str, ...]]) -> dict[str, dict[str, str]]:
    """By ecosystem and package: its texts, in order. Few packages have several."""
    index: dict[str, dict[str, str]] = {}
    several: dict[tuple[str, str], list[str]] = {}
    for found in entries:
        for at in range(0, len(found), 3):
            ecosystem, package, text = found[at : at + 3]
            of = index.setdefault(ecosystem, {})
            if package in of:
                several.setdefault((ecosystem, package), [of[package]]).append(text)
            else:
                of[package] = text
    for (ecosystem, package), texts in several.items():
        index[ecosystem][package] = ",".join(sorted(texts))
    return index


def _digest(packages: dict[str, str]) -> str:
    parts: list[list[str]] = [[] for _ in range(256)]
    for package in packages:
        parts[crc32(package.encode(errors="surrogatepass")) % 256].append(package)
    found = hashlib.sha256()
    for package in chain(*map(sorted, parts)):
        found.update(f"{package}\n{packages[package]}\n".encode(errors="surrogatepass"))
    return found.hexdigest()


class _Problems:
    """What is wrong with advisories; of very many, the first ones and how many there are."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._more = 0

    def add(self, text: str) -> None:
        if len(self._texts) < _TOLD:
            self._texts.append(text)
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        return (*self._texts, f"and {self._more} more") if self._more else tuple(self._texts)


def _objects(document: bytes, number: int, problems: _Problems) -> Iterator[dict[str, Any]]:
    try:
        tree = json.loads(document)
    except (ValueError, RecursionError):
        problems.add(f"document {number}: not JSON")
        return
    for advisory in tree if isinstance(tree, list) else [tree]:
        if isinstance(advisory, dict) and isinstance(advisory.get("id"), str) and advisory["id"]:
            yield advisory
        else:
            problems.add(f"document {number}: no advisory (an object with an id)")


def _entries(advisory: dict[str, Any], problems: _Problems) -> Iterator[Entry]:
    name = advisory["id"]
    names = [name, *_strings(advisory.get("aliases"))]
    malicious = any(each.startswith("MAL-") for each in names)
    modified = _instant(advisory.get("modified"))
    affected = advisory.get("affected")
    for each in affected if isinstance(affected, list) else ():
        package = each.get("package") if isinstance(each, dict) else None
        if not isinstance(package, dict) or not isinstance(package.get("name"), str):
            problems.add(f"{name[:80]}: no package that can be read")
            continue
        ecosystem = _ECOSYSTEMS.get(str(package.get("ecosystem")).partition(":")[0])
        if ecosystem is None:
            continue  # of no mirror's
        named = sorted(set(_strings(each.get("versions"))))
        ranges = list(_ranges(each.get("ranges"), ecosystem, name, problems))
        if named or ranges:
            entry = [name, malicious, modified, named, ranges]
            yield ecosystem, canonical(ecosystem, package["name"]), json.dumps(entry, separators=(",", ":"))


def _ranges(tree: object, ecosystem: str, name: str, problems: _Problems) -> Iterator[list[list[str]]]:
    for each in tree if isinstance(tree, list) else ():
        kind = each.get("type") if isinstance(each, dict) else None
        if kind == "GIT":
            continue  # commits, of which no index says anything
        events = list(_events(each.get("events"), ecosystem)) if kind in ("SEMVER", "ECOSYSTEM") else [None]
        if None in events or not events:
            problems.add(f"{name[:80]}: a range that cannot be read")
        else:
            yield [event for event in events if event is not None]


def _events(tree: object, ecosystem: str) -> Iterator[list[str] | None]:
    for event in tree if isinstance(tree, list) else ():
        found = [(kind, event[kind]) for kind in _EVENTS if kind in event] if isinstance(event, dict) else []
        if len(found) != 1 or not isinstance(found[0][1], str):
            yield None
            continue
        ((kind, version),) = found
        readable = _everywhere(version, kind) or SCHEMES[ecosystem].key(version) is not None
        yield [version, kind] if readable else None


def _strings(tree: object) -> list[str]:
    return [each for each in tree if isinstance(each, str)] if isinstance(tree, list) else []


def _instant(text: object) -> float:
    """Seconds since the epoch of an RFC 3339 time; -inf where it is none."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return -inf if found is None else (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return -inf
