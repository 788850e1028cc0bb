"""Which artifact an address is about, for the gate of its mirror; nothing is made where there is no gate."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from mirror.ecosystems import naming, views
from mirror.model import Fact, Lookup, Mirror, Subject
from mirror.policy.artifact import Artifact

_BESIDE = (".metadata", ".asc")


def at(mirror: Mirror, path: str, lookup: Lookup, package: str) -> Subject | None:
    """What is at a decoded path below the mirror; `package` is whose it is where its name does not say so."""
    return Subject(partial(_told, mirror, path, package), lookup) if mirror.gate else None


def _told(mirror: Mirror, path: str, package: str) -> Artifact:
    file = path
    for suffix in _BESIDE if mirror.ecosystem == "pypi" else ():
        file = file.removesuffix(suffix)
    known, name = naming.at(mirror, file), file.rpartition("/")[2]
    told = (known.package, known.version) if known is not None else (package, "")
    return Artifact(mirror.ecosystem, *told, name)


def beside(mirror: Mirror, artifact: Artifact, lookup: Lookup) -> Subject | None:
    """What a document speaks of that names the artifact alone, and not the address of its file."""
    if not mirror.gate:
        return None

    def suits(fact: Fact) -> bool:
        known = views.artifact(artifact.ecosystem, fact)
        return known.file == artifact.file if artifact.file else known.version == artifact.version

    return Subject(lambda: artifact, replace(lookup, suits=suits))
