"""Documents that clients get in another form than they are stored in: read whole, rewritten, remembered a while."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

from mirror.errors import OriginError
from mirror.model import Digest, Headers, Rewrite, Rewritten
from mirror.ports import Source

MAX_DOCUMENT = 256 * 1024 * 1024
"""Bytes; an index that is larger than this is none."""


class NoDocument(OriginError):
    """The body came whole, and is no document of the kind that stands there."""


async def whole(source: Source) -> bytes:
    """All bytes of a source; OriginError when there are more than MAX_DOCUMENT."""
    parts: list[bytes] = []
    size = 0
    async with aclosing(source.read(0, None)) as pieces:
        async for piece in pieces:
            new = [bytes(piece)] if isinstance(piece, bytes | memoryview) else [part async for part in piece.chunks()]
            size += sum(len(part) for part in new)
            if size > MAX_DOCUMENT:
                raise OriginError(f"the document has more than {MAX_DOCUMENT} bytes")
            parts += new
    return b"".join(parts)


class Documents:
    """Rewritten documents, by a name of what is stored (key and digest) and the variant; at most `limit` bytes of them
    are kept."""

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[tuple[str, str], Rewritten] = OrderedDict()
        # One thread: rewriting is Python's own work, a second would only take turns with the first.
        self._executor = ThreadPoolExecutor(1, "mirror-rewrite")

    def known(self, name: str, rewrite: Rewrite) -> Rewritten | None:
        """What was made of that stored body for this variant before."""
        found = self._kept.get((name, rewrite.variant))
        if found is not None:
            self._kept.move_to_end((name, rewrite.variant))
        return found

    async def rewritten(self, name: str, rewrite: Rewrite, source: Source, headers: Headers) -> Rewritten:
        """What clients get of the body; with `name` "" not remembered. NoDocument: it is none of the kind."""
        body = await whole(source)
        try:
            made = await asyncio.get_running_loop().run_in_executor(self._executor, _made, rewrite, body, headers)
        except OriginError as exc:
            raise NoDocument(str(exc)) from exc
        if name and len(made.body) <= self._limit // 4:
            self._keep((name, rewrite.variant), made)
        return made

    def _keep(self, key: tuple[str, str], made: Rewritten) -> None:
        older = self._kept.pop(key, None)
        self._size += len(made.body) - (len(older.body) if older else 0)
        self._kept[key] = made
        while self._size > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.body)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _made(rewrite: Rewrite, body: bytes, headers: Headers) -> Rewritten:
    made = rewrite.apply(body, headers)
    return Rewritten([made.body], made.content_type)


def tag(made: Rewritten) -> Digest:
    """The digest of our bytes: never the origin's tag for a body that we changed."""
    return Digest("sha256", hashlib.sha256(made.body).hexdigest())
