"""What every blob store keeps to: the bodies that it holds."""

from __future__ import annotations

import pytest

from mirror.ports import BlobStore
from tests.contracts.places import MOST
from tests.contracts.samples import BODY, note, read, sha256, stored


async def test_what_is_committed_is_read_back(store: BlobStore) -> None:
    entry = await stored(store)
    blob = await store.open(entry.blob)
    assert blob is not None
    assert await read(blob) == BODY
    assert blob.size == len(BODY)
    await blob.close()
    await blob.close()


async def test_the_blob_knows_its_whole_entry(store: BlobStore) -> None:
    entry = await stored(store)
    told = note()
    assert (entry.key, entry.url, entry.head, entry.validators, entry.tags) == (
        told.key,
        told.url,
        told.head,
        told.validators,
        told.tags,
    )
    assert (entry.size, entry.digest) == (len(BODY), sha256(BODY).value)
    blob = await store.open(entry.blob)
    assert blob is not None
    assert blob.entry == entry
    await blob.close()


@pytest.mark.parametrize("body", [b"", b"x", BODY])
async def test_a_whole_body_that_is_put_is_as_one_that_was_committed(store: BlobStore, body: bytes) -> None:
    told = note()
    entry = await store.put(told, body)
    assert (entry.key, entry.url, entry.head, entry.validators, entry.tags, entry.size, entry.digest) == (
        *(told.key, told.url, told.head, told.validators, told.tags),
        *(len(body), sha256(body).value),
    )
    blob = await store.open(entry.blob)
    assert blob is not None
    assert await read(blob) == body
    assert blob.entry == entry
    await blob.close()


@pytest.mark.parametrize(("start", "end"), [(0, 1), (100, 5000), (10, None), (len(BODY) - 1, None), (7, 1 << 40)])
async def test_any_part_of_a_blob_can_be_read(store: BlobStore, start: int, end: int | None) -> None:
    blob = await store.open((await stored(store)).blob)
    assert blob is not None
    assert await read(blob, start, end) == BODY[start:end]
    await blob.close()


async def test_nothing_is_read_behind_the_end(store: BlobStore) -> None:
    blob = await store.open((await stored(store)).blob)
    assert blob is not None
    assert await read(blob, len(BODY), None) == b""
    await blob.close()


async def test_a_large_body_comes_in_pieces_of_bounded_size(store: BlobStore) -> None:
    body = BODY * 90
    blob = await store.open((await stored(store, body)).blob)
    assert blob is not None
    chunks = [chunk async for piece in blob.read(0, None) async for chunk in piece.chunks()]  # type: ignore[union-attr]
    assert b"".join(chunks) == body
    assert max(map(len, chunks)) <= 256 * 1024
    await blob.close()


async def test_a_span_gives_any_part_of_itself(store: BlobStore) -> None:
    blob = await store.open((await stored(store)).blob)
    assert blob is not None
    spans = [piece async for piece in blob.read(1000, 9000)]
    assert b"".join([bytes(chunk) async for chunk in spans[0].chunks(2000, 500)]) == BODY[2000:2500]  # type: ignore[union-attr]
    assert b"".join([bytes(chunk) async for chunk in spans[0].chunks(8000)]) == BODY[8000:9000]  # type: ignore[union-attr]
    assert spans[0].in_memory(1000, 8000)  # type: ignore[union-attr]
    await blob.close()


async def test_each_blob_has_a_name_of_its_own(store: BlobStore) -> None:
    first, second = await stored(store), await stored(store)
    assert first.blob != second.blob


async def test_resume_of_another_key_is_none(store: BlobStore) -> None:
    assert await store.resume("/m/b") is None


@pytest.mark.row(29, at="one reader of a deleted file")
async def test_a_deleted_blob_stays_readable_for_who_has_it_open(store: BlobStore) -> None:
    entry = await stored(store)
    blob = await store.open(entry.blob)
    assert blob is not None
    mark = store.changes.mark(entry.blob)
    assert await store.delete(entry.blob) > 0
    assert store.changes.since(mark)
    assert await read(blob) == BODY
    await blob.close()
    assert await store.open(entry.blob) is None
    assert await store.delete(entry.blob) == 0


@pytest.mark.parametrize("blob", ["", "ab", "..", "../../lock", "0123456789abcdef", "a\0b", "ffff.part"])
async def test_a_blob_that_is_not_there_is_none(store: BlobStore, blob: str) -> None:
    assert await store.open(blob) is None
    assert await store.delete(blob) == 0


async def test_a_body_of_exactly_the_largest_size_is_stored(store: BlobStore) -> None:
    body = b"x" * MOST
    assert (await stored(store, body, total=MOST)).size == MOST
