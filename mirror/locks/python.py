"""uv.lock, poetry.lock, pdm.lock and pylock.toml (PEP 751). Pure."""

from __future__ import annotations

import tomllib
from typing import Any

from mirror.errors import ConfigError
from mirror.locks.wanted import Lock, Wanted, tables, text, texts

_ELSEWHERE = ("git", "vcs", "directory", "editable", "virtual", "path", "file", "archive", "hg", "bzr", "svn")


def read(written: str) -> Lock:
    """Each package with its version and the hashes of its files. Raises ConfigError where it is not TOML."""
    try:
        tree = tomllib.loads(written)
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"not TOML: {error}"]) from error
    lock = Lock()
    for key in ("package", "packages"):  # `packages` in pylock.toml
        for package in tables(tree, key):
            _package(lock, package, tree)
    return lock


def _package(lock: Lock, package: dict[str, Any], tree: dict[str, Any]) -> None:
    name, version = text(package, "name"), text(package, "version")
    if reason := _elsewhere(package):
        address = _address(package)
        if address:
            lock.wanted.append(Wanted("", name, url=address))
        else:
            lock.skip(name or "a package without name", reason)
    elif not name or not version:
        lock.skip(name or "a package without name", "no version")
    else:
        hashes = frozenset(filter(None, map(_hash, _files(package, tree))))
        lock.wanted.append(Wanted("pypi", name, f"=={version}", hashes=hashes, marker=_marker(package)))


def _marker(package: dict[str, Any]) -> str:
    """`marker` in pylock.toml, `markers` in poetry.lock; uv.lock has them at the edges: all of it is wanted."""
    return text(package, "marker") or text(package, "markers")


def _elsewhere(package: dict[str, Any]) -> str:
    """Why it does not come from an index; "" where it does."""
    source = package.get("source")
    if isinstance(source, dict):
        kind = text(source, "type") or next((key for key in (*_ELSEWHERE, "url") if key in source), "registry")
        return f"from {kind}, not from an index" if kind in (*_ELSEWHERE, "url") else ""
    found = next((key for key in _ELSEWHERE if key in package), "")
    return f"from {found}, not from an index" if found else ""


def _address(package: dict[str, Any]) -> str:
    """Of one file that stands somewhere on the web."""
    source = package.get("source") or package.get("archive")
    url = text(source, "url").partition("#")[0]
    single = text(source, "type") in ("", "url")
    return url if single and url.startswith(("http://", "https://")) else ""


def _files(package: dict[str, Any], tree: dict[str, Any]) -> list[dict[str, Any]]:
    """Of a package; Poetry before 1.5 had them in a table at the end."""
    found = [each for key in ("wheels", "files") for each in tables(package, key)]
    sdist = package.get("sdist")
    found += [sdist] if isinstance(sdist, dict) else []
    metadata = tree.get("metadata")
    before = metadata.get("files") if isinstance(metadata, dict) else None
    return found or list(tables(before, text(package, "name")))


def _hash(file: dict[str, Any]) -> str:
    hashes = file.get("hashes")
    if isinstance(hashes, dict) and isinstance(hashes.get("sha256"), str):
        return f"sha256:{hashes['sha256']}"
    return next((each for each in texts(file, "hash") if each.startswith("sha256:")), "")
