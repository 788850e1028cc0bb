"""What an index document says of one file. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from mirror.digest import Digest


@dataclass(frozen=True, slots=True)
class Fact:
    """What an index document says of one file: its absolute URL ("": the usual place), its digest, its size in bytes.

    `name` is the file's canonical path below the mirror, as clients ask for it (`/files/packages/.../six-1.0.tar.gz`).
    `package` (canonical), `version` (as the index writes it) and `license` (as the document states it) are "" where
    nothing is said, `published` is None. `first_seen` is when the mirror first kept a fact of that name: the store
    tells it. Both in seconds since the epoch. (Flat: a packument has 50,000 of these.)
    """

    name: str
    url: str = ""
    digest: Digest | None = None
    size: int | None = None
    package: str = ""
    version: str = ""
    published: float | None = None
    license: str = ""
    first_seen: float | None = None
