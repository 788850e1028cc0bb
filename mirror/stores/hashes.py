"""The digests of a body that arrives in runs, over the bytes that are there from its beginning on."""

from __future__ import annotations

import hashlib
import os

from mirror.errors import StoreError
from mirror.model import Digest

HASH_CHUNK = 1024 * 1024


class Hashes:
    """The sha256 of a body, and the digest that was announced for it, over the bytes `[0, at)`.

    A thread goes on with them while the loop reads them: each step replaces the whole state at once, so that nobody
    sees the position before a chunk together with the hash behind it.
    """

    def __init__(self, digest: Digest | None) -> None:
        other = None
        if digest and digest.algorithm != "sha256":
            other = hashlib.new(digest.algorithm, usedforsecurity=False)
        self._state = (0, hashlib.sha256(), other)

    @property
    def at(self) -> int:
        return self._state[0]

    def update(self, chunk: bytes | memoryview) -> None:
        at, sha256, other = self._state
        sha256 = sha256.copy()
        sha256.update(chunk)
        if other:
            other = other.copy()
            other.update(chunk)
        self._state = (at + len(chunk), sha256, other)

    def update_from(self, fd: int, end: int) -> None:
        """Go on to `end` with what is in the file. Blocks."""
        while self.at < end:
            chunk = os.pread(fd, min(HASH_CHUNK, end - self.at), self.at)
            if not chunk:
                raise StoreError("the partial is shorter than its extents say")
            self.update(chunk)

    def sha256(self) -> str:
        return self._state[1].hexdigest()

    def state(self) -> tuple[int, hashlib._Hash]:
        """The position, and the hash of the announced algorithm (sha256 without one) there, to be gone on with."""
        at, sha256, other = self._state
        return at, (other or sha256).copy()

    def of(self, digest: Digest) -> str | None:
        """The hex value to compare with `digest.value`; None when that algorithm is not kept here."""
        _, sha256, other = self._state
        return next((known.hexdigest() for known in (sha256, other) if known and known.name == digest.algorithm), None)
