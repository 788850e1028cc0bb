"""pnpm-lock.yaml, versions 5 to 9: the keys of its `packages`, line by line, as pnpm writes them. Pure."""

from __future__ import annotations

import re

from mirror.locks.wanted import Lock, Wanted

_SECTION = re.compile(r"^(\w+):")
_KEY = re.compile(r"^  (?! )(['\"]?)(.+?)\1:\s*$")
_TARBALL = re.compile(r"\btarball:\s*['\"]?(https?://[^\s,'\"}]+)")
# `name@1.0.0`, `/name@1.0.0(peer@2)`, `/name/1.0.0_peer@2` (version 5), each perhaps with `@scope/` in front.
_PACKAGE = re.compile(r"^/?(@[^/@\s]+/[^/@\s]+|[^/@\s]+)[@/](\d[^_()\s]*)(?:[_(].*)?$")


def read(text: str) -> Lock:
    """Each package once; what comes from git, a folder or a file is skipped."""
    lock, section, key, tarball = Lock(), "", "", ""
    for line in text.splitlines():
        if found := _SECTION.match(line):
            _add(lock, key, tarball)
            section, key, tarball = found[1], "", ""
        elif section != "packages":
            continue
        elif found := _KEY.match(line):
            _add(lock, key, tarball)
            key, tarball = found[2], ""
        elif found := _TARBALL.search(line):
            tarball = found[1]
    _add(lock, key, tarball)
    return lock


def _add(lock: Lock, key: str, tarball: str) -> None:
    if not key:
        return
    if found := _PACKAGE.match(key):
        wanted = Wanted("npm", found[1], found[2], url=tarball)
        if wanted not in lock.wanted[-1:]:
            lock.wanted.append(wanted)
    elif tarball:
        lock.wanted.append(Wanted("", key, url=tarball))
    else:
        lock.skip(key, "not from a registry")
