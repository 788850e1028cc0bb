"""The bytes of a blob are looked at before anybody gets the last of them: once, and again when its file was written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mirror.errors import StoreError
from mirror.stores.blob import AT_ONCE, HELD
from mirror.stores.disk import DiskStore
from tests.contracts.on_disk import disk
from tests.contracts.samples import BODY, read, stored

LARGE = BODY * (AT_ONCE // len(BODY) + 20)


def file_of(path: Path, blob: str) -> Path:
    return path / "blobs.v1" / blob[:2] / blob


def flip(file: Path, at: int) -> None:
    """One bit, as a disk does it: nobody has written to the file."""
    status = file.stat()
    with file.open("r+b", buffering=0) as opened:
        opened.seek(at)
        byte = opened.read(1)[0]
        opened.seek(at)
        opened.write(bytes([byte ^ 4]))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


async def cached(path: Path, body: bytes) -> str:
    async with disk(path) as (store, _):
        return (await stored(store, body)).blob


async def content(store: DiskStore, blob: str) -> bytes | None:
    if (opened := await store.open(blob)) is None:
        return None
    try:
        return await read(opened)
    finally:
        await opened.close()


@pytest.mark.row(6)
class TestFlipped:
    """Seen red: without `Proofs.begin` in `DiskStore._opened`."""

    @pytest.mark.parametrize("at", [0, len(BODY) // 2, len(BODY) - 1])
    async def test_a_small_one_is_none_and_its_file_goes(self, tmp_path: Path, at: int) -> None:
        """Seen red: the bytes of a blob are not looked at when it is used first."""
        blob = await cached(tmp_path, BODY)
        flip(file_of(tmp_path, blob), at)
        async with disk(tmp_path) as (store, _):
            assert await store.open(blob) is None
            assert not file_of(tmp_path, blob).exists()

    @pytest.mark.parametrize("at", [0, len(LARGE) // 2, len(LARGE) - 1])
    async def test_a_large_one_breaks_off_before_its_end(self, tmp_path: Path, at: int) -> None:
        blob = await cached(tmp_path, LARGE)
        flip(file_of(tmp_path, blob), at)
        async with disk(tmp_path) as (store, _):
            opened = await store.open(blob)
            assert opened is not None
            pieces = opened.read(0, None)
            first = await anext(pieces)
            assert not isinstance(first, bytes | memoryview)
            assert first.count == len(LARGE) - HELD
            with pytest.raises(StoreError):
                await anext(pieces)
            await opened.close()
            assert await store.open(blob) is None

    @pytest.mark.parametrize("count", [1, HELD, HELD + 1])
    async def test_a_range_far_from_the_wrong_bit_is_not_complete_either(self, tmp_path: Path, count: int) -> None:
        blob = await cached(tmp_path, LARGE)
        flip(file_of(tmp_path, blob), len(LARGE) - 1)
        async with disk(tmp_path) as (store, _):
            opened = await store.open(blob)
            assert opened is not None
            with pytest.raises(StoreError):
                await read(opened, 0, count)
            await opened.close()

    async def test_who_writes_to_the_file_of_a_blob_that_was_right_is_noticed(self, tmp_path: Path) -> None:
        """Seen red: nobody notices that a blob's file was written to."""
        async with disk(tmp_path) as (store, _):
            blob = (await stored(store)).blob
            assert await content(store, blob) == BODY
            file = file_of(tmp_path, blob)
            flip(file, 5)
            os.utime(file)
            assert store.at_hand(blob) is None
            assert await content(store, blob) is None

    async def test_it_is_deleted_for_who_leaves_early_too(self, tmp_path: Path) -> None:
        blob = await cached(tmp_path, LARGE)
        flip(file_of(tmp_path, blob), 7)
        async with disk(tmp_path) as (store, _):
            opened = await store.open(blob)
            assert opened is not None
            proof = opened._handle.proof if opened._handle else None
            await opened.close()
            assert proof is not None
            assert not await proof
            assert not file_of(tmp_path, blob).exists()


class TestRight:
    @pytest.mark.parametrize("body", [b"", BODY, LARGE], ids=["empty", "small", "large"])
    async def test_all_of_it_comes_and_is_at_hand_from_then_on(self, tmp_path: Path, body: bytes) -> None:
        blob = await cached(tmp_path, body)
        async with disk(tmp_path) as (store, _):
            assert store.at_hand(blob) is None
            assert await content(store, blob) == body
            again = store.at_hand(blob)
            assert again is not None
            assert await read(again) == body
            await again.close()

    async def test_it_is_hashed_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Seen red: without `trust` in `Proofs._prove`."""
        blob = await cached(tmp_path, BODY)
        async with disk(tmp_path) as (store, _):
            assert await content(store, blob) == BODY
            store.touch(blob, 2e9)
            await store.note_use()  # which sets the file's access time
            store._handles.drop(blob)
            monkeypatch.setattr("mirror.stores.proving._hash", None)
            assert await content(store, blob) == BODY

    async def test_what_was_stored_by_this_process_is_not_hashed_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Seen red: without `trust` in `DiskStore._stands`."""
        monkeypatch.setattr("mirror.stores.proving._hash", None)
        async with disk(tmp_path) as (store, _):
            assert await content(store, (await stored(store, LARGE)).blob) == LARGE

    async def test_a_store_that_closes_does_not_wait_for_all_of_it(self, tmp_path: Path) -> None:
        blob = await cached(tmp_path, LARGE)
        async with disk(tmp_path) as (store, _):
            opened = await store.open(blob)
            assert opened is not None
            await opened.close()
        assert file_of(tmp_path, blob).exists()

    async def test_a_disk_that_cannot_be_read_keeps_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Seen red: with `refuse` on OSError too."""

        def broken(*_: object) -> None:
            raise OSError(5, "Input/output error")

        blob = await cached(tmp_path, BODY)
        async with disk(tmp_path) as (store, _):
            with monkeypatch.context() as patched:
                patched.setattr("mirror.stores.proving._hash", broken)
                assert await store.open(blob) is None
            assert await content(store, blob) == BODY
