"""APT's releases: InRelease and Release name every index of a suite by its digest, and date the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from mirror.ecosystems.apt_indexes import listed
from mirror.ecosystems.bodies import decoded, not_html
from mirror.errors import OriginError
from mirror.model import Fact, Headers

SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"

_SIGNATURE = b"\n-----BEGIN PGP SIGNATURE-----"
_FIELD = r"^%s:[ \t]*([^\r\n]*)"
_BLOCK = r"^%s:[ \t]*\r?\n((?:[ \t][^\n]*+(?:\n|\Z))*+)"


@dataclass(frozen=True, slots=True)
class Release:
    """What a release says. `dated` in POSIX seconds, None where it does not say; `indexes` by the
    canonical path below the mirror; `sha512` the same indexes' SHA512 in hex, where it lists them."""

    dated: float | None
    by_hash: bool
    indexes: dict[str, Fact]
    sha512: dict[str, str]

    def fact(self, index: Fact) -> Fact:
        """One of `indexes` with, for an address, its path by-hash ("" where the archive has none)."""
        return Fact(index.name, hashed(index) if self.by_hash else "", index.digest, index.size)


def release(body: bytes, headers: Headers, *, directory: str) -> Release:
    """The InRelease or Release file that stands in `directory`.

    OriginError where it is a web page, a line of a list is broken, or a signed file ends before its signature.
    """
    text = decoded(body, headers)
    not_html(text[:512], Headers())
    if text.startswith(SIGNED):
        text, signature, _ = text.partition(_SIGNATURE)
        if not signature:
            raise OriginError("the origin's InRelease ends before its signature")
    return Release(
        dated=_seconds(_field(text, "Date")),
        by_hash=_field(text, "Acquire-By-Hash").lower() == "yes",
        indexes={fact.name: fact for fact in listed(_block(text, "SHA256"), directory.encode())},
        sha512=_sha512(text, directory),
    )


KEPT = 4
"""How many releases of a suite are known at a time: the one that is served, and those before it."""


def slots(document: str) -> tuple[str, ...]:
    """Where the facts of the releases that `document` (a path below the mirror) was and is are kept, in turn."""
    return tuple(f"{document}@{at}" for at in range(KEPT))


def by_hash(name: str, digest: str, algorithm: str = "SHA256") -> str:
    """Where the index `name` stands under its digest, which it keeps in all releases."""
    return f"{name.rpartition('/')[0]}/by-hash/{algorithm}/{digest}"


def hashed(index: Fact) -> str:
    """`by_hash` of an index that a release lists."""
    return by_hash(index.name, index.digest.value if index.digest else "")


def facts(found: Release) -> Iterator[Fact]:
    """Each index under its own name and, with its own name for an address, under its digests.

    The address of the former is its path by-hash ("" where the archive has none).
    """
    for name, fact in found.indexes.items():
        yield found.fact(fact)
        yield Fact(hashed(fact), name, fact.digest, fact.size)
        if name in found.sha512:
            yield Fact(by_hash(name, found.sha512[name], "SHA512"), name, fact.digest, fact.size)


def _sha512(text: bytes, directory: str) -> dict[str, str]:
    try:
        facts = list(listed(_block(text, "SHA512"), directory.encode(), "sha512"))
    except OriginError:  # nothing depends on it
        return {}
    return {fact.name: fact.digest.value for fact in facts if fact.digest}


def _field(text: bytes, name: str) -> str:
    found = re.search(_FIELD.encode() % name.encode(), text, re.MULTILINE | re.IGNORECASE)
    return found[1].decode("latin-1").strip() if found else ""


def _block(text: bytes, name: str) -> bytes:
    found = re.search(_BLOCK.encode() % name.encode(), text, re.MULTILINE)
    return found[1] if found else b""


def _seconds(date: str) -> float | None:
    try:
        found = parsedate_to_datetime(date) if date else None
    except (ValueError, OverflowError):
        return None
    return None if found is None else (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
