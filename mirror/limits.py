"""What the cache may take of a file system, and what its files take."""

from __future__ import annotations

from dataclasses import dataclass

BLOCK = 4096
"""File systems give whole blocks; a file counts as what it takes."""

FILES = 16
"""Files that must stay free on a file system that can run out of them."""


def on_disk(size: int) -> int:
    """What a file of `size` bytes takes on disk, in bytes."""
    return -(-size // BLOCK) * BLOCK


@dataclass(frozen=True, slots=True)
class Limits:
    """All in bytes. `max_size` holds for everything below the cache's path, partials included; `min_free` is what must
    stay free on the file system; larger objects than `max_object` are not stored."""

    max_size: int
    min_free: int = 0
    max_object: int = 1 << 62
