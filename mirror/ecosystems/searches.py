"""What a registry's search, and its list of all packages, tell: less what somebody may not see. Pure.

Both name packages and the newest version of each, and no files. No facts are kept of them: there is a date where the
document itself states one.
"""

from __future__ import annotations

import json
from typing import Any

from mirror.ecosystems.bodies import decoded, json_bytes
from mirror.ecosystems.instants import seconds
from mirror.ecosystems.views import Judge, Seen, View, plain
from mirror.errors import OriginError
from mirror.model import Headers, Rewritten
from mirror.policy.artifact import Artifact, Verdict

_WHOLE = ("malicious", "private", "deny")
"""Rules that may mean a package whatever its version is."""

_OF_THE_PACKAGE = frozenset(
    {"name", "scope", "sanitized_name", "description", "keywords", "links", "author", "maintainers"}
    | {"dist-tags", "versions", "time"}
)
"""What is told of a package whose newest version may not be seen: nothing that belongs to a version."""


def shown(
    body: bytes, headers: Headers, *, housed: bool = False, view: View | None = None, seen: Seen | None = None
) -> Rewritten:
    """Those packages of which somebody may see anything; OriginError where it is no JSON.

    It is a search (`objects`), a list of packages, or an object of packages by name. Left out are packages that `view`
    refuses whatever their version is, those of the house (unless `housed`: its own upstream was asked), and what names
    no package. Of a version that it refuses, nothing is told; not which one is the newest without it either, for that
    stands in the packument alone.
    """
    try:
        tree = json.loads(decoded(body, headers))
    except (ValueError, RecursionError) as exc:
        raise OriginError("the origin's document is not JSON") from exc
    sight = _Sight(view, housed)
    found: Any
    match tree:
        case {"objects": list(objects)}:
            told = ((each, sight.of(each.get("package"))) for each in objects if isinstance(each, dict))
            # `total` stays: it is by that one of the origin that clients ask for the next page.
            found = tree | {"objects": [each | {"package": package} for each, package in told if package is not None]}
        case dict():
            listed = {name: sight.of(each, name) for name, each in tree.items() if isinstance(each, dict)}
            found = {name: listed.get(name, each) for name, each in tree.items()}
            found = {name: each for name, each in found.items() if each is not None}
        case list():
            found = [package for each in tree if (package := sight.of(each)) is not None]
        case _:
            raise OriginError("the origin's document is no list of packages")
    return Rewritten([json_bytes(found)], "application/json", sight.judge.until)


class _Sight:
    """What may be seen of one package after the other."""

    def __init__(self, view: View | None, housed: bool) -> None:
        self.judge = Judge(view)
        self._view = view
        self._housed = housed

    def of(self, package: Any, key: str = "") -> dict[str, Any] | None:
        """What is told of a package, None where nothing is."""
        if not isinstance(package, dict):
            return None
        names = {name for name in (key, plain(package.get("name"))) if name}
        if not names or any(self._hides(name) for name in names):
            return None
        name, newest = plain(package.get("name")) or key, _newest(package)
        refused = {each: why for each in _versions(package) if (why := self._refused(name, each, package))}
        if newest in refused and refused[newest].rule == "allow" and self._asked(Artifact("npm", name)).refused:
            return None
        return _without(package, newest, set(refused)) if refused else package

    def _hides(self, name: str) -> bool:
        """Whether a package of that name is nothing to be seen, whatever its version is."""
        verdict = self._asked(Artifact("npm", name))
        public = verdict.rule == "private" and verdict.allowed and not self._housed  # the house has one of its own
        return public or (verdict.refused and verdict.rule in _WHOLE)

    def _refused(self, name: str, version: str, package: dict[str, Any]) -> Verdict | None:
        artifact = Artifact("npm", name, version, published=_published(package, version), license=_license(package))
        verdict = self._asked(artifact)
        return verdict if verdict.refused else None

    def _asked(self, artifact: Artifact) -> Verdict:
        if self._view is None:
            return Verdict(True, "none")
        verdict = self._view(artifact)
        self.judge.until = min(self.judge.until, verdict.until)
        return verdict


def _newest(package: dict[str, Any]) -> str:
    return plain(package.get("version")) or plain(_named(package, "dist-tags").get("latest"))


def _versions(package: dict[str, Any]) -> dict[str, None]:
    """The versions that are named of a package, in order."""
    tagged = (plain(version) for version in _named(package, "dist-tags").values())
    named = (_newest(package), *tagged, *map(plain, _named(package, "versions")))
    return dict.fromkeys(version for version in named if version)


def _published(package: dict[str, Any], version: str) -> float | None:
    """When that was, or the latest that it may have been: no version was published after the last change."""
    times = _named(package, "time")
    stated = package.get("date") if version == package.get("version") else None
    return next((at for text in (times.get(version), stated, times.get("modified")) if (at := seconds(text))), None)


def _license(package: dict[str, Any]) -> str:
    return plain(package.get("license"))


def _named(package: dict[str, Any], name: str) -> dict[str, Any]:
    value = package.get(name)
    return value if isinstance(value, dict) else {}


def _without(package: dict[str, Any], newest: str, refused: set[str]) -> dict[str, Any]:
    """The package without those versions."""
    found = {name: value for name, value in package.items() if newest not in refused or name in _OF_THE_PACKAGE}
    for name in ("versions", "time"):
        if isinstance(found.get(name), dict):
            found[name] = {each: value for each, value in found[name].items() if each not in refused}
    if isinstance(found.get("dist-tags"), dict):
        tags = found["dist-tags"].items()
        found["dist-tags"] = {tag: version for tag, version in tags if plain(version) not in refused}
    return found
