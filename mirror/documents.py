"""Documents that clients get in another form than they are stored in: read whole, rewritten, compressed, remembered."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from math import inf
from weakref import WeakValueDictionary

from mirror.ecosystems.accept import ranges
from mirror.errors import OriginError, Withheld
from mirror.model import Digest, Headers, Rewrite
from mirror.ports import Piece, Source

MAX_DOCUMENT = 256 * 1024 * 1024
"""Bytes; an index that is larger than this is none."""

_LARGE = 1024 * 1024  # stored bytes; what is larger is rewritten apart, so that the small ones do not wait behind it
_LEVEL = 5
_REFUSED = 1000  # documents of which nothing may be seen, as far as that is remembered
_GZIP = 16 + zlib.MAX_WBITS
_STEP = 64 * 1024


class NoDocument(OriginError):
    """The body came whole, and is no document of the kind that stands there."""


@dataclass(frozen=True, slots=True)
class Made:
    """A rewritten document: kept as gzip, because all package managers ask for that; `size` is that
    of the plain bytes, `digest` the sha256 of their media type and them: the same bytes as another type are another
    representation (RFC 9110 §8.8.1). `until`: from then on (seconds since the epoch) it may be another one."""

    packed: bytes
    size: int
    digest: Digest
    content_type: str
    until: float = inf

    def plain(self) -> Source:
        """A source of the plain bytes, which are never whole in memory."""
        return _Inflated(self.packed)


class _Inflated:
    """A Source over what gzip has packed."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    async def read(self, start: int, end: int | None) -> AsyncGenerator[Piece, None]:
        machine, at, taken, rest = zlib.decompressobj(_GZIP), 0, 0, b""
        while not machine.eof and (end is None or at < end):
            if not rest:  # in small parts: what is not consumed of one is copied
                rest, taken = self._packed[taken : taken + _STEP], taken + _STEP
            chunk = machine.decompress(rest, _STEP)
            rest = machine.unconsumed_tail
            piece = memoryview(chunk)[max(0, start - at) : None if end is None else max(0, end - at)]
            at += len(chunk)
            if piece:
                yield piece

    async def close(self) -> None:
        return None


async def parts(source: Source) -> list[bytes]:
    """All bytes of a source, in chunks; OriginError when there are more than MAX_DOCUMENT."""
    found: list[bytes] = []
    size = 0
    async with aclosing(source.read(0, None)) as pieces:
        async for piece in pieces:
            new = [bytes(piece)] if isinstance(piece, bytes | memoryview) else [part async for part in piece.chunks()]
            size += sum(len(part) for part in new)
            if size > MAX_DOCUMENT:
                raise OriginError(f"the document has more than {MAX_DOCUMENT} bytes")
            found += new
    return found


See = Callable[[str], Awaitable[Rewrite]]
"""Of the sha256 of a document's stored bytes: the rewrite that knows what may be seen of it now."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """See `Documents.made`."""

    key: str
    rewrite: Rewrite
    digest: str
    now: float
    seen: See | None


class Documents:
    """Rewritten documents, by what is stored (key and digest) and the variant; at most `limit` bytes of them are kept.

    Whoever wants one that is being made waits for it.
    """

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[tuple[str, str], Made] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str], Withheld] = OrderedDict()
        self._making: dict[tuple[str, str], asyncio.Future[Made]] = {}
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        # One thread each: rewriting is Python's own work, more of them would only take turns.
        self._small = ThreadPoolExecutor(1, "mirror-rewrite")
        self._large = ThreadPoolExecutor(1, "mirror-rewrite-large")

    def known(self, key: str, digest: str, rewrite: Rewrite, now: float) -> Made | None:
        """What was made before of the body that is stored under `key` with this sha256, and is right at `now`. Withheld
        where nothing of it may be seen."""
        refused = self._refused.get((f"{key} {digest}", rewrite.variant))
        if refused is not None and now < refused.until:  # to find that out once more may take as long as to make it
            raise Withheld(str(refused), refused.until, refused.rule)
        found = self._kept.get((f"{key} {digest}", rewrite.variant))
        if found is None or found.until <= now:
            return None
        self._kept.move_to_end((f"{key} {digest}", rewrite.variant))
        return found

    async def made(
        self,
        key: str,
        rewrite: Rewrite,
        source: Source,
        headers: Headers,
        *,
        stored: bool = False,
        digest: str = "",
        now: float = 0.0,
        seen: See | None = None,
    ) -> Made:
        """What clients get of the body. `stored`: it can be read at any time, and hence is whole in memory for one of
        those who want it at a time; `digest` is its sha256 where that is known. NoDocument: it is none of the kind.

        `now`: when it is asked for, where it is not the same at all times. `seen` makes of the rewrite the one of now.
        """
        turn = self._turns.setdefault((key, rewrite.variant), asyncio.Lock()) if stored else asyncio.Lock()
        async with turn:
            made = await self._begun(_Wanted(key, rewrite, digest, now, seen), source, headers)
        if isinstance(made, Made):
            return made
        try:
            return await asyncio.shield(made)
        except OriginError as exc:
            raise NoDocument(str(exc)) from exc

    async def _begun(self, wanted: _Wanted, source: Source, headers: Headers) -> Made | asyncio.Future[Made]:
        """What is there, or is being made from now on."""
        key, rewrite, now = wanted.key, wanted.rewrite, wanted.now
        name = (f"{key} {wanted.digest}", rewrite.variant)
        if found := self.known(key, wanted.digest, rewrite, now) or self._making.get(name):
            return found
        loop = asyncio.get_running_loop()
        body = await parts(source)
        large = sum(map(len, body)) > _LARGE
        executor = self._large if large else self._small
        digest = await loop.run_in_executor(executor, _sha256, body) if large else _sha256(body)
        if known := self.known(key, digest, rewrite, now):
            return known
        name = (f"{key} {digest}", rewrite.variant)
        seen = rewrite if wanted.seen is None or name in self._making else await wanted.seen(digest)
        if name not in self._making:
            making = loop.run_in_executor(executor, _make, seen, body, headers)
            self._making[name] = making
            making.add_done_callback(lambda done: self._done(name, done))
        return self._making[name]

    def _done(self, name: tuple[str, str], making: asyncio.Future[Made]) -> None:
        del self._making[name]
        if not making.cancelled() and isinstance(refused := making.exception(), Withheld):
            # Another one: this one's traceback holds the document.
            self._refused[name] = Withheld(str(refused), refused.until, refused.rule)
            if len(self._refused) > _REFUSED:
                self._refused.popitem(last=False)
        if making.cancelled() or making.exception() is not None:
            return
        made = making.result()
        if (before := self._kept.pop(name, None)) is not None:  # it was right until now
            self._size -= len(before.packed)
        if len(made.packed) > self._limit // 4:
            return
        self._kept[name] = made
        self._size += len(made.packed)
        while self._size > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.packed)

    def close(self) -> None:
        for executor in (self._small, self._large):
            executor.shutdown(wait=False, cancel_futures=True)


def takes_gzip(headers: Headers) -> bool:
    """Whether this client likes gzip at least as well as no coding (RFC 9110 §12.5.3)."""
    accepted = ranges(headers.get("accept-encoding"))
    packed = accepted.get("gzip", accepted.get("x-gzip", accepted.get("*", 0.0)))
    return packed > 0 and packed >= accepted.get("identity", 0.0)


def _sha256(body: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in body:
        digest.update(part)
    return digest.hexdigest()


def _make(rewrite: Rewrite, body: list[bytes], headers: Headers) -> Made:
    joined = b"".join(body)
    body.clear()
    made = rewrite.apply(joined, headers)
    del joined
    digest, size = hashlib.sha256(made.content_type.encode() + b"\0"), 0
    # Without a file name and a date: the same bytes each time (RFC 1952 §2.3), and hence the same entity tag.
    machine, packed = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP), []
    for piece in made.pieces:
        digest.update(piece)
        size += len(piece)
        packed.append(machine.compress(piece))
    packed.append(machine.flush())
    return Made(b"".join(packed), size, Digest("sha256", digest.hexdigest()), made.content_type, made.until)
