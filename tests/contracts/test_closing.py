"""The last descriptor of a file that has been deleted frees its bytes, 0.1 ms for each MiB: large ones on a thread, or
everybody would wait for that."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mirror.stores.disk import DiskStore
from mirror.stores.handles import LARGE
from tests.contracts.on_disk import disk
from tests.contracts.samples import BODY, note, stored

SIZES = [(LARGE + 1, True), (len(BODY), False)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DiskStore]:
    async with disk(tmp_path) as (opened, _):
        yield opened


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[bool]]:
    """Of each deleted file of the store that was closed: whether another thread did."""
    closed: list[tuple[str, bool]] = []
    plain, here = os.close, threading.get_ident()

    def close(fd: int) -> None:
        try:
            name = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            name = ""
        plain(fd)
        closed.append((name, threading.get_ident() != here))

    monkeypatch.setattr(os, "close", close)
    return lambda: [other for name, other in closed if name.startswith(str(tmp_path)) and "(deleted)" in name]


@pytest.mark.parametrize(("size", "thread"), SIZES)
async def test_the_last_reader_of_a_deleted_blob_leaves(
    store: DiskStore, elsewhere: Callable[[], list[bool]], size: int, thread: bool
) -> None:
    """Seen red: closed where the reader leaves."""
    entry = await stored(store, bytes(size))
    reader = await store.open(entry.blob)
    assert reader is not None
    await store.delete(entry.blob)
    assert elsewhere() == []
    await reader.close()
    async with asyncio.timeout(30):
        while not elsewhere():  # noqa: ASYNC110  nobody is told
            await asyncio.sleep(0)
    assert elsewhere() == [thread]


@pytest.mark.parametrize(("size", "thread"), SIZES)
async def test_a_partial_is_discarded(
    store: DiskStore, elsewhere: Callable[[], list[bool]], size: int, thread: bool
) -> None:
    """Seen red: closed where it is discarded."""
    partial = store.create(note())
    writer = partial.writer(0)
    writer.add(bytes(size))
    await writer.close()
    await partial.discard()
    await partial.close()
    assert elsewhere() == [thread]
