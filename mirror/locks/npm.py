"""package-lock.json and npm-shrinkwrap.json, versions 1 to 3. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mirror.errors import ConfigError
from mirror.locks.wanted import Lock, Platform, Wanted, text, texts

_WEB = ("http://", "https://")
_DEEPEST = 200


def read(written: str) -> Lock:
    """Each package once. Raises ConfigError where it is no package-lock.json."""
    try:
        tree = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"not JSON: {error}"]) from error
    if not isinstance(tree, dict):
        raise ConfigError(["no package-lock.json: not an object"])
    lock, seen = Lock(), set()
    packages = tree.get("packages")
    found = _flat(packages) if isinstance(packages, dict) else _nested(tree.get("dependencies"))
    for name, package in found:
        reason = _elsewhere(package)
        if reason:
            lock.skip(name, reason)
            continue
        wanted = _wanted(name, package)
        if wanted not in seen:
            seen.add(wanted)
            lock.wanted.append(wanted)
    return lock


def _flat(packages: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Versions 2 and 3: by path. What stands in no node_modules is the project itself, or one of its workspaces."""
    for path, package in packages.items():
        if isinstance(package, dict) and "node_modules/" in path:
            # `name` is there where it is not the folder's: an alias.
            yield text(package, "name") or path.rpartition("node_modules/")[2], package


def _nested(dependencies: object, depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Version 1: each with what only it has below it."""
    if not isinstance(dependencies, dict) or depth > _DEEPEST:
        return
    for name, package in dependencies.items():
        if not isinstance(package, dict):
            continue
        version = text(package, "version")
        if version.startswith("npm:"):  # an alias
            true, _, number = version.removeprefix("npm:").rpartition("@")
            yield true or name, package | {"version": number}
        else:
            yield name, package
        yield from _nested(package.get("dependencies"), depth + 1)


def _elsewhere(package: dict[str, Any]) -> str:
    """Why it is not fetched from a registry; "" where it is."""
    if package.get("link"):
        return "a link to a folder of the project"
    if package.get("inBundle") or package.get("bundled"):
        return "bundled: it comes inside another package"
    version, resolved = text(package, "version"), text(package, "resolved")
    for address in (resolved, version):
        kind, colon, _ = address.partition(":")
        if colon and not address.startswith(_WEB):
            return f"from {kind.partition('+')[0]}, not from a registry"
    return "" if version else "no version"


def _wanted(name: str, package: dict[str, Any]) -> Wanted:
    version, resolved = text(package, "version"), text(package, "resolved").partition("#")[0]
    if version.startswith(_WEB):  # version 1 has the address of a tarball there
        return Wanted("", name, url=version.partition("#")[0])
    platform = Platform(texts(package, "os"), texts(package, "cpu"), texts(package, "libc"))
    # Only what is optional may be left out: anything else fails to install on another machine.
    optional = package.get("optional") is True and platform != Platform()
    return Wanted("npm", name, version, url=resolved, platform=platform if optional else None)
