"""Descriptors of blobs are kept for the next reader: never of what is deleted, never of what is not as it was."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mirror.model import Entry
from mirror.stores.disk import DiskStore
from mirror.stores.handles import Handles
from tests.contracts.on_disk import disk
from tests.contracts.samples import BODY, read, stored


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DiskStore]:
    async with disk(tmp_path) as (opened, _):
        yield opened


def open_files(path: Path) -> list[str]:
    """The files below `path` that this process has open, deleted ones too."""
    links = (Path(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd"))
    return sorted(
        str(link.readlink()) for link in links if link.is_symlink() and str(link.readlink()).startswith(f"{path}/blobs")
    )


async def content(store: DiskStore, blob: str) -> bytes | None:
    opened = await store.open(blob)
    if opened is None:
        return None
    try:
        return await read(opened)
    finally:
        await opened.close()


async def test_the_second_reader_opens_nothing(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = await stored(store)
    assert await content(store, entry.blob) == BODY
    monkeypatch.setattr("mirror.stores.disk.open_blob", lambda _: None)
    assert await content(store, entry.blob) == BODY


@pytest.mark.row(29, at="one reader of a deleted file")
async def test_who_reads_a_deleted_blob_finishes_and_then_its_space_is_free(store: DiskStore, tmp_path: Path) -> None:
    entry = await stored(store)
    reader = await store.open(entry.blob)
    assert reader is not None
    await store.delete(entry.blob)
    assert await store.open(entry.blob) is None
    assert await read(reader) == BODY
    assert len(open_files(tmp_path)) == 1
    await reader.close()
    await reader.close()
    assert open_files(tmp_path) == []


@pytest.mark.row(50, at="a file that was changed while it is open")
@pytest.mark.parametrize(
    "spoil", [lambda file: os.truncate(file, 100), os.unlink, lambda file: os.rename(file, f"{file}x")]
)
async def test_a_file_that_is_not_as_it_was_is_not_served(
    store: DiskStore, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    entry = await stored(store)
    assert await content(store, entry.blob) == BODY
    file = tmp_path / "blobs.v1" / entry.blob[:2] / entry.blob
    spoil(file)
    moved = file.with_name(f"{file.name}x").exists()  # the same file under another name is the same bytes
    assert await content(store, entry.blob) == (BODY if moved else None)


async def test_a_blob_that_is_deleted_while_it_is_opened_is_not_kept(store: DiskStore, tmp_path: Path) -> None:
    """1. A thread opens the file. 2. The blob is deleted. 3. The reader gets what was opened."""
    entry = await stored(store)
    file = tmp_path / "blobs.v1" / entry.blob[:2] / entry.blob
    fd = os.open(file, os.O_RDONLY)
    file.unlink()
    handles = Handles(store._executor)
    handle = handles.keep(entry.blob, fd, entry)
    handle.enter()
    assert handles.get(entry.blob) is None
    handle.leave()
    assert open_files(tmp_path) == []


async def test_the_least_recently_used_goes_first(store: DiskStore, tmp_path: Path) -> None:
    entries: list[Entry] = [await stored(store, key=f"/m/{number}") for number in range(3)]
    handles = Handles(store._executor, 2)
    for entry in entries:
        file = tmp_path / "blobs.v1" / entry.blob[:2] / entry.blob
        handles.keep(entry.blob, os.open(file, os.O_RDONLY), entry)
    assert [handles.get(entry.blob) is not None for entry in entries] == [False, True, True]
    handles.close()
    assert open_files(tmp_path) == []
