"""A partial that is complete is the body that was announced, or it is thrown away."""

from __future__ import annotations

from mirror.errors import Mismatch, StoreError
from mirror.extents import Extents
from mirror.model import Digest
from mirror.stores.hashes import Hashes
from mirror.stores.partial import FilePartial


async def verify(partial: FilePartial, size: int, digest: Digest | None) -> None:
    """Mismatch unless the partial has `size` bytes and that digest. Without one: StoreError, OSError where it cannot be
    read back."""
    try:
        await _verify(partial, size, digest)
    except (OSError, StoreError) as exc:
        if digest is None:
            raise
        raise Mismatch(f"{partial.note.key}: cannot be read back to be verified: {exc}") from exc


async def _verify(partial: FilePartial, size: int, digest: Digest | None) -> None:
    note, hashes = partial.note, partial.hashes
    if partial.extents != Extents([(0, size)]):
        raise Mismatch(f"{note.key}: expected {size} bytes, got {partial.extents.size} from {note.url}")
    if hashes.at < size:
        await partial.run(hashes.update_from, partial.fd, size)
    value = hashes.of(digest) if digest else None
    if digest and value is None:
        hashes = Hashes(digest)  # not the one that was announced at first
        await partial.run(hashes.update_from, partial.fd, size)
        value = hashes.of(digest)
    if digest and value != digest.value:
        raise Mismatch(f"{note.key}: expected {digest}, got {digest.algorithm}:{value} from {note.url}")
