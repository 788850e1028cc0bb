"""What somebody may see of a packument: which versions a view refuses, and what has to change around them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from mirror.ecosystems import dist_tags, instants
from mirror.ecosystems.versions import Packument
from mirror.ecosystems.views import Judge, Seen, View, plain
from mirror.errors import Withheld
from mirror.policy.artifact import Artifact

_NOT_VERSIONS = ("created", "modified")


class Sight:
    """A packument, as one client may see it. `names` has the path of each version's tarball below the mirror."""

    def __init__(
        self,
        packument: Packument,
        package: str,
        names: dict[str, str],
        view: View | None,
        seen: Seen | None,
        dates: Seen | None = None,
    ) -> None:
        self._packument = packument
        self._package = package
        self._names = names
        self._judge = Judge(view)
        self._seen = seen
        self._dates = dates
        self._refusals: dict[str, str | None] = {}  # why, or None

    @property
    def until(self) -> float:
        """The instant (seconds since the epoch) from which on more or less may be seen."""
        return self._judge.until

    @property
    def judge(self) -> Judge:
        """What was asked so far."""
        return self._judge

    def hides(self, version: str) -> bool:
        """Whether the version is left out. The view is asked once."""
        if version not in self._refusals:
            self._refusals[version] = self._judge.refusal(self._artifact(version)) if self._judge else None
        return self._refusals[version] is not None

    def published(self, version: str) -> float | None:
        """When the packument says that the version was published; seconds since the epoch."""
        return instants.seconds(self._packument.times.get(version, (None, 0, 0))[0])

    def hidden(self) -> set[str]:
        """The versions that are left out, in no order. Withheld (403) where those are all: npm prints the reason, and
        would take a 404 for a package that does not exist."""
        found = self._left_out()
        if found and len(found) == len(self._packument.versions):
            latest = self._packument.tag("latest")
            raise self._judge.withheld(self._refusals.get(latest or ""))
        return found

    def _left_out(self) -> set[str]:
        return {version for version in self._packument.versions if self.hides(version)} if self._judge else set()

    def tags(self, hidden: set[str]) -> bytes | None:
        """The dist-tags, where one of them has to move; else None."""
        if not hidden:
            return None
        before = self._packument.all_tags()
        after = self._remapped(before, hidden)
        # What cannot be read as tags cannot be looked through either.
        return None if after == before != {} else json.dumps(after, separators=(",", ":")).encode()

    def tag(self, name: str) -> str | None:
        """The version that a dist-tag of a version that is left out names instead."""
        version = self._remapped(self._packument.all_tags(), self._left_out()).get(name)
        return version if isinstance(version, str) else None

    def withheld(self, version: str) -> Withheld:
        """What a client is told that asks for this version."""
        return self._judge.withheld(self._refusals[version])

    def _remapped(self, tags: dict[str, Any], hidden: set[str]) -> dict[str, object]:
        versions = self._packument.versions.items()
        return dist_tags.remapped(tags, hidden, {name: of.deprecated for name, of in versions if name not in hidden})

    def modified(self, hidden: set[str]) -> bytes | None:
        """The newest publish time of what is left, as it is written there; None where there is none."""
        known = [(when, name) for name in self._packument.versions if (when := self._when(name, hidden)) is not None]
        return json.dumps(self._packument.times[max(known)[1]][0]).encode() if known else None

    def first_seen(self, hidden: set[str]) -> dict[str, bytes]:
        """The versions that have no publish time and may be seen, and when the mirror first saw their tarballs."""
        if self._dates is None:
            return {}
        lacking = [name for name in self._packument.versions if name not in self._packument.times]
        known = {
            name: self._at(name, self._dates) for name in lacking if name not in hidden and name not in _NOT_VERSIONS
        }
        return {name: json.dumps(instants.written(at)).encode() for name, at in known.items() if at is not None}

    def _when(self, version: str, hidden: set[str]) -> float | None:
        return None if version in hidden else self.published(version)

    def _at(self, version: str, seen: Seen | None) -> float | None:
        name = self._names.get(version)
        return seen(name) if seen is not None and name is not None else None

    def _artifact(self, version: str) -> Artifact:
        file = unquote(self._names.get(version, "").rpartition("/")[2])
        licensed = self._packument.versions[version].license
        dates = (self.published(version), self._at(version, self._seen))
        return Artifact("npm", self._package, plain(version), file, *dates, licensed)
