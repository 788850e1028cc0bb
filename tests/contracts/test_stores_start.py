"""What a start does not wait for, and what it makes of a kill: with many entries, that is all the difference."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirror.evict import Limits, Room
from mirror.stores import Stores, open_stores
from mirror.stores.counting import Pace, count
from mirror.stores.damage import Looking, damage
from mirror.stores.sqlite import DiskcacheIndex
from tests.contracts.samples import keys, stored
from tests.contracts.test_index_broken import damaged
from tests.contracts.test_stores import LIMITS, crash, opened, settled


async def counted(stores: Stores) -> None:
    """Until all is counted that stood on disk at the start."""
    async with asyncio.timeout(30):
        while not stores.room._counted:  # noqa: ASYNC110  nobody is told
            await asyncio.sleep(0.001)


async def never(*_: object) -> list[str]:
    """A count that does not end."""
    await asyncio.Event().wait()
    return []


async def filled(path: Path, *keys: str) -> list[str]:
    """A cache that holds an entry of each key; their blobs. It was stopped as it should be."""
    stores = await opened(path)
    await settled(stores)
    blobs = []
    for key in keys:
        known = await stored(stores.store, key=key)
        await stores.index.put(known)
        blobs.append(known.blob)
    await stores.close()
    return blobs


class TestWhileItIsCounted:
    @pytest.mark.row(37, at="nobody waits for the count of what is stored")
    @pytest.mark.parametrize("clean", [True, False])
    async def test_what_comes_is_stored(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: bool) -> None:
        """Seen red: a start waits until all is counted."""
        await filled(tmp_path / "cache", "/m/a", "/m/b")
        if not clean:
            await crash(await opened(tmp_path / "cache"))
        monkeypatch.setattr("mirror.stores.disk.count", never)
        stores = open_stores(tmp_path / "cache", LIMITS, "none")
        await stores.start()
        async with asyncio.timeout(30):
            await stored(stores.store, key="/m/c")
        assert stores.room.stored >= 3 * 12288
        await stores.close()

    async def test_a_stop_then_is_as_clean_as_the_start(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        await filled(tmp_path / "cache", "/m/a", "/m/b")
        monkeypatch.setattr("mirror.stores.disk.count", never)
        stores = open_stores(tmp_path / "cache", LIMITS, "none")
        await stores.start()
        async with asyncio.timeout(30):
            await stored(stores.store, key="/m/c")
        await stores.close()
        assert (tmp_path / "cache" / "clean").exists()
        assert int((tmp_path / "cache" / "taken").read_text()) == 3 * 12288

    async def test_a_stop_then_says_nothing_of_what_nobody_counted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await filled(tmp_path / "cache", "/m/a")
        (tmp_path / "cache" / "taken").unlink()
        monkeypatch.setattr("mirror.stores.disk.count", never)
        stores = open_stores(tmp_path / "cache", LIMITS, "none")
        await stores.start()
        await stores.close()
        assert not (tmp_path / "cache" / "taken").exists()

    async def test_the_least_recently_used_of_one_folder_goes_first(self, tmp_path: Path) -> None:
        (tmp_path / "ab").mkdir()
        for at, name in enumerate(["b", "d", "a", "c"]):
            (tmp_path / "ab" / name).write_bytes(b"x")
            os.utime(tmp_path / "ab" / name, (at, 1))
        room = Room(LIMITS, free=lambda _: 1 << 50)

        async def run(call: Callable[..., Any], *args: Any) -> Any:
            return call(*args)

        assert await count(run, tmp_path, [(1.5, "e.part", 1)], room, Pace()) == ["b", "d", "e.part", "a", "c"]
        assert room.recency() == ["b", "d", "e.part", "a", "c"]
        room = Room(LIMITS, free=lambda _: 1 << 50)
        room.arrange = lambda _, again=False: None  # type: ignore[method-assign]
        await count(run, tmp_path, [], room, Pace())
        assert room.recency() == ["b", "d", "a", "c"]

    async def test_a_full_cache_evicts_what_is_there_already_found(self, tmp_path: Path) -> None:
        old = await filled(tmp_path / "cache", *(f"/m/{n}" for n in range(20)))
        stores = await opened(tmp_path / "cache", Limits(3_700_000))
        await stored(stores.store, bytes(200_000), "/m/large", total=200_000)
        await counted(stores)
        assert stores.room.used <= 3_700_000
        assert set(stores.room.recency()) < {*old, *(path.name for path in (tmp_path / "cache").rglob("blobs.v1/*/*"))}
        await stores.close()

    async def test_where_nobody_knows_how_much_is_taken_it_is_counted_first(self, tmp_path: Path) -> None:
        await filled(tmp_path / "cache", "/m/a")
        (tmp_path / "cache" / "taken").unlink()
        stores = await opened(tmp_path / "cache")
        await stored(stores.store, key="/m/b")
        assert stores.room.stored == 2 * 12288
        await stores.close()
        assert int((tmp_path / "cache" / "taken").read_text()) == 2 * 12288


async def test_after_a_kill_no_less_is_assumed_than_is_there(tmp_path: Path) -> None:
    limits = Limits(64_000_000)
    stores = await opened(tmp_path / "cache", limits)
    await settled(stores)
    for n in range(30):
        await stored(stores.store, bytes(200_000), f"/m/{n}", total=200_000)
        there = sum(path.stat().st_blocks * 512 for path in (tmp_path / "cache" / "blobs.v1").rglob("*/*"))
        assert int((tmp_path / "cache" / "taken").read_text()) >= there
    await crash(stores)


class TestAfterAKill:
    @pytest.mark.row(37, at="300 objects: a damaged index is made again beside the requests")
    async def test_a_damaged_index_is_replaced_while_it_runs(self, tmp_path: Path) -> None:
        """Seen red: after a kill nobody looks whether the index is damaged."""
        names = [f"/m/{n}" for n in range(300)]
        stores = await opened(tmp_path / "cache")
        await settled(stores)
        for name in names:
            await stores.index.put(await stored(stores.store, key=name, tags=("x" * 1000,)))
        await crash(stores)
        damaged(tmp_path / "cache" / "index.v1" / "cache.db")
        stores = await opened(tmp_path / "cache")
        await settled(stores)
        assert stores.index.rebuilt
        assert await keys(stores.index) == sorted(names)
        await stores.close()
        assert (tmp_path / "cache" / "clean").exists()

    async def test_a_stop_does_not_wait_for_the_look_at_the_database(
        self, on_disk: DiskcacheIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, stopped = threading.Event(), threading.Event()

        def look(_looking: Looking) -> str:
            begun.set()
            assert stopped.wait(20)
            return "stopped"

        monkeypatch.setattr(Looking, "look", look)
        monkeypatch.setattr(Looking, "stop", lambda _looking: stopped.set())
        task = asyncio.create_task(damage(on_disk._path / "cache.db"))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stopped.is_set()

    async def test_a_look_that_is_stopped_in_the_middle_says_nothing(
        self, on_disk: DiskcacheIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looking = Looking(on_disk._path / "cache.db")
        stopped: list[str] = []
        plain = sqlite3.connect

        def connect(*args: Any, **named: Any) -> sqlite3.Connection:
            database = plain(*args, **named)
            database.set_trace_callback(lambda statement: (stopped.append(statement), looking.stop())[1])
            return database

        monkeypatch.setattr("mirror.stores.damage.sqlite3.connect", connect)
        assert await asyncio.to_thread(looking.look) == ""
        assert stopped
        looking.stop()

    def test_a_look_that_is_stopped_says_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "cache.db").write_bytes(b"no database" * 1000)
        looking = Looking(tmp_path / "cache.db")
        assert looking.look()
        looking.stop()
        assert looking.look() == ""
