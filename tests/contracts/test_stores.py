"""All stores of one cache path together: who may use it, and what a start finds after which stop."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from threading import Thread

import pytest

from mirror.errors import StoreError
from mirror.evict import Limits
from mirror.model import Fact
from mirror.stores import Stores, open_stores
from mirror.stores.shelf import DRAWN, Shelf
from tests.contracts.samples import BODY, entry, note, stored

LIMITS = Limits(1 << 40)


async def opened(path: Path, limits: Limits = LIMITS) -> Stores:
    stores = open_stores(path, limits, "none")
    await stores.start()
    await stores.room.reservation().grow(0)
    return stores


async def settled(stores: Stores) -> None:
    """Until what goes on behind the start is done."""
    async with asyncio.timeout(30):
        while not stores._clean:  # noqa: ASYNC110  nobody is told
            await asyncio.sleep(0.001)


async def crash(stores: Stores) -> None:
    """Stop as a killed server does: nothing is written down, the kernel closes the files."""
    assert stores._task is not None
    stores._task.cancel()
    await asyncio.wait([stores._task])
    stores._task = None
    await stores.close()


@pytest.mark.row(1, at="single moments of a kill, played")
async def test_what_was_stored_in_the_moment_before_a_kill_is_found_at_once(tmp_path: Path) -> None:
    """Seen red: nobody notes which blobs were stored last."""
    stores = await opened(tmp_path / "cache")
    await settled(stores)
    for key in ("/m/a", "/m/b"):
        assert await stores.index.get(key) is None
        await stores.index.put(await stored(stores.store, key=key))
    stores.index._pending.clear()  # that is what a kill does
    await stores.index.delete("/m/b")
    await crash(stores)
    stores = open_stores(tmp_path / "cache", LIMITS, "none")
    await stores.start()
    found = await stores.index.get("/m/a")
    assert found is not None
    blob = await stores.store.open(found.blob)
    assert blob is not None
    await blob.close()
    await settled(stores)
    await stores.close()


@pytest.mark.row(1, at="single moments of a kill, played")
async def test_after_a_crash_orphans_are_adopted_and_replaced_blobs_removed(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "cache")
    await settled(stores)
    orphan = await stored(stores.store, key="/m/orphan")
    old, new = await stored(stores.store), await stored(stores.store)
    await stores.index.put(new)
    await crash(stores)
    assert not (tmp_path / "cache" / "clean").exists()

    stores = await opened(tmp_path / "cache")
    await settled(stores)
    assert await stores.index.get("/m/orphan") == orphan
    assert await stores.index.get("/m/a") == new
    assert await stores.store.open(old.blob) is None
    await stores.close()


@pytest.mark.row(37, at="a handful of objects, the index deleted")
async def test_a_lost_index_is_found_again_in_the_blobs(tmp_path: Path) -> None:
    """Seen red: a lost index is not made again from the blobs."""
    stores = await opened(tmp_path / "cache")
    await settled(stores)
    known = await stored(stores.store)
    await stores.index.put(known)
    await stores.close()
    for path in (tmp_path / "cache" / "index.v1").iterdir():
        path.unlink()

    stores = await opened(tmp_path / "cache")
    await settled(stores)
    assert [found async for batch in stores.index.scan() for found in batch] == [known]
    await stores.close()


async def test_a_full_cache_evicts_blob_and_entry(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "cache", Limits(3_560_000))
    await settled(stores)
    first = await stored(stores.store, bytes(100_000), "/m/first", total=100_000)
    await stores.index.put(first)
    second = await stored(stores.store, bytes(100_000), "/m/second", total=100_000)
    await stores.index.put(second)
    assert stores.room.used <= 3_560_000
    assert await stores.index.get("/m/first") is None
    assert await stores.store.open(first.blob) is None
    assert await stores.index.get("/m/second") == second
    await stores.close()


async def test_index_and_facts_count_as_well(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "cache")
    before = stores.room.used
    await stores.facts.put("m", "/s", "d", [Fact(f"/{n}") for n in range(10_000)], 1e9)
    await stores.index.put(entry(tags=("x" * 3_000_000,)))
    assert stores.room.used >= before + 60_000 + 1_000_000
    await stores.close()


async def test_folders_count_where_there_are_many_names_in_them(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "cache")
    await settled(stores)
    before = stores.room.used
    await stores.close()
    folder = tmp_path / "cache" / "blobs.v1" / "ab"
    folder.mkdir()
    for n in range(20_000):
        (folder / f"ab{n:014x}").touch()  # it takes no block: only its name counts
    stores = await opened(tmp_path / "cache")
    assert stores.room.used >= before + folder.stat().st_blocks * 512 > before + 500_000
    await stores.close()


@pytest.mark.row(40, at="a cache in use, a path that cannot be used")
async def test_a_path_has_one_server(tmp_path: Path) -> None:
    """Seen red: two servers use one cache."""
    first = await opened(tmp_path / "cache")
    second = open_stores(tmp_path / "cache", LIMITS)
    with pytest.raises(StoreError, match=f"process {os.getpid()}"):
        await second.start()
    await second.close()
    await first.close()
    third = await opened(tmp_path / "cache")
    await third.close()


async def test_the_lock_of_a_killed_server_is_free(tmp_path: Path) -> None:
    code = (
        "import os,sys; from pathlib import Path; from mirror.stores.leasing import locked; locked(Path(sys.argv[1])); "
    )
    killed = [sys.executable, "-c", code + "os.kill(os.getpid(), 9)", str(tmp_path / "lock")]
    child = await asyncio.create_subprocess_exec(*killed)
    assert await child.wait() == -9
    assert (tmp_path / "lock").read_text()
    stores = await opened(tmp_path)
    await stores.close()


@pytest.mark.row(40, 50, at="a folder that everybody may write to")
async def test_a_path_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    """Seen red: a cache that everybody may write to is used."""
    tmp_path.chmod(0o777)
    with pytest.raises(StoreError, match="trusted"):
        await open_stores(tmp_path, LIMITS).start()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.row(50, at="the folder is closed to other users")
async def test_the_path_is_made_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    stores = await opened(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    await stores.close()


@pytest.mark.row(40, at="a cache in use, a path that cannot be used")
@pytest.mark.parametrize("name", ["", "lock", "partial", "facts.v1"])
async def test_a_path_that_cannot_be_used_is_one_clear_error(tmp_path: Path, name: str) -> None:
    """Seen red: a path that cannot be used is told by the system's error alone."""
    path = tmp_path / "cache"
    if name == "lock":
        (path / name).mkdir(parents=True)
    elif name:
        path.mkdir()
        (path / name).touch()
    else:
        path.touch()
    stores = open_stores(path, LIMITS)
    with pytest.raises(StoreError, match="cannot use"):
        await stores.start()
    await stores.close()
    if name != "lock":
        assert name == "" or not (path / "clean").exists()


@pytest.mark.parametrize("clean", [False, True])
async def test_a_count_that_fails_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: bool) -> None:
    if clean:
        stores = await opened(tmp_path / "cache")
        await settled(stores)
        await stores.close()
    stores = open_stores(tmp_path / "cache", LIMITS, "none")

    async def fail() -> list[str]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(stores.store, "count", fail)
    await stores.start()
    async with asyncio.timeout(30):
        await stored(stores.store)
    async with asyncio.timeout(30):
        while not stores.room._counted:  # noqa: ASYNC110  nobody is told
            await asyncio.sleep(0.001)
    await stores.close()
    assert not (tmp_path / "cache" / "clean").exists()


@pytest.mark.row(1, at="single moments of a kill, played")
async def test_downloads_kept_before_a_crash_are_gone_on_with(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "cache")
    partial = stores.store.create(note(total=len(BODY)))
    writer = partial.writer(0)
    writer.add(BODY[:100])
    await writer.close()
    await partial.keep()
    await partial.close()
    await crash(stores)
    stores = await opened(tmp_path / "cache")
    await settled(stores)
    resumed = await stores.store.resume("/m/a")
    assert resumed is not None
    assert list(resumed.extents) == [(0, 100)]
    await resumed.discard()
    await resumed.close()
    await stores.close()


def test_ids_are_sixteen_digits_and_never_come_twice(tmp_path: Path) -> None:
    """Seen red: where what was drawn is not used up."""
    shelf = Shelf(tmp_path, "none")
    names: list[str] = []
    threads = [Thread(target=lambda: names.extend(shelf.fresh().name for _ in range(3 * DRAWN))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({*names}) == len(names) == 12 * DRAWN
    assert all(re.fullmatch(r"[0-9a-f]{16}\.part", name) for name in names)
