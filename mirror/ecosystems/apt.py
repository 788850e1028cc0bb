"""APT repositories: signed releases, the indexes that they name by digest, and the archive's files that those name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from mirror.ecosystems import apt_indexes, apt_releases, paths, subjects
from mirror.ecosystems.bodies import begins, hex_digest, not_html
from mirror.ecosystems.rules import AS_IT_IS, DAY, HOUR, IMMUTABLE, only_reads, volatile
from mirror.errors import NotFound
from mirror.model import Fact, Lookup, Mirror, Plan, Request, Rule

_TTL = 120.0
_LISTING_TTL = 300.0
_BYTES = "application/octet-stream"
_RELEASES = ("InRelease", "Release", "Release.gpg")
_ALGORITHMS = {"SHA256": "sha256", "SHA512": "sha512"}
_PACKAGES = (".deb", ".udeb", ".ddeb")
# The directories in a component (`main/binary-amd64`): what stands two above one of them is the suite.
_INSIDE_COMPONENT = re.compile(r"binary-.+|source|i18n|dep11|cnf|uefi|signed|debian-installer|installer-.+")
_WITH_PACKAGES = re.compile(r"binary-.+|source")
_INDEX = re.compile(r"(?:Packages|Sources|Contents-|Translation-|Components-|Commands-).*")


def plan(mirror: Mirror, request: Request) -> Plan:
    """Any path of an archive, classed by its name; NotFound for by-hash with weak digests and for lists of patches."""
    only_reads(request)
    path = paths.decoded(_without_dots(request.path))
    *directory, file = path[1:].split("/")
    if not file:
        return _plain(mirror, path, volatile(mirror, _LISTING_TTL))
    if file in _RELEASES and not (directory and _WITH_PACKAGES.fullmatch(directory[-1])):
        return _release(mirror, path, directory, file)
    if any(name.endswith(".diff") for name in directory):
        return _patch(mirror, path, directory, file)
    if directory[-2:-1] == ["by-hash"]:
        return _by_hash(mirror, path, directory, file)
    if directory[:1] == ["pool"] or file.endswith(_PACKAGES):
        return _archive_file(mirror, path, file)
    if any(name.startswith("installer-") for name in directory):
        return _plain(mirror, path, volatile(mirror, HOUR))
    if directory[:1] == ["dists"] or _INDEX.fullmatch(file):
        return _index(mirror, path, directory, file)
    return _plain(mirror, path, volatile(mirror, _LISTING_TTL))


def _without_dots(raw: str) -> str:
    """APT asks for the files of a flat repository (`deb URL ./`) as `/./Packages`."""
    return re.sub(r"(?:/\.)+(?=/)", "", raw)


def _plain(mirror: Mirror, path: str, rule: Rule) -> Plan:
    """A file that is served as it is."""
    name = paths.encoded(path)
    return Plan(key=f"/{mirror.name}{name}", urls=_urls(mirror, _asked(name)), rule=rule, send=AS_IT_IS)


def _urls(mirror: Mirror, asked: str) -> tuple[str, ...]:
    return tuple(upstream + asked for upstream in mirror.upstreams)


def _asked(name: str) -> str:
    """A canonical path in the form that APT uses: some stores read a raw `+` as a space."""
    return name.replace("+", "%2b").replace(":", "%3a")


def _release(mirror: Mirror, path: str, directory: list[str], file: str) -> Plan:
    suite = _slot(directory)
    return replace(
        _plain(mirror, path, _volatile(mirror)),
        content_type="text/plain; charset=utf-8",
        tags=(f"apt:{suite}",),
        check=begins(apt_releases.SIGNED) if file == "InRelease" else not_html,
        generation=suite,
    )


def _by_hash(mirror: Mirror, path: str, directory: list[str], file: str) -> Plan:
    *indexed, _, algorithm = directory
    digest = hex_digest(_ALGORITHMS.get(algorithm), file)
    if digest is None or digest.value != file:
        raise NotFound(f"by-hash is answered for SHA256 and SHA512 alone, not for {algorithm}/{file}")
    plan = replace(_plain(mirror, path, IMMUTABLE), digest=digest, content_type=_BYTES, check=not_html)
    slots = tuple(slot for document in _documents(indexed) for slot in apt_releases.slots(document))
    lookup = Lookup(paths.encoded(path), slots=slots, complete=partial(_hashed, mirror))
    return _with_package_facts(replace(plan, lookup=lookup), indexed)


def _hashed(mirror: Mirror, plan: Plan, fact: Fact) -> Plan:
    """An index that was asked for by digest: where the archive has it no more, under the name in its release."""
    return replace(
        plan,
        key=f"/{mirror.name}{apt_releases.hashed(replace(fact, name=fact.url))}",
        urls=_urls(mirror, _asked(fact.name)),
        alternates=_urls(mirror, _asked(fact.url)),
    )


def _named(mirror: Mirror, plan: Plan, fact: Fact) -> Plan:
    """An index that was asked for by name: stored under its digest, because each release has another by that name."""
    plain = _urls(mirror, _asked(fact.name))
    return replace(
        plan,
        key=f"/{mirror.name}{apt_releases.hashed(fact)}",
        urls=_urls(mirror, _asked(fact.url)) if fact.url else plain,
        alternates=plain if fact.url else (),
    )


def _patch(mirror: Mirror, path: str, directory: list[str], file: str) -> Plan:
    """A patch; never the list of patches, by whatever name, so that clients take the whole index."""
    if file == "Index" or not directory[-1].endswith(".diff"):
        raise NotFound("lists of patches are not mirrored: take the whole index")
    return _plain(mirror, path, volatile(mirror, 30 * DAY))


def _archive_file(mirror: Mirror, path: str, file: str) -> Plan:
    # The index comes first, even before what is stored: repositories do replace a file under its name.
    lookup, package = Lookup(paths.encoded(path), eager=True, found=IMMUTABLE), file.partition("_")[0]
    return replace(
        # As of a day: the archive may have replaced it by now, and what is stored is what was there.
        _plain(mirror, path, IMMUTABLE if mirror.as_of else volatile(mirror, DAY)),
        content_type=_BYTES,
        tags=(f"apt:{package}",),
        lookup=lookup,
        subject=subjects.at(mirror, path, lookup, package),
        check=begins(b"!<arch>\n") if file.endswith(_PACKAGES) else not_html,
    )


def _index(mirror: Mirror, path: str, directory: list[str], file: str) -> Plan:
    lookup = Lookup(
        paths.encoded(path),
        documents=tuple(_documents(directory)),
        eager=True,
        found=IMMUTABLE,
        generation=True,
        complete=partial(_named, mirror),
    )
    plan = replace(_plain(mirror, path, _volatile(mirror)), lookup=lookup, content_type=_BYTES, check=not_html)
    return _with_package_facts(plan, directory) if file.startswith(("Packages", "Sources")) else plan


def _with_package_facts(plan: Plan, directory: list[str]) -> Plan:
    """`plan` with the facts of a Packages or Sources file, where one can stand in `directory`."""
    flat = directory[:1] != ["dists"]
    if not flat and not _WITH_PACKAGES.fullmatch(directory[-1]):
        return plan
    return replace(plan, slot=f"packages:{_slot(directory)}", facts=apt_indexes.package_facts)


def _suites(directory: list[str]) -> list[list[str]]:
    """The directories whose InRelease can list an index in `directory`, the likeliest first, two at most.

    A suite's name may have several parts (`dists/stable/updates`), and so may a component's.
    """
    if directory[:1] != ["dists"]:
        return [directory]
    inside = next((at for at, name in enumerate(directory) if at > 2 and _INSIDE_COMPONENT.fullmatch(name)), 0)
    ends = (inside - 1, inside - 2) if inside else (2, 3)
    return [directory[:end] for end in ends if 1 < end <= len(directory)] or [directory]


def _documents(directory: list[str]) -> Iterator[str]:
    """The releases, as paths below the mirror, that can list an index in `directory`."""
    for suite in _suites(directory):
        for file in ("InRelease", "Release"):
            yield "/" + paths.encoded("/".join([*suite, file]))


def _slot(directory: list[str]) -> str:
    return "/".join(directory) or "."


def _volatile(mirror: Mirror) -> Rule:
    return volatile(mirror, _TTL if mirror.ttl is None else mirror.ttl)
