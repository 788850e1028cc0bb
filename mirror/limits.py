"""How many bytes the cache may take, and what a file takes."""

from __future__ import annotations

from dataclasses import dataclass

BLOCK = 4096
"""File systems give whole blocks; a file counts as what it takes."""


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
