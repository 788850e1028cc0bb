"""Files that are no whole blobs of ours are never served, and odd header fields come back."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from functools import partial as bind
from pathlib import Path

import pytest

from mirror.model import Head, Headers
from mirror.stores.disk import DiskStore
from tests.contracts.on_disk import disk
from tests.contracts.samples import stored


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DiskStore]:
    async with disk(tmp_path) as (opened, _):
        yield opened


def blob_file(path: Path, blob: str) -> Path:
    return path / "blobs.v1" / blob[:2] / blob


def _link(file: Path) -> None:
    file.rename(file.with_name("real"))
    file.symlink_to("real")


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _flip(at: int, file: Path) -> None:
    body = bytearray(file.read_bytes())
    body[at] ^= 1
    file.write_bytes(body)


def _renamed(file: Path) -> None:
    """Another blob's file under this name."""
    other = file.read_bytes().replace(file.name.encode(), b"0" * len(file.name))
    file.write_bytes(other)


PLANTED: dict[str, Callable[[Path], object]] = {
    "a link": _link,
    "a pipe": _fifo,
    "a folder": _folder,
    "gone": Path.unlink,
    "empty": lambda file: os.truncate(file, 0),
    "cut in the body": lambda file: os.truncate(file, 100),
    "cut by one byte": lambda file: os.truncate(file, file.stat().st_size - 1),
    "grown": lambda file: file.write_bytes(file.read_bytes() + b"x"),
    "shifted": lambda file: file.write_bytes(file.read_bytes()[1:]),
    "another blob": _renamed,
    **{f"bit flipped at {at}": bind(_flip, at) for at in (-1, -5, -9, -13, -16, -17, -60, -200)},
}


class TestPlanted:
    @pytest.mark.row(
        6,
        50,
        at="18 kinds, looked at when a file is opened: links, pipes, cuts, bits flipped behind a body",
    )
    @pytest.mark.parametrize("how", PLANTED)
    async def test_what_is_no_whole_blob_is_none(self, tmp_path: Path, store: DiskStore, how: str) -> None:
        entry = await stored(store)
        PLANTED[how](blob_file(tmp_path, entry.blob))
        assert await store.open(entry.blob) is None

    @pytest.mark.row(50, at="a body that is a blob itself")
    async def test_a_blob_that_holds_a_blob_is_not_mistaken_for_it_when_cut(
        self, tmp_path: Path, store: DiskStore
    ) -> None:
        inner = blob_file(tmp_path, (await stored(store)).blob).read_bytes()
        outer = await stored(store, inner)
        os.truncate(blob_file(tmp_path, outer.blob), len(inner))
        assert await store.open(outer.blob) is None

    @pytest.mark.row(50, at="files that do not belong there are passed over")
    async def test_what_does_not_belong_there_does_not_stop_the_count(self, tmp_path: Path, store: DiskStore) -> None:
        entry = await stored(store)
        (tmp_path / "blobs.v1" / "file").touch()
        (tmp_path / "blobs.v1" / "link").symlink_to("/nowhere/at/all")
        assert await store.count() == [entry.blob]

    @pytest.mark.parametrize("value", ['"quoted" \\', "caf\xe9 \xff", "\t ", "日本", "\x7f\x80", "x" * 60_000])
    async def test_odd_fields_come_back_from_the_footer(self, store: DiskStore, value: str) -> None:
        head = Head(200, Headers((("x-odd", value), ("x-odd", ""))), 0.1, 1e12)
        entry = await stored(store, head=head, tags=(value,))
        blob = await store.open(entry.blob)
        assert blob is not None
        assert blob.entry == entry
        assert blob.entry.head == head
        await blob.close()
