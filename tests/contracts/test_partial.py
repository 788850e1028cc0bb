"""What every blob store keeps to: bodies while bytes of them are missing."""

from __future__ import annotations

import hashlib

import pytest

from mirror.errors import Mismatch, NoRoom, StoreError
from mirror.extents import Extents
from mirror.model import Digest
from mirror.ports import BlobStore, Partial
from tests.contracts.places import MOST, Place
from tests.contracts.samples import BODY, note, read, sha256


async def write(partial: Partial, start: int, body: bytes) -> None:
    writer = partial.writer(start)
    writer.add(body)
    await writer.close()


async def test_an_empty_body_is_stored(store: BlobStore) -> None:
    partial = store.create(note(total=0))
    entry = await partial.commit(0, sha256(b""))
    await partial.close()
    blob = await store.open(entry.blob)
    assert blob is not None
    assert await read(blob) == b""
    await blob.close()


async def test_several_writers_fill_one_body_in_any_order(store: BlobStore) -> None:
    partial = store.create(note(total=len(BODY)))
    late, early, middle = partial.writer(8000), partial.writer(0), partial.writer(3000)
    for at in range(8000, len(BODY), 100):
        late.add(BODY[at : at + 100])
    await late.close()
    middle.add(BODY[3000:8000])
    early.add(BODY[:3000])
    await middle.close()
    await early.close()
    assert partial.extents == Extents([(0, len(BODY))])
    entry = await partial.commit(len(BODY), sha256(BODY))
    await partial.close()
    assert entry.digest == sha256(BODY).value


async def test_extents_are_exactly_what_was_written(store: BlobStore) -> None:
    partial = store.create(note(total=100_000))
    await write(partial, 10, b"x" * 5)
    await write(partial, 5000, b"y" * 70)
    assert list(partial.extents) == [(10, 15), (5000, 5070)]
    await partial.discard()
    await partial.close()


async def test_drain_waits_until_the_mark_is_on_disk(store: BlobStore) -> None:
    partial = store.create(note())
    writer = partial.writer(0)
    writer.add(BODY)
    assert writer.written == 0
    await writer.drain(100)
    assert writer.written >= 100
    assert partial.extents.covers(0, 100)
    await writer.close()
    assert writer.written == len(BODY)
    await partial.discard()
    await partial.close()


async def test_bytes_of_a_running_download_can_be_read(store: BlobStore) -> None:
    partial = store.create(note())
    await write(partial, 0, BODY)
    span = partial.span(1000, 9000)
    assert (span.offset, span.count) == (1000, 8000)
    assert b"".join([chunk async for chunk in span.chunks()]) == BODY[1000:9000]
    await partial.discard()
    assert b"".join([chunk async for chunk in span.chunks()]) == BODY[1000:9000]
    await partial.close()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5"])
async def test_the_hash_of_what_is_there_can_be_gone_on_with(store: BlobStore, algorithm: str) -> None:
    whole = hashlib.new(algorithm, BODY).hexdigest()
    partial = store.create(note(digest=Digest(algorithm, whole)))
    await write(partial, 0, BODY[:4000])
    at, state = partial.hashed()
    state.update(BODY[at:])
    assert state.hexdigest() == whole
    await write(partial, 4000, BODY[4000:])
    assert partial.hashed()[1].hexdigest() == whole
    await partial.commit(len(BODY), Digest(algorithm, whole))
    await partial.close()


@pytest.mark.row(7, at="the store keeps nothing")
async def test_a_wrong_digest_leaves_nothing_behind(store: BlobStore, place: Place) -> None:
    """Seen red: a file is stored without a look at its digest."""
    partial = store.create(note())
    await write(partial, 0, BODY)
    with pytest.raises(Mismatch):
        await partial.commit(len(BODY), sha256(b"something else"))
    assert place.left() == []
    await partial.keep()
    assert place.left() == []
    assert await store.resume("/m/a") is None
    await partial.discard()
    await partial.close()


async def test_a_digest_that_was_not_announced_at_first_is_verified(store: BlobStore) -> None:
    for right in (True, False):
        partial = store.create(note(digest=sha256(BODY)))
        await write(partial, 0, BODY)
        digest = Digest("sha512", hashlib.sha512(BODY if right else b"").hexdigest())
        if right:
            assert (await partial.commit(len(BODY), digest)).digest == sha256(BODY).value
        else:
            with pytest.raises(Mismatch):
                await partial.commit(len(BODY), digest)
        await partial.close()


@pytest.mark.parametrize("size", [0, 1, len(BODY) - 1, len(BODY) + 1])
async def test_another_size_than_what_is_there_is_a_mismatch(store: BlobStore, place: Place, size: int) -> None:
    partial = store.create(note())
    await write(partial, 0, BODY)
    with pytest.raises(Mismatch):
        await partial.commit(size, None)
    assert place.left() == []
    await partial.close()


async def test_a_body_with_a_hole_is_never_committed(store: BlobStore, place: Place) -> None:
    partial = store.create(note(total=len(BODY)))
    await write(partial, 0, BODY[:100])
    await write(partial, 200, BODY[200:])
    with pytest.raises(Mismatch):
        await partial.commit(len(BODY), None)
    assert place.left() == []
    await partial.close()


async def test_a_kept_partial_is_handed_on_once(store: BlobStore) -> None:
    partial = store.create(note(total=len(BODY)))
    await write(partial, 100, BODY[100:300])
    await write(partial, 600, BODY[600:601])
    await partial.keep()
    await partial.close()
    resumed = await store.resume("/m/a")
    assert resumed is not None
    assert await store.resume("/m/a") is None
    assert resumed.note == note(total=len(BODY))
    assert list(resumed.extents) == [(100, 300), (600, 601)]
    for start, end in list(resumed.extents.holes(len(BODY))):
        await write(resumed, start, BODY[start:end])
    entry = await resumed.commit(len(BODY), sha256(BODY))
    await resumed.close()
    blob = await store.open(entry.blob)
    assert blob is not None
    assert await read(blob) == BODY
    await blob.close()
    assert await store.resume("/m/a") is None


async def test_a_download_that_was_stopped_keeps_what_it_has_taken(store: BlobStore) -> None:
    partial = store.create(note(total=len(BODY)))
    writer = partial.writer(0)
    writer.add(BODY[:1000])
    await writer.drain(1000)
    await partial.keep()
    await partial.close()
    resumed = await store.resume("/m/a")
    assert resumed is not None
    assert resumed.extents.covers(0, 1000)
    await resumed.discard()
    await resumed.close()


async def test_a_partial_without_a_byte_is_not_kept(store: BlobStore, place: Place) -> None:
    partial = store.create(note())
    await partial.keep()
    await partial.close()
    assert await store.resume("/m/a") is None
    assert place.left() == []


async def test_the_partial_that_was_kept_last_is_the_one_of_its_key(store: BlobStore) -> None:
    for length in (100, 200):
        partial = store.create(note(total=len(BODY)))
        await write(partial, 0, BODY[:length])
        await partial.keep()
        await partial.close()
    resumed = await store.resume("/m/a")
    assert resumed is not None
    assert list(resumed.extents) == [(0, 200)]
    await resumed.discard()
    await resumed.close()
    assert await store.resume("/m/a") is None


async def test_discard_leaves_nothing(store: BlobStore, place: Place) -> None:
    partial = store.create(note())
    await write(partial, 0, BODY)
    await partial.discard()
    await partial.discard()
    assert place.left() == []
    await partial.close()
    await partial.close()


async def test_what_was_not_written_when_it_was_discarded_is_never_written(store: BlobStore, place: Place) -> None:
    partial = store.create(note())
    writer = partial.writer(0)
    writer.add(BODY)
    await partial.discard()
    with pytest.raises(StoreError):
        await writer.close()
    await partial.close()
    assert place.left() == []


async def test_an_announced_length_that_does_not_fit_is_refused_at_the_first_byte(
    store: BlobStore, place: Place
) -> None:
    partial = store.create(note(total=MOST + 1))
    writer = partial.writer(0)
    writer.add(b"x")
    with pytest.raises(NoRoom):
        await writer.close()
    await partial.discard()
    await partial.close()
    assert place.left() == []


@pytest.mark.row(21, at="below the store: the first byte over the limit")
async def test_a_body_of_unknown_length_is_refused_when_it_becomes_too_large(store: BlobStore) -> None:
    """Seen red: bodies of any size are stored."""
    partial = store.create(note())
    writer = partial.writer(0)
    writer.add(b"x" * MOST)
    await writer.drain(MOST)
    writer.add(b"x")
    with pytest.raises(NoRoom):
        await writer.close()
    await partial.discard()
    await partial.close()
