"""All that is stored under one address: one answer, or several that `Vary` keeps apart (RFC 9111 §4.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mirror.model import Entry
from mirror.ports import Index

__all__ = ["address", "stored"]


def address(key: str) -> str:
    """What clients ask for to get what is stored under this key: the key less its variant."""
    return key.partition(" ")[0]


async def stored(index: Index, address: str) -> AsyncIterator[Entry]:
    """The entries whose address this is; what does not vary first."""
    plain = await index.get(address)
    if plain is not None:
        yield plain
    async for batch in index.scan(f"{address} "):
        for entry in batch:
            yield entry
