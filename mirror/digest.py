"""Digests that indexes announce for bodies. Standard library only."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

_STRENGTH = ("sha512", "sha384", "sha256", "blake2b", "sha1", "md5")


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest that an index announced for a body: a `hashlib` name and the lower-case hex value."""

    algorithm: str
    value: str

    @classmethod
    def from_sri(cls, text: str) -> Digest | None:
        """The strongest digest of a Subresource Integrity string (`sha512-<base64> ...`), or None."""
        found = []
        for token in text.split():
            algorithm, _, encoded = token.partition("-")
            try:
                value = base64.b64decode(encoded.split("?")[0], validate=True).hex()
            except (binascii.Error, ValueError):
                continue
            if algorithm in _STRENGTH and len(value) == 2 * hashlib.new(algorithm, usedforsecurity=False).digest_size:
                found.append(cls(algorithm, value))
        return strongest(found)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


def strongest(digests: Iterable[Digest]) -> Digest | None:
    """The digest with the strongest known algorithm, or None."""
    known = [digest for digest in digests if digest.algorithm in _STRENGTH]
    return min(known, key=lambda digest: _STRENGTH.index(digest.algorithm), default=None)
