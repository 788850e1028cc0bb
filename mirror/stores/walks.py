"""Going through the index's table in the order of keys, in portions, so that others have their turn at its thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from mirror.model import Entry
from mirror.ports import Outline, Wanted
from mirror.stores import rows
from mirror.stores.codec import blob_of
from mirror.stores.rows import readable

T = TypeVar("T")


class Walks:
    """The part of an index that only reads, and reads many. StoreError where the database cannot be read: half a list
    must not look like a whole one."""

    async def _ask(self, call: Callable[..., T], *args: Any) -> T:
        """`call(execute, *args)` on the thread, after all writes. StoreError."""
        raise NotImplementedError

    async def sums(self, prefix: str) -> tuple[int, int]:
        """See `Index.sums`."""
        count, size, after = 0, 0, ""
        while True:
            some, theirs, last = await self._ask(rows.sums, prefix, after)
            if not some:
                return count, size
            count, size, after = count + some, size + theirs, last

    async def scan(self, prefix: str = "") -> AsyncIterator[list[Entry]]:
        """See `Index.scan`."""
        async for texts in self._texts(prefix):
            entries = [entry for text in texts if (entry := readable(text)) is not None]
            if entries:
                yield entries

    async def blobs(self, prefix: str = "") -> AsyncIterator[list[str]]:
        """The blobs of these entries, as `scan` gives the entries."""
        async for texts in self._texts(prefix):
            yield [blob_of(text) for text in texts]

    async def _texts(self, prefix: str) -> AsyncIterator[list[str]]:
        after: str | None = None
        while True:
            texts, after = await self._ask(rows.page, prefix, after)
            yield texts
            if after is None:
                return

    async def page(self, wanted: Wanted, after: str, limit: int) -> tuple[list[Entry], str | None]:
        """See `Index.page`."""
        texts, last = await self._ask(rows.some, wanted, after, limit)
        entries = [entry for text in texts if (entry := readable(text)) is not None]
        return [entry for entry in entries if not wanted.tag or wanted.tag in entry.tags], last

    async def outline(self, after: str) -> list[Outline]:
        """See `Index.outline`."""
        return [Outline(*row) for row in await self._ask(rows.outline, after)]
