"""The index of a folder that takes no writes stands elsewhere until the next start; its own database stays as it is."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from mirror.changes import Changes
from mirror.errors import StoreError
from mirror.stores import standin
from mirror.stores.database import Database
from mirror.stores.reading import ReadingIndex
from mirror.stores.sqlite import DiskcacheIndex
from tests.contracts.samples import entry, keys

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where stand-ins may be."""
    made = [tmp_path / "shm", tmp_path / "tmp"]
    for base in made:
        base.mkdir()
    monkeypatch.setattr(standin, "BASES", (made[0],))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(made[1]))
    return made


@pytest.fixture
async def full(tmp_path: Path, bases: list[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an index that has a row for /m/a; from now on its disk is full."""
    path = tmp_path / "cache" / "index.v1"
    index = DiskcacheIndex(path)
    await index.start()
    await index.put(entry("/m/a"))
    await index.close()
    opened = Database._open

    def refused(self: Database) -> None:
        if self._path == path:
            raise sqlite3.OperationalError("disk I/O error")
        opened(self)

    monkeypatch.setattr(Database, "_open", refused)
    monkeypatch.setattr(standin, "refusal", lambda _: FULL)
    return path


def database(path: Path) -> bytes:
    return (path / "cache.db").read_bytes()


async def test_rows_are_there_and_new_ones_go_with_it(full: Path, bases: list[Path]) -> None:
    before = database(full)
    index = DiskcacheIndex(full)
    await index.start()
    assert (index.rebuilt, index.suspect) == (False, True)
    await index.put(entry("/m/b"))
    assert await keys(index) == ["/m/a", "/m/b"]
    await index.check()
    assert index.suspect, "what it has is lost at the end"
    await index.close()
    assert [*bases[0].iterdir(), *bases[1].iterdir()] == []
    assert database(full) == before


async def test_who_only_reads_reads_it_there(full: Path) -> None:
    index = DiskcacheIndex(full)
    await index.start()
    await index.delete("/m/a")
    await index.put(entry("/m/b"))
    await index.put(entry("/m/b"))  # what is new is written behind; what is changed, at once
    reading = ReadingIndex(full, Changes())
    assert [await reading.get(key) is not None for key in ("/m/a", "/m/b")] == [False, True]
    await reading.close()
    await index.close()


@pytest.mark.parametrize("room", [(), ("tmp",)], ids=["nowhere", "in the second place"])
async def test_without_room_for_a_copy_it_is_empty(
    full: Path, bases: list[Path], room: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But where any place has room for it, there is a copy."""
    copy = shutil.copyfile

    def copied(source: Path, target: Path) -> None:
        if target.parents[2].name not in room:
            raise FULL
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", copied)
    index = DiskcacheIndex(full)
    await index.start()
    place = standin.places(full)[len(room)]
    assert (index.rebuilt, index.suspect, standin.found(full)) == (not room, True, place)
    await index.put(entry("/m/b"))
    assert await keys(index) == ["/m/a", "/m/b"][1 - len(room) :]
    await index.close()
    await index.close()
    assert [*bases[0].iterdir(), *bases[1].iterdir()] == []


async def test_a_broken_database_is_none_and_stays_where_it_is(full: Path) -> None:
    (full / "cache.db").write_bytes(b"garbage")
    index = DiskcacheIndex(full)
    await index.start()
    assert (index.rebuilt, await keys(index)) == (True, [])
    await index.close()
    assert database(full) == b"garbage"
    assert [path.name for path in full.parent.iterdir()] == ["index.v1"]


def _for_everybody(place: Path) -> None:
    place.mkdir()
    place.chmod(0o777)


def _a_link(place: Path) -> None:
    (place.parent / "target").mkdir(mode=0o700)
    place.symlink_to(place.parent / "target")


@pytest.mark.row(50, at="a folder that somebody else made where the index stands in")
@pytest.mark.parametrize("plant", [_for_everybody, _a_link, Path.touch])
async def test_what_others_can_have_made_is_not_used(
    full: Path, bases: list[Path], plant: Callable[[Path], None]
) -> None:
    planted, other = (place.parent for place in standin.places(full))
    plant(planted)
    index = DiskcacheIndex(full)
    await index.start()
    assert standin.found(full) == other / "index.v1"
    assert await keys(index) == ["/m/a"]
    await index.close()
    assert planted.exists()


async def test_where_there_is_no_place_at_all_nothing_is_thrown_away(full: Path, bases: list[Path]) -> None:
    for base in bases:
        base.rmdir()
    before = database(full)
    index = DiskcacheIndex(full)
    with pytest.raises(StoreError, match="No space left"):
        await index.start()
    await index.close()
    assert database(full) == before


async def test_what_a_kill_left_is_gone_after_the_next_start(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = Database(full)
    await killed.start()
    assert standin.found(full) is not None
    monkeypatch.undo()
    monkeypatch.setattr(standin, "BASES", (full.parents[1] / "shm",))
    index = DiskcacheIndex(full)
    await index.start()
    assert (index.suspect, await keys(index)) == (False, ["/m/a"])
    assert standin.found(full) is None
    await index.close()
    await killed.close()


def test_a_folder_that_takes_writes_refuses_nothing(tmp_path: Path) -> None:
    assert standin.refusal(tmp_path) is None
    assert standin.refusal(tmp_path / "none") is None
    assert [*tmp_path.iterdir()] == []
