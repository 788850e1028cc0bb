"""What a path says of the artifact that is there: its package, version and package URL. Pure.

An artifact is what somebody installs: a distribution file, a tarball, a package file, a download. Indexes, and what
stands beside a file (metadata, signatures, provenance), are none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from packageurl import PackageURL
from packaging.version import InvalidVersion, Version

from mirror.ecosystems import paths
from mirror.ecosystems.simple_links import PROJECT, normalized
from mirror.ecosystems.simple_versions import version_of
from mirror.errors import RequestError
from mirror.masking import masked
from mirror.model import Mirror

_LONGEST = 255  # no file system has longer names
_DIGIT_DASH = re.compile(r"-(?=\d)")
_ARCHIVE = re.compile(r"([a-z0-9][a-z0-9+.-]+)_([^_/]+)_([a-z0-9-]+)\.[ud]?deb")
_SOURCE = re.compile(
    r"([a-z0-9][a-z0-9+.-]+)_([^_/]+?)(?:\.orig(?:-[\w-]+)?|\.debian)?\.(?:dsc|diff\.gz|tar\.(?:gz|xz|bz2|zst|lzma))"
)
_VENDORS = ("debian", "ubuntu")
_ADDRESS = re.compile(r"/(https?)/(.+)")


@dataclass(frozen=True, slots=True)
class Named:
    """An artifact. `package` is its canonical name (PEP 503; npm's with its scope; Debian's; else the file's).
    `version` is as the file's name has it, "" where that says none. `known`: type, namespace and name of its package
    URL, and `qualifier` the one that it has."""

    package: str
    version: str
    file: str
    known: tuple[str, str, str]
    qualifier: tuple[str, str] | None = None

    @property
    def purl(self) -> str:
        """Its package URL. Made when it is asked for: the gate, which asks who it is, needs none."""
        kind, namespace, name = self.known
        qualifiers = dict([self.qualifier]) if self.qualifier else None
        return PackageURL(kind, namespace or None, name, self.version or None, qualifiers).to_string()


def named(mirror: Mirror, path: str) -> Named | None:
    """The artifact at a raw path below the mirror, without secrets; None where there can be none."""
    try:
        return at(mirror, paths.decoded(path))
    except RequestError:
        return None


def at(mirror: Mirror, path: str) -> Named | None:
    """The same of a decoded path."""
    segments = masked(path)[1:].split("/")
    if not segments[-1].strip() or len(segments[-1]) > _LONGEST:
        return None
    return _NAMED[mirror.ecosystem](mirror, segments)


def _pypi(_mirror: Mirror, segments: list[str]) -> Named | None:
    file = segments[-1]
    if segments[0] != "files":
        return None
    for project in _projects(file):
        version = version_of(file, project)
        if version:
            name = normalized(project)
            return Named(name, version, file, ("pypi", "", name))
    return None


def _projects(file: str) -> list[str]:
    """Whose the file may be: a name other than a wheel's is split where a version follows, if there is such a place."""
    if file.endswith(".whl"):
        return [project for project in (file.partition("-")[0],) if PROJECT.fullmatch(project)]
    splits = [file[: found.start()] for found in _DIGIT_DASH.finditer(file)]
    splits = [project for project in splits if PROJECT.fullmatch(project)]
    return sorted(splits, key=lambda project: not _is_version(version_of(file, project)))


def _is_version(text: str | None) -> bool:
    try:
        return bool(Version(text or ""))
    except InvalidVersion:
        return False


def _npm(_mirror: Mirror, segments: list[str]) -> Named | None:
    size = 2 if segments[0].startswith("@") else 1
    if len(segments) != size + 2 or segments[size] != "-" or not segments[0]:
        return None
    file, (*scope, name) = segments[-1], segments[:size]
    if not name.strip():  # no package URL can say that
        return None
    stem = file.removesuffix(".tgz")
    version = stem[len(name) + 1 :] if stem.startswith(f"{name}-") and stem != file else ""
    return Named("/".join(segments[:size]), version, file, ("npm", "".join(scope), name))


def _apt(mirror: Mirror, segments: list[str]) -> Named | None:
    file = segments[-1]
    if found := _ARCHIVE.fullmatch(file):
        package, version, architecture = found.groups()
    elif found := _SOURCE.fullmatch(file):
        (package, version), architecture = found.groups(), "source"
    else:
        return None
    vendor = next((vendor for vendor in _VENDORS if mirror.name.startswith(vendor)), "")  # nothing else says whose
    return Named(package, version, file, ("deb", vendor, package), ("arch", architecture))


def _any(_mirror: Mirror, segments: list[str]) -> Named | None:
    address = _ADDRESS.fullmatch("/" + "/".join(segments))
    if address is None or len(segments) < 3:
        return None
    file = segments[-1]
    return Named(file, "", file, ("generic", "", file), ("download_url", "{}://{}".format(*address.groups())))


def _http(_mirror: Mirror, segments: list[str]) -> Named | None:
    file = segments[-1]
    return Named(file, "", file, ("generic", "", file))


_NAMED: dict[str, Callable[[Mirror, list[str]], Named | None]] = {
    "pypi": _pypi,
    "npm": _npm,
    "apt": _apt,
    "any": _any,
    "http": _http,
}
