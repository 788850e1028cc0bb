"""Package URLs: which addresses of a mirror are a package's documents and files, or one version's files. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from packageurl import PackageURL

from mirror.ecosystems.simple_links import PROJECT, normalized
from mirror.ecosystems.simple_versions import canonical, version_of
from mirror.errors import RequestError
from mirror.model import Mirror

_BESIDE = re.compile(r"\.(?:metadata|asc|sig)$")  # what stands beside a Python file, under its name
_OF_ARCHIVE = (".deb", ".udeb", ".ddeb")
_SOURCE = re.compile(
    r"\.(?:dsc|asc|(?:orig(?:-[\w-]+)?\.|debian\.|diff\.)?(?:tar\.)?(?:gz|xz|bz2|zst|lzma)(?:\.asc)?)$"
)


@dataclass(frozen=True, slots=True)
class Part:
    """Addresses of one mirror: those that begin with `prefix` and for which `holds`; `whole`: the one that it is."""

    prefix: str
    holds: Callable[[str], bool] = lambda _address: True
    whole: bool = False


def parts(purl: str, mirrors: tuple[Mirror, ...]) -> list[Part]:
    """Where a package is on each mirror of its ecosystem; RequestError where the purl means nothing here.

    Without a version: its documents and files. With one: the files of that version, and what stands beside them. Of
    the qualifiers `arch` counts for Debian packages; the others, the namespace of a Debian package and a subpath say
    nothing about a mirror.
    """
    try:
        known = PackageURL.from_string(purl)
    except ValueError as exc:
        raise RequestError(f"{purl!r} is no package URL: {exc}") from exc
    made = _TYPES.get(known.type)
    if made is None:
        raise RequestError(f"{purl!r}: packages of type {known.type!r} are on no mirror; {', '.join(_TYPES)} are")
    ecosystem, of = made
    return [part for mirror in mirrors if mirror.ecosystem == ecosystem for part in of(f"/{mirror.name}/", known)]


def _pypi(mount: str, purl: PackageURL) -> Iterator[Part]:
    if purl.namespace or not PROJECT.fullmatch(purl.name):
        raise RequestError(f"{str(purl)!r}: this is no name that a Python project can have")
    name, version = normalized(purl.name), canonical(purl.version) if purl.version else None

    def of_version(found: str | None) -> bool:
        return found is not None and (version is None or canonical(found) == version)

    def is_file(address: str) -> bool:
        file = _BESIDE.sub("", unquote(address.rpartition("/")[2]))
        return _project_in(file, name) and of_version(version_of(file, name))

    def is_provenance(address: str) -> bool:
        return of_version(unquote(address[len(provenance) :].partition("/")[0]))

    provenance = f"{mount}integrity/{name}/"
    yield Part(f"{mount}files/", is_file)
    yield Part(provenance, is_provenance)
    if version is None:
        yield from (Part(f"{mount}simple/{name}/", whole=True), Part(f"{mount}pypi/{name}/"))


def _project_in(file: str, name: str) -> bool:
    """`version_of` takes a wheel's project for granted."""
    return not file.endswith(".whl") or normalized(file.partition("-")[0]) == name


def _npm(mount: str, purl: PackageURL) -> Iterator[Part]:
    package = f"{purl.namespace}/{purl.name}" if purl.namespace else purl.name
    if purl.namespace and (not purl.namespace.startswith("@") or "/" in purl.namespace):
        raise RequestError(f"{str(purl)!r}: the scope of a package begins with '@' (%40) and has no '/'")
    attestations = f"{mount}-/npm/v1/attestations/{package}@"
    if purl.version is None:
        yield from (Part(f"{mount}{package}", whole=True), Part(f"{mount}{package}/-/"), Part(attestations))
        return
    file = f"{purl.name}-{purl.version}.tgz"
    prefix = f"{mount}{package}/-/"
    yield Part(prefix, lambda address: unquote(address[len(prefix) :]) == file)
    yield Part(attestations, lambda address: unquote(address[len(attestations) :]) == purl.version)


def _deb(mount: str, purl: PackageURL) -> Iterator[Part]:
    qualifiers = purl.qualifiers if isinstance(purl.qualifiers, dict) else {}
    arch = qualifiers.get("arch")
    version = purl.version.rpartition(":")[2] if purl.version else None  # files' names have no epoch

    def holds(address: str) -> bool:
        name, line, rest = unquote(address.rpartition("/")[2]).partition("_")
        if not line or name != purl.name:
            return False
        stem = next((rest.removesuffix(suffix) for suffix in _OF_ARCHIVE if rest.endswith(suffix)), None)
        if stem is None:
            return arch in (None, "source") and _is_source(rest, version)
        found, _, its = stem.rpartition("_")
        return (version is None or found.rpartition(":")[2] == version) and arch in (None, its)

    yield Part(mount, holds)


def _is_source(rest: str, version: str | None) -> bool:
    """A part of a source package; the upstream's archive is named without the revision."""
    if version is None:
        return _SOURCE.search(rest) is not None
    begins = (version, version.rpartition("-")[0] or version)
    return any(rest.startswith(one) and _SOURCE.fullmatch(rest[len(one) :]) is not None for one in begins)


_TYPES: dict[str, tuple[str, Callable[[str, PackageURL], Iterator[Part]]]] = {
    "deb": ("apt", _deb),
    "npm": ("npm", _npm),
    "pypi": ("pypi", _pypi),
}
