"""What the engine needs of the outside world: bodies, stores, the index, the origin. Every implementation passes the
contract tests of its port (`tests/contracts/`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mirror.changes import Changes
from mirror.extents import Extents
from mirror.fact_store import FactStore as FactStore
from mirror.index import Index as Index
from mirror.index import Outline as Outline
from mirror.index import Wanted as Wanted
from mirror.model import Digest, Entry, Head, Headers
from mirror.reach import Route

Clock = Callable[[], float]
"""Seconds; wall clock or monotonic, as the parameter's name says."""


class Hash(Protocol):
    """A running digest, as hashlib's."""

    def update(self, chunk: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


class Span(Protocol):
    """Bytes `[offset, offset + count)` of an open file: sent by the kernel where the server can, else read in chunks.

    Valid until the next piece is asked for, or its source is closed.
    """

    @property
    def fd(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def count(self) -> int: ...
    def in_memory(self, offset: int, count: int) -> bool:
        """True when the kernel holds these bytes of the file, so that sending them waits for no disk."""
        ...

    def chunks(self, offset: int | None = None, count: int | None = None) -> AsyncIterator[bytes]:
        """The bytes, or those of them, in large chunks; StoreError when they cannot be read."""
        ...


Piece = bytes | memoryview | Span


class Source(Protocol):
    """Where a body's bytes come from. An open blob and a running fill look the same."""

    def read(self, start: int, end: int | None) -> AsyncGenerator[Piece, None]:
        """The bytes `[start, end)` in order (to the end of the body when `end` is None); each as soon as it is there.

        Raises OriginError when the rest cannot be had: what was given then must not look complete to the client.
        """
        ...

    async def close(self) -> None:
        """The reader has gone; idempotent."""
        ...


class Blob(Source, Protocol):
    """An open stored body; stays readable when it is evicted meanwhile. `entry` is as it was when it was committed."""

    @property
    def size(self) -> int: ...
    @property
    def entry(self) -> Entry: ...
    def span(self, start: int, end: int) -> Span:
        """The bytes `[start, end)`."""
        ...

    def leave(self) -> None:
        """As `close`, at once."""
        ...


@dataclass(frozen=True, slots=True)
class Note:
    """What must be known to go on with a partial later: whose it is, its head as clients see it, total size in bytes
    (None: not announced), the strong validator to resume with ("" when there is none), where it comes from, and which
    variant of the key it is (the key of the entry that it becomes; "" where nothing varies)."""

    key: str
    url: str
    head: Head
    validators: Headers
    total: int | None
    strong: str = ""
    digest: Digest | None = None
    tags: tuple[str, ...] = ()
    variant: str = ""


class Writer(Protocol):
    """Writes one run of a partial, from a given offset on, in few large writes."""

    def add(self, chunk: bytes) -> None:
        """Take the next bytes; never waits."""
        ...

    @property
    def written(self) -> int:
        """The offset up to which this run is on disk."""
        ...

    async def drain(self, mark: int) -> None:
        """Wait until `written >= mark`; StoreError when the disk refuses."""
        ...

    async def close(self) -> None:
        """Write what is left, then give up the file. StoreError when the disk refuses."""
        ...


class Partial(Protocol):
    """A stored body while bytes of it are missing: a sparse file and the extents that are on disk."""

    note: Note

    @property
    def extents(self) -> Extents: ...
    def writer(self, offset: int) -> Writer: ...
    def span(self, start: int, end: int) -> Span:
        """Bytes that `extents` covers."""
        ...

    def hashed(self) -> tuple[int, Hash]:
        """How far the bytes `[0, at)` are hashed with the note's digest (sha256 without one), and that hash's state."""
        ...

    async def commit(self, size: int, digest: Digest | None) -> Entry:
        """Verify, sync, rename: from now on this is a blob. Mismatch when it is not what `digest` or `size` say.

        All writers are closed before. The entry is complete, but not in any index yet.
        """
        ...

    async def keep(self) -> None:
        """Nobody reads any more: note what is there, for a later request or after a restart."""
        ...

    async def discard(self) -> None:
        """Forget it; idempotent. Open spans stay readable."""
        ...

    async def close(self) -> None:
        """The last reader has gone: spans are invalid from now on; idempotent."""
        ...


class BlobStore(Protocol):
    """Immutable bodies by id, and the partials that become such. `changes` is told of each blob that goes."""

    changes: Changes

    async def put(self, note: Note, body: bytes) -> Entry:
        """Store a whole body that was verified: from now on this is a blob. NoRoom, StoreError when it is not."""
        ...

    def create(self, note: Note) -> Partial:
        """A new partial. Its space is reserved before its first byte is written: NoRoom from its writers, or from
        `commit`, when it does not fit."""
        ...

    async def resume(self, key: str) -> Partial | None:
        """The partial that was kept for this key, handed to this caller alone, or None."""
        ...

    async def open(self, blob: str) -> Blob | None:
        """The blob, open, or None when there is none (or none that can be trusted)."""
        ...

    async def entries(self, blobs: list[str]) -> list[Entry | None]:
        """The entry of each as it was committed, None for what is no whole blob; that is no use of them."""
        ...

    def at_hand(self, blob: str) -> Blob | None:
        """The blob, open, where that takes no waiting; None where it does."""
        ...

    def touch(self, blob: str, now: float) -> None:
        """It was used at `now` (wall clock, seconds), and is thereby the last to be evicted."""
        ...

    async def forget(self, matches: Callable[[str], bool], *, dry_run: bool = False) -> int:
        """Remove the kept partials of all keys that match (a purge); the bytes that this freed, or would have."""
        ...

    async def weigh(self, blobs: Sequence[str]) -> int:
        """The bytes that removing all of these would free."""
        ...

    async def delete(self, blob: str) -> int:
        """Remove it; the bytes that this freed (0: there was none)."""
        ...


class Signatures(Protocol):
    """Checks OpenPGP signatures."""

    async def check(self, keyring: str, signed: bytes, signature: bytes | None = None) -> None:
        """OriginError unless a key of the file `keyring` has signed it: within itself, or by `signature`."""
        ...


class Answer(Protocol):
    """An origin's open response."""

    head: Head
    url: str
    length: int | None
    delimited: bool

    async def arrived(self, most: int, patience: float) -> bytes | None:
        """The whole body, where it has at most `most` bytes (or a length that is not known) and is here within
        `patience` seconds; else None, and `chunks` has it. OriginError when it ended early."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as sent, never decoded; OriginError when it ends early, stalls or is too slow."""
        ...

    def narrow(self, count: int) -> None:
        """Only about `count` bytes more are wanted; a hint, so that the origin sends less in vain."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Upload:
    """The body of a request as it comes from the client, once; `length` in bytes, None where it was not announced."""

    length: int | None
    chunks: AsyncIterator[bytes]


Interim = Callable[[int, Headers], None]
"""Is told of an interim response (RFC 9110 §15.2): status, and its end-to-end fields."""

WhenLeft = Callable[[Callable[[], None] | None], None]
"""Takes what is to be called once the client has gone; None: nothing, any more."""


@dataclass(frozen=True, slots=True)
class Hop:
    """What a request brings that is no data: its body, and who is told of interim responses. `again`: the origin is to
    be asked although what is stored is fresh, unless that never gets stale (an operator's refresh). `when_left`: takes
    what is to be called once the client has gone."""

    upload: Upload | None = None
    interim: Interim | None = None
    again: bool = False
    when_left: WhenLeft | None = None


class Origin(Protocol):
    """Speaks to origins; follows redirects, retries, fails over."""

    async def fetch(
        self,
        urls: Sequence[str],
        *,
        method: str = "GET",
        headers: Headers = ...,
        route: Route = ...,
        upload: Upload | None = None,
        interim: Interim | None = None,
        instead: bool = False,
    ) -> Answer: ...
