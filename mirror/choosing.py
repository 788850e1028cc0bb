"""Which of what a lock file names a machine needs: files of a project's page by tags, npm packages by platform. Pure,
but for `Target.here`, which looks at this machine."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from mirror.locks import Platform, Wanted

_PROCESSORS = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "i686": "ia32", "i386": "ia32", "armv7l": "arm"}

File = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """The machines that files are for: Python's version and tags (None: all machines, and then the rest does not
    count), and system, processor and C library as npm names them."""

    python: str = ""
    tags: frozenset[Tag] | None = None
    system: str = ""
    processor: str = ""
    library: str = ""

    @classmethod
    def here(cls, python: str = "") -> Target:
        """This machine, with a Python of that version (`3.12`), or its own."""
        known = tuple(int(part) for part in python.split(".")[:2] if part) or sys.version_info[:2]
        tags = frozenset([*cpython_tags(known), *compatible_tags(known, f"cp{known[0]}{known[1]}")])
        processor = platform.machine().lower()
        library = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
        shown = ".".join(map(str, known))
        return cls(shown, tags, sys.platform, _PROCESSORS.get(processor, processor), library)

    def wants(self, wanted: Wanted) -> bool:
        """Whether its marker and its platform are of this target. A marker that cannot be understood is."""
        if self.tags is None:
            return True
        return self._marked(wanted.marker) and (wanted.platform is None or self._built(wanted.platform))

    def _marked(self, marker: str) -> bool:
        if not marker:
            return True
        try:
            return Marker(marker).evaluate({"python_version": self.python, "python_full_version": f"{self.python}.0"})
        except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, RecursionError):
            return True

    def _built(self, one: Platform) -> bool:
        pairs = ((one.systems, self.system), (one.processors, self.processor), (one.libraries, self.library))
        return all(_listed(words, here) for words, here in pairs)


def _listed(words: tuple[str, ...], here: str) -> bool:
    """As npm has it: one of those named, or none of those with `!`."""
    named = [word for word in words if not word.startswith("!")]
    return f"!{here}" not in words and (not named or here in named or "any" in named)


def files(listed: Iterable[File], wanted: Wanted, target: Target) -> tuple[list[File], str]:
    """Of the files of a project's page (PEP 691) those that are wanted, or none and the reason.

    Of one version: the one that the specifier pins, else the newest. Wheels that fit the target, and where there are
    none, what is built from source; for all machines, all.
    """
    try:
        specifier = SpecifierSet(wanted.version)
    except InvalidSpecifier:
        return [], f"{wanted.version} is no version"
    versions: dict[Version, list[File]] = {}
    for file in listed:
        version = version_of(file.get("filename"))
        if version is not None and isinstance(file.get("url"), str):
            versions.setdefault(version, []).append(file)
    pinned = any(each.operator in ("==", "===") and not each.version.endswith(".*") for each in specifier)
    if not pinned:
        usable = {version: [file for file in found if _usable(file, target)] for version, found in versions.items()}
        versions = {version: found for version, found in usable.items() if found}
    fitting = sorted(specifier.filter(versions, prereleases=True if pinned else None))
    if not fitting:
        return [], f"the index has no version that fits {wanted.version or 'at all'}"
    found = [file for file in versions[fitting[-1]] if _hashed(file, wanted.hashes)]
    if not found:
        return [], f"no file of {fitting[-1]} has a hash that the lock file names"
    return _for_target(found, target), ""


def _for_target(found: list[File], target: Target) -> list[File]:
    if target.tags is None:
        return found
    fit = [file for file in found if target.tags & _tags(file["filename"])]
    return fit or [file for file in found if not file["filename"].endswith(".whl")] or found


def _usable(file: File, target: Target) -> bool:
    """For who did not name the version."""
    if file.get("yanked"):
        return False
    needed = file.get("requires-python")
    try:
        return not needed or not target.python or SpecifierSet(needed).contains(target.python)
    except InvalidSpecifier:
        return True


def _hashed(file: File, hashes: frozenset[str]) -> bool:
    known = file.get("hashes")
    listed = {f"{kind}:{digest}" for kind, digest in known.items()} if isinstance(known, dict) else set()
    return not hashes or not listed or bool(hashes & listed)


def version_of(name: object) -> Version | None:
    """The version of a file by its name; None of what is neither a wheel nor a source distribution."""
    try:
        if isinstance(name, str):
            return parse_wheel_filename(name)[1] if name.endswith(".whl") else parse_sdist_filename(name)[1]
    except (InvalidWheelFilename, InvalidSdistFilename):
        pass
    return None


def _tags(name: str) -> frozenset[Tag]:
    return parse_wheel_filename(name)[3] if name.endswith(".whl") else frozenset()
