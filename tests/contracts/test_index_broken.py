"""An index that is broken, locked or planted is a miss, and never an error for a client."""

from __future__ import annotations

import asyncio
import logging
import pickle
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diskcache
import pytest

from mirror.errors import StoreError
from mirror.stores import codec
from mirror.stores.rows import BATCH
from mirror.stores.sqlite import DiskcacheIndex
from tests.contracts.samples import entry, keys, reopened
from tests.instruments.clock import eventually

DATABASE = "cache.db"


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
    @pytest.mark.row(50, at="code planted in the index's database")
    async def test_a_pickle_is_never_loaded(self, on_disk: DiskcacheIndex) -> None:
        """Seen red: what is planted in the index's database is unpickled."""
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
    @pytest.mark.row(38)
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

    @pytest.mark.row(38)
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
        await again.start()
        assert not again.rebuilt
        await again.put(entry("/m/memory"))
        assert await again.get("/m/memory") == entry("/m/memory")
        await again.check()
        assert again.rebuilt
        assert await again.get("/m/memory") is None  # or it would not be adopted: it is no row any more
        await again.put(entry())
        assert await keys(again) == ["/m/a"]
        assert [path.name for path in on_disk._path.parent.glob("broken-*")] == ["broken-1"]
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

    @pytest.mark.row(34, at="a locked index costs no write that is in memory; the time is not taken")
    async def test_a_locked_database_loses_no_write_in_memory_and_logs_once(
        self, on_disk: DiskcacheIndex, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Seen red: what a locked index does not take is lost."""
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
        assert await keys(on_disk) == ["/m/a", "/m/b", "/m/c"]

    async def test_a_write_that_is_refused_opens_no_other_connection(self, on_disk: DiskcacheIndex) -> None:
        """On a disk that turned read-only, while another process reads, opening one took diskcache 41 s, and all that
        asked for a row with it. Seen red: the connection is closed when a write is refused."""
        database = on_disk._database
        await on_disk.put(entry("/m/a"))
        before = await database.run(lambda: database.cache._con)
        other = sqlite3.connect(on_disk._path / DATABASE, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        await on_disk.delete("/m/a")
        other.close()
        assert await database.run(lambda: database.cache._con) is before
        await on_disk.put(entry("/m/b"))
        assert await keys(on_disk) == ["/m/b"]

    async def test_what_was_refused_is_written_as_it_is_by_then(self, on_disk: DiskcacheIndex) -> None:
        """With what comes next, or at the end; and however much it is."""
        for key in ("/m/a", "/m/b"):
            await on_disk.put(entry(key, blob="old"))
        many = [entry(f"/n/{n:04}") for n in range(3 * BATCH)]
        for each in many:
            await on_disk.get(each.key)
        other = sqlite3.connect(on_disk._path / DATABASE, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        await on_disk.put(entry(blob="refused"))
        await on_disk.delete("/m/b")
        for each in many:
            await on_disk.put(each)
        newer = asyncio.create_task(on_disk.put(entry(blob="new")))
        await asyncio.sleep(0)  # it is on its way when the database can be written again
        other.execute("ROLLBACK")
        other.close()
        await newer
        again = await reopened(on_disk)
        assert await again.get("/m/a") == entry(blob="new")
        assert await again.get("/m/b") is None
        assert await keys(again, "/n/") == [each.key for each in many]
        await again.close()

    async def test_a_commit_that_fails_does_not_stop_later_writes(self, on_disk: DiskcacheIndex) -> None:
        plant(on_disk._path, "CREATE TABLE parent (id PRIMARY KEY)")
        plant(on_disk._path, "CREATE TABLE child (id REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)")
        plant(on_disk._path, "CREATE TRIGGER t AFTER INSERT ON Cache BEGIN INSERT INTO child VALUES (1); END")
        await on_disk._database.run(lambda: on_disk._database.cache._sql("PRAGMA foreign_keys = ON").fetchall())
        await on_disk.put(entry("/m/refused"))
        plant(on_disk._path, "DROP TRIGGER t")
        await on_disk.put(entry("/m/b"))
        assert await keys(on_disk) == ["/m/b"]

    @pytest.mark.row(36, at="rows that wait for the index's thread are written")
    async def test_what_is_on_its_way_when_it_is_closed_is_written(self, on_disk: DiskcacheIndex) -> None:
        """1. The thread has something to do. 2. A row is given to it. 3. The index is closed. Seen red: what the thread
        has not begun when it is closed is lost."""
        held = threading.Event()
        on_disk._database.run(held.wait)
        putting = asyncio.create_task(on_disk.put(entry()))
        await eventually(lambda: on_disk._database._thread._work_queue.qsize() == 1)
        closing = asyncio.create_task(on_disk.close())
        await asyncio.sleep(0)
        held.set()
        await asyncio.gather(putting, closing)
        again = DiskcacheIndex(on_disk._path)
        await again.start()
        assert await again.get("/m/a") == entry()
        assert not on_disk.suspect
        await again.close()

    async def test_a_database_that_was_removed_while_it_ran_is_no_error(self, on_disk: DiskcacheIndex) -> None:
        for path in on_disk._path.iterdir():
            path.unlink()
        on_disk._database.cache.close()
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
