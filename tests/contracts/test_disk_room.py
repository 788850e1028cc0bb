"""The store on disk keeps its size: what counts, who is evicted, and what is given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mirror.errors import Mismatch, NoRoom, StoreError
from mirror.evict import Limits, Room
from mirror.stores.disk import DiskStore
from tests.contracts.on_disk import disk, files, keep
from tests.contracts.samples import BODY, note, sha256, stored


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DiskStore]:
    async with disk(tmp_path) as (opened, _):
        yield opened


class TestRoom:
    async def test_what_is_stored_counts_as_what_the_files_take(self, tmp_path: Path) -> None:
        async with disk(tmp_path) as (store, room):
            await stored(store)
            await stored(store, b"", "/m/empty")
            taken = sum(file.stat().st_blocks * 512 for file in (tmp_path / "blobs.v1").rglob("*") if file.is_file())
            assert room.used == taken

    async def test_the_least_recently_used_makes_room(self, tmp_path: Path) -> None:
        async with disk(tmp_path, Limits(50_000)) as (store, room):
            old = await stored(store, b"old", total=3)
            used = await stored(store, b"used", "/m/b", total=4)
            store.touch(old.blob, 5.0)
            await stored(store, bytes(25_000), "/m/c", total=25_000)
            assert await store.open(used.blob) is None
            blob = await store.open(old.blob)
            assert blob is not None
            await blob.close()
            assert room.used <= 50_000

    async def test_an_object_larger_than_the_cache_evicts_nothing(self, tmp_path: Path) -> None:
        async with disk(tmp_path, Limits(100_000)) as (store, room):
            entry = await stored(store, total=len(BODY))
            partial = store.create(note(total=200_000))
            writer = partial.writer(0)
            writer.add(b"x")
            with pytest.raises(NoRoom):
                await writer.close()
            await partial.discard()
            await partial.close()
            assert room.recency() == [entry.blob]

    async def test_commit_too_finds_no_room(self, tmp_path: Path) -> None:
        async with disk(tmp_path, Limits(1000)) as (store, _):
            partial = store.create(note(total=0))
            with pytest.raises(NoRoom):
                await partial.commit(0, None)
            await partial.discard()
            await partial.close()
            assert files(tmp_path) == []

    async def test_a_wrong_body_is_a_mismatch_where_there_is_no_room_too(self, tmp_path: Path) -> None:
        async with disk(tmp_path, Limits(1000)) as (store, _):
            partial = store.create(note(total=0))
            with pytest.raises(Mismatch):
                await partial.commit(0, sha256(b"x"))
            await partial.close()

    @pytest.mark.parametrize(("end", "left"), [("discard", 0), ("keep", 16384), ("commit", 12288)])
    async def test_no_reservation_is_left(self, tmp_path: Path, end: str, left: int) -> None:
        async with disk(tmp_path) as (store, room):
            partial = store.create(note(total=len(BODY)))
            writer = partial.writer(0)
            writer.add(BODY)
            await writer.close()
            assert room.used == 28672  # body and room for the footer, in whole blocks
            ends: dict[str, Callable[[], Awaitable[object]]] = {
                "discard": partial.discard,
                "keep": partial.keep,
                "commit": lambda: partial.commit(len(BODY), None),
            }
            await ends[end]()
            await partial.close()
            assert room.used == left

    async def test_who_waits_for_room_when_it_is_given_up_takes_none(self, tmp_path: Path) -> None:
        room = Room(Limits(1 << 40), free=lambda _: 1 << 50)
        store = DiskStore(tmp_path, room, "none")
        await store.start()
        partial = store.create(note())
        writer = partial.writer(0)
        writer.add(BODY)
        closing = asyncio.create_task(writer.close())
        await asyncio.sleep(0)
        discarding = asyncio.create_task(partial.discard())
        await asyncio.sleep(0)
        await store.count()
        with pytest.raises(StoreError):
            await closing
        await discarding
        await partial.close()
        assert room.used == 0
        assert files(tmp_path) == []
        await store.close()

    async def test_a_partial_that_is_resumed_meanwhile_is_not_evicted(self, tmp_path: Path) -> None:
        async with disk(tmp_path) as (store, room):
            await keep(store)
            (name,) = room.recency()
            resumed = await store.resume("/m/a")
            assert resumed is not None
            assert await store.delete(name) == 0
            assert len(files(tmp_path / "partial")) == 2
            await resumed.discard()
            await resumed.close()

    async def test_a_kept_partial_is_evicted_as_others_are(self, tmp_path: Path) -> None:
        async with disk(tmp_path, Limits(60_000)) as (store, room):
            await keep(store)
            await stored(store, bytes(40_000), "/m/b", total=40_000)
            assert await store.resume("/m/a") is None
            assert files(tmp_path / "partial") == []
            assert room.used <= 60_000

    async def test_a_purge_forgets_the_kept_partials_of_its_keys(self, tmp_path: Path, store: DiskStore) -> None:
        await keep(store, "/m/a")
        await keep(store, "/n/a")
        assert await store.forget(lambda key: key.startswith("/m/")) > 0
        assert await store.resume("/m/a") is None
        assert len(files(tmp_path / "partial")) == 2
