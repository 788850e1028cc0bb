"""What every index keeps to, and what the one on disk survives."""

from __future__ import annotations

import asyncio
import logging
import pickle
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diskcache
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror.errors import StoreError
from mirror.model import Entry
from mirror.ports import Index
from mirror.stores import codec
from mirror.stores.memory import MemoryIndex
from mirror.stores.sqlite import DiskcacheIndex
from tests.contracts.samples import entry

DATABASE = "cache.db"


@pytest.fixture
async def on_disk(tmp_path: Path) -> AsyncIterator[DiskcacheIndex]:
    index = DiskcacheIndex(tmp_path / "index.v1", timeout=0.05)
    await index.start()
    yield index
    await index.close()


@pytest.fixture(params=["disk", "memory"])
async def index(request: pytest.FixtureRequest, on_disk: DiskcacheIndex) -> Index:
    return on_disk if request.param == "disk" else MemoryIndex()


async def keys(index: Index, prefix: str = "") -> list[str]:
    return [entry.key async for batch in index.scan(prefix) for entry in batch]


async def reopened(index: DiskcacheIndex, **options: Any) -> DiskcacheIndex:
    await index.close()
    again = DiskcacheIndex(index._path, **options)
    await again.start()
    return again


class TestEveryIndex:
    async def test_what_was_put_is_there(self, index: Index) -> None:
        assert await index.get("/m/a") is None
        await index.put(entry())
        assert await index.get("/m/a") == entry()

    async def test_the_newer_entry_replaces_the_older(self, index: Index) -> None:
        await index.put(entry(blob="old"))
        await index.put(entry(blob="new"))
        found = await index.get("/m/a")
        assert found is not None
        assert found.blob == "new"
        assert await keys(index) == ["/m/a"]

    async def test_what_was_deleted_is_gone(self, index: Index) -> None:
        await index.put(entry())
        await index.delete("/m/a")
        await index.delete("/m/never")
        assert await index.get("/m/a") is None
        assert await keys(index) == []

    async def test_what_was_deleted_can_be_put_again(self, index: Index) -> None:
        await index.put(entry(blob="old"))
        await index.delete("/m/a")
        await index.put(entry(blob="new"))
        assert await index.get("/m/a") == entry(blob="new")
        assert await keys(index) == ["/m/a"]

    async def test_a_prefix_means_its_characters_and_their_case(self, index: Index) -> None:
        for key in ("/m/a%_", "/m/aXY", "/M/a%_", "/m/a", "/m/a%_/b", "/m/b", "/m/a\U0010ffffz"):
            await index.put(entry(key))
        assert await keys(index, "/m/a%_") == ["/m/a%_", "/m/a%_/b"]
        assert await keys(index, "/M") == ["/M/a%_"]
        assert await keys(index, "/m/a\U0010ffff") == ["/m/a\U0010ffffz"]
        assert await keys(index, "/z") == []

    async def test_all_keys_come_in_order_and_in_batches(self, index: Index) -> None:
        expected = [f"/m/{n:04}" for n in range(1203)]
        for key in reversed(expected):
            await index.put(entry(key))
        batches = [[entry.key for entry in batch] async for batch in index.scan("/m/")]
        assert [len(batch) for batch in batches] == [500, 500, 203]
        assert [key for batch in batches for key in batch] == expected

    async def test_a_scan_is_complete_while_others_write(self, index: Index) -> None:
        expected = [f"/m/{n:04}" for n in range(1000)]
        for key in expected:
            await index.put(entry(key))
        seen = []
        async for batch in index.scan():
            seen += [entry.key for entry in batch]
            await index.delete(seen[0])
            await index.put(entry("/m/0000-new"))
        assert seen == expected

    async def test_a_batch_is_never_empty(self, index: Index) -> None:
        for n in range(500):
            await index.put(entry(f"/m/{n:04}"))
        assert [len(batch) async for batch in index.scan("/m/")] == [500]


class TestOnDisk:
    async def test_entries_outlive_the_process(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry())
        await on_disk.put(entry("/m/b"))
        await on_disk.delete("/m/b")
        again = await reopened(on_disk)
        assert await again.get("/m/a") == entry()
        assert await again.get("/m/b") is None
        assert not again.rebuilt
        await again.close()
        await again.close()

    async def test_a_hot_entry_needs_no_thread(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry())
        reading = on_disk.get("/m/a")
        with pytest.raises(StopIteration) as ended:
            reading.send(None)  # to its end without waiting for anything
        assert ended.value.value == entry()

    async def test_no_more_entries_are_in_memory_than_allowed(self, on_disk: DiskcacheIndex) -> None:
        again = await reopened(on_disk, hot=2)
        for key in ("/m/a", "/m/b", "/m/c"):
            await again.put(entry(key))
        await again.get("/m/b")
        await again.get("/m/a")
        assert list(again._hot) == ["/m/b", "/m/a"]
        assert await again.get("/m/c") == entry("/m/c")
        await again.close()

    async def test_a_read_that_is_overtaken_by_a_write_gives_the_newer_entry(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry(blob="old"))
        on_disk._hot.clear()
        reading = asyncio.create_task(on_disk.get("/m/a"))
        await asyncio.sleep(0)  # the read is on its way to the thread
        await on_disk.put(entry(blob="new"))
        assert await reading == entry(blob="new")
        assert await on_disk.get("/m/a") == entry(blob="new")

    async def test_a_read_that_is_overtaken_by_a_delete_brings_nothing_back(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry())
        on_disk._hot.clear()
        reading = asyncio.create_task(on_disk.get("/m/a"))
        await asyncio.sleep(0)
        await on_disk.delete("/m/a")
        assert await reading is None
        assert await on_disk.get("/m/a") is None

    async def test_the_size_on_disk_is_told(self, on_disk: DiskcacheIndex) -> None:
        before = on_disk.bytes_on_disk()
        for n in range(300):
            await on_disk.put(entry(f"/m/{n}", tags=("x" * 1000,)))
        assert on_disk.bytes_on_disk() >= before + 300_000

    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), text=st.text())
    async def test_any_text_is_kept_as_it_is(self, on_disk: DiskcacheIndex, key: str, text: str) -> None:
        await on_disk.put(entry(key, url=text, tags=(text,)))
        on_disk._hot.clear()
        assert await on_disk.get(key) == entry(key, url=text, tags=(text,))

    async def test_a_key_that_no_database_takes_is_no_error(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry("/m/\ud800"))
        on_disk._hot.clear()
        assert await on_disk.get("/m/\ud800") is None


class Bomb:
    """Breaks the test when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return pytest.fail, ("a planted pickle was loaded",)


def plant(path: Path, statement: str, *values: Any) -> None:
    """Write into the database behind the index's back."""
    with sqlite3.connect(path / DATABASE) as database:
        database.execute(statement, values)
    database.close()


PLANT = "INSERT INTO Cache (key, raw, mode, filename, value) VALUES (?, ?, ?, ?, ?)"


class TestPlantedRows:
    async def test_a_pickle_is_never_loaded(self, on_disk: DiskcacheIndex) -> None:
        bomb = pickle.dumps(Bomb())
        await on_disk.put(entry("/m/z"))
        plant(on_disk._path, PLANT, "/m/a", 1, diskcache.core.MODE_PICKLE, None, bomb)
        plant(on_disk._path, PLANT, bomb, 0, diskcache.core.MODE_PICKLE, None, bomb)
        plant(on_disk._path, PLANT, bomb, 1, diskcache.core.MODE_PICKLE, None, bomb)
        (on_disk._path / "planted.val").write_bytes(bomb)
        plant(on_disk._path, PLANT, "/m/b", 1, diskcache.core.MODE_PICKLE, "planted.val", None)
        assert await on_disk.get("/m/a") is None
        assert await on_disk.get("/m/b") is None
        assert await keys(on_disk) == ["/m/z"]

    async def test_what_is_no_entry_is_a_miss_and_hides_no_other(self, on_disk: DiskcacheIndex) -> None:
        for n in range(600):
            plant(on_disk._path, PLANT, f"/m/{n:04}", 1, 1, None, "{" if n % 2 else b"\xff")
        await on_disk.put(entry("/m/a"))
        assert await on_disk.get("/m/0001") is None
        assert await keys(on_disk) == ["/m/a"]

    async def test_an_entry_under_another_key_is_a_miss(self, on_disk: DiskcacheIndex) -> None:
        plant(on_disk._path, PLANT, "/m/b", 1, 1, None, codec.dump_entry(entry("/m/a")))
        assert await on_disk.get("/m/b") is None


def _cut(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:5000])


def _link(database: Path) -> None:
    database.unlink()
    database.symlink_to("/nowhere/at/all")


def _folder(database: Path) -> None:
    database.unlink()
    database.mkdir()
    (database / "file").touch()


BREAKS: dict[str, Callable[[Path], object]] = {
    "not a database": lambda database: database.write_bytes(b"no database" * 1000),
    "cut": _cut,
    "a folder": _folder,
    "a link to nowhere": _link,
    "not ours": lambda database: plant(database.parent, "INSERT INTO Settings VALUES ('disk_planted', 1)"),
}


class TestBroken:
    @pytest.mark.parametrize("how", BREAKS)
    async def test_what_cannot_be_opened_is_moved_aside(self, on_disk: DiskcacheIndex, how: str) -> None:
        await on_disk.put(entry())
        await on_disk.close()
        BREAKS[how](on_disk._path / DATABASE)
        again = DiskcacheIndex(on_disk._path)
        await again.start()
        assert again.rebuilt
        assert await again.get("/m/a") is None
        await again.put(entry())
        assert await keys(again) == ["/m/a"]
        assert [path.name for path in on_disk._path.parent.glob("broken-*")] == ["broken-1"]
        await again.close()

    async def test_only_the_newest_broken_one_is_kept_and_counted(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.close()
        for length in (100_000, 300_000):
            (on_disk._path / DATABASE).write_bytes(b"x" * length)
            again = DiskcacheIndex(on_disk._path)
            await again.start()
            await again.close()
        assert [path.name for path in on_disk._path.parent.glob("broken-*")] == ["broken-2"]
        assert again.bytes_on_disk() >= 300_000

    @pytest.mark.parametrize("lost", [Path.unlink, lambda database: database.write_bytes(b"")])
    async def test_a_lost_database_is_rebuilt(self, on_disk: DiskcacheIndex, lost: Callable[[Path], Any]) -> None:
        await on_disk.put(entry())
        await on_disk.close()
        lost(on_disk._path / DATABASE)
        again = DiskcacheIndex(on_disk._path)
        await again.start()
        assert again.rebuilt
        await again.close()

    async def test_damage_in_the_middle_is_found_where_it_is_looked_for(self, on_disk: DiskcacheIndex) -> None:
        for n in range(300):
            await on_disk.put(entry(f"/m/{n}", tags=("x" * 1000,)))
        await on_disk.close()
        damaged(on_disk._path / DATABASE)
        again = DiskcacheIndex(on_disk._path)
        await again.start(check=True)
        assert again.rebuilt
        await again.close()

    async def test_damage_that_shows_later_is_a_miss_and_remembered(self, on_disk: DiskcacheIndex) -> None:
        for n in range(300):
            await on_disk.put(entry(f"/m/{n}", tags=("x" * 1000,)))
        await on_disk.close()
        damaged(on_disk._path / DATABASE)
        again = DiskcacheIndex(on_disk._path)
        await again.start()
        assert not again.suspect
        found = [await again.get(f"/m/{n}") for n in range(300)]
        assert None in found
        assert again.suspect
        with pytest.raises(StoreError):
            await keys(again)
        await again.close()

    async def test_a_locked_database_loses_no_write_in_memory_and_logs_once(
        self, on_disk: DiskcacheIndex, caplog: pytest.LogCaptureFixture
    ) -> None:
        await on_disk.put(entry("/m/gone"))
        other = sqlite3.connect(on_disk._path / DATABASE, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with caplog.at_level(logging.WARNING, "mirror.index"):
            await on_disk.put(entry("/m/a"))
            await on_disk.put(entry("/m/b"))
            await on_disk.delete("/m/gone")
        assert len(caplog.records) == 1
        assert await on_disk.get("/m/a") == entry("/m/a")
        assert await on_disk.get("/m/gone") is None
        other.execute("ROLLBACK")
        other.close()
        assert await on_disk.get("/m/gone") is None
        await on_disk.put(entry("/m/c"))
        assert await keys(on_disk) == ["/m/c", "/m/gone"]

    async def test_a_database_that_was_removed_while_it_ran_is_no_error(self, on_disk: DiskcacheIndex) -> None:
        for path in on_disk._path.iterdir():
            path.unlink()
        on_disk._cache.close()
        assert await on_disk.get("/m/a") is None
        await on_disk.put(entry())
        assert await on_disk.get("/m/a") == entry()

    async def test_a_path_that_cannot_be_used_at_all_is_a_store_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        index = DiskcacheIndex(tmp_path / "file" / "index.v1")
        with pytest.raises(StoreError):
            await index.start()
        await index.close()


def damaged(database: Path) -> None:
    """Zero the pages behind the first ten."""
    body = database.read_bytes()
    assert len(body) > 300_000
    database.write_bytes(body[:40960] + bytes(len(body) - 40960))


def test_entries_are_frozen_so_that_memory_may_hand_them_out() -> None:
    with pytest.raises(AttributeError):
        entry().blob = "other"  # type: ignore[misc]
    assert isinstance(replace(entry(), blob="x"), Entry)
