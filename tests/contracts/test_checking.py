"""Each kind of damage below a cache's path is found and repaired, and nothing is found in a cache that is good."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mirror.errors import StoreError
from mirror.model import Entry, Fact
from mirror.stores import Stores
from mirror.stores.checking import Counts, Finding, check
from mirror.stores.facts import file_of
from tests.contracts.on_disk import keep
from tests.contracts.samples import BODY, keys, note, read, stored
from tests.contracts.test_disk_planted import PLANTED, blob_file
from tests.contracts.test_index_broken import damaged
from tests.contracts.test_stores import crash, opened, settled

KEYS = ("/m/a", "/m/b", "/o/c d", "/o/e")


class Said:
    """What a check told."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.counts = Counts()

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)

    def progress(self, what: str, done: float, counts: Counts) -> None:
        assert 0 <= done <= 1

    @property
    def damage(self) -> list[str]:
        return [f"{finding.path}: {finding.reason}" for finding in self.findings if not finding.left]

    @property
    def left(self) -> list[str]:
        return [f"{finding.path}: {finding.reason}" for finding in self.findings if finding.left]


def checked(path: Path, *, repair: bool = False, quick: bool = False) -> Said:
    said = Said()
    said.counts = check(path, said, repair=repair, quick=quick)
    assert said.counts.damage + said.counts.left == len(said.findings)
    return said


def repaired(path: Path) -> Said:
    """Found, repaired, and found no more."""
    before = checked(path)
    said = checked(path, repair=True)
    assert before.findings
    assert all(finding.done for finding in said.findings), said.findings
    assert said.counts.open_damage == 0
    again = checked(path)
    assert again.findings == []
    return said


async def fill(stores: Stores) -> dict[str, Entry]:
    entries = {}
    for key in KEYS:
        entries[key] = await stored(stores.store, key.encode() * 1000, key)
        await stores.index.put(entries[key])
    await keep(stores.store, "/m/part")
    await stores.facts.put("m", "/m/slot", "d", [Fact(f"/{n}") for n in range(100)], 1e9)
    return entries


async def test_a_list_of_facts_of_the_older_form_is_right(tmp_path: Path, entries: dict[str, Entry]) -> None:
    file = tmp_path / "facts.v1" / "m" / file_of("/m/slot")
    lines = sorted(f"/{n}\t\t\t{n}\n".encode() for n in range(100))
    for body, wrong in ((b"".join(lines), 0), (b"".join(reversed(lines)), 1)):
        head = {"slot": "/m/slot", "source": "d", "count": 100, "size": len(body)}
        file.write_bytes(json.dumps(head).encode() + b"\n" + body)
        assert len(checked(tmp_path).findings) == wrong


@pytest.fixture
async def entries(tmp_path: Path) -> dict[str, Entry]:
    """What stands in the cache at `tmp_path`, which was stopped as it should be."""
    stores = await opened(tmp_path)
    await settled(stores)
    entries = await fill(stores)
    await stores.close()
    return entries


async def served(path: Path, *gone: str) -> None:
    """All but what is `gone` is there, each with its own bytes, for a server that starts now."""
    stores = await opened(path)
    await settled(stores)
    for key in KEYS:
        entry = await stores.index.get(key)
        assert (entry is None) == (key in gone)
        if entry is not None:
            blob = await stores.store.open(entry.blob)
            assert blob is not None
            assert await read(blob) == key.encode() * 1000
            await blob.close()
    await stores.close()


async def test_a_clean_cache_has_no_findings(tmp_path: Path, entries: dict[str, Entry]) -> None:
    said = checked(tmp_path)
    assert said.findings == []
    assert (said.counts.blobs, said.counts.entries, said.counts.partials, said.counts.facts) == (4, 4, 1, 1)
    assert said.counts.size == sum(entry.size for entry in entries.values())
    assert (tmp_path / "clean").exists()


def test_where_nothing_is_stored_nothing_is_wrong_or_made(tmp_path: Path) -> None:
    assert checked(tmp_path / "none").findings == []
    assert not (tmp_path / "none").exists()


async def test_looking_is_no_use(tmp_path: Path, entries: dict[str, Entry]) -> None:
    for at, entry in enumerate(entries.values()):
        os.utime(blob_file(tmp_path, entry.blob), (at, at))
    checked(tmp_path)
    assert [blob_file(tmp_path, entry.blob).stat().st_atime for entry in entries.values()] == [0, 1, 2, 3]


async def test_a_cache_that_a_server_uses_is_left_alone(tmp_path: Path) -> None:
    stores = await opened(tmp_path)
    with pytest.raises(StoreError, match=f"process {os.getpid()}"):
        checked(tmp_path, repair=True)
    await stores.close()


class TestBlobs:
    @pytest.mark.row(38)
    @pytest.mark.parametrize("how", [*PLANTED, "bit flipped in the body"])
    async def test_each_damage_is_found_and_what_is_left_is_served(
        self, tmp_path: Path, entries: dict[str, Entry], how: str
    ) -> None:
        """Seen red: fsck does not look at the bytes of blobs."""
        file = blob_file(tmp_path, entries["/m/a"].blob)
        if how in PLANTED:
            PLANTED[how](file)
        else:
            file.write_bytes(b"X" + file.read_bytes()[1:])
        said = repaired(tmp_path)
        assert any(entries["/m/a"].blob in line for line in said.damage)
        await served(tmp_path, "/m/a")

    async def test_bodies_are_not_read_by_a_quick_look(self, tmp_path: Path, entries: dict[str, Entry]) -> None:
        file = blob_file(tmp_path, entries["/m/a"].blob)
        file.write_bytes(b"X" + file.read_bytes()[1:])
        assert checked(tmp_path, quick=True).findings == []
        os.truncate(file, 100)
        assert len(checked(tmp_path, quick=True).damage) == 2

    @pytest.mark.row(38)
    @pytest.mark.row(50, at="found and put aside by `mirror fsck`")
    async def test_a_socket_and_a_device_are_deleted(self, tmp_path: Path, entries: dict[str, Entry]) -> None:
        file, other = (blob_file(tmp_path, entries[key].blob) for key in ("/m/a", "/m/b"))
        file.unlink()
        other.unlink()
        with socket.socket(socket.AF_UNIX) as planted:
            planted.bind(str(file))
        if os.geteuid() == 0:
            os.mknod(other, 0o020600, os.makedev(1, 5))  # /dev/zero
        said = repaired(tmp_path)
        assert f"{file.relative_to(tmp_path)}: no file but a socket" in said.damage
        await served(tmp_path, "/m/a", "/m/b")

    @pytest.mark.row(38)
    @pytest.mark.row(50, at="found and put aside by `mirror fsck`")
    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
    async def test_what_belongs_to_somebody_else_is_moved_aside(
        self, tmp_path: Path, entries: dict[str, Entry]
    ) -> None:
        """Seen red: fsck takes files of other users for blobs."""
        file = blob_file(tmp_path, entries["/m/a"].blob)
        os.chown(file, 12345, 12345)
        os.chown(file.parent, 12345, 12345)
        said = repaired(tmp_path)
        assert f"{file.relative_to(tmp_path)}: belongs to user 12345" in said.damage
        assert [path.name for path in (tmp_path / "lost").iterdir()] == [f"blobs.v1_{file.name[:2]}_{file.name}"]
        await served(tmp_path, "/m/a")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
    async def test_the_cache_of_another_user_is_his_to_check(self, tmp_path: Path, entries: dict[str, Entry]) -> None:
        os.chown(tmp_path, 12345, 12345)
        with pytest.raises(StoreError, match="user 12345"):
            checked(tmp_path, repair=True)

    @pytest.mark.row(38)
    async def test_modes_are_set_right(self, tmp_path: Path, entries: dict[str, Entry]) -> None:
        file = blob_file(tmp_path, entries["/m/a"].blob)
        file.chmod(0o666)
        file.parent.chmod(0o755)
        tmp_path.chmod(0o777)
        assert len(repaired(tmp_path).damage) == 3
        assert file.stat().st_mode & 0o777 == 0o600
        await served(tmp_path)

    @pytest.mark.row(38)
    async def test_what_does_not_belong_there_is_moved_aside(self, tmp_path: Path, entries: dict[str, Entry]) -> None:
        blobs = tmp_path / "blobs.v1"
        whole = blob_file(tmp_path, entries["/m/a"].blob)
        planted = [blobs / "notes", blobs / "xy" / "file", whole.parent / "file", whole.parent / "a\nb"]
        planted += [tmp_path / "mine.txt", tmp_path / "facts.v1" / "file", tmp_path / "index.v1" / "x.val"]
        planted += [tmp_path / "partial" / "thing", tmp_path / "blobs.v1" / "zz" / whole.name]
        for path in planted:
            path.parent.mkdir(exist_ok=True)
            path.write_text("precious")
        (blobs / "link").symlink_to(blobs / whole.parent.name)
        assert len(repaired(tmp_path).damage) == len(planted) + 1
        assert sum(path.is_file() for path in (tmp_path / "lost").rglob("*")) == len(planted)
        await served(tmp_path)


def row(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path / "index.v1" / "cache.db")) as database, database:
        database.execute(statement, values)


class TestEntries:
    @pytest.mark.row(38)
    async def test_one_without_its_blob_is_deleted(self, tmp_path: Path, entries: dict[str, Entry]) -> None:
        """Seen red: fsck does not miss the blob of an entry."""
        blob_file(tmp_path, entries["/o/c d"].blob).unlink()
        said = repaired(tmp_path)
        assert said.damage == [f"index.v1: /o/c d: its blob {entries['/o/c d'].blob} is missing"]
        await served(tmp_path, "/o/c d")

    @pytest.mark.row(38)
    async def test_a_blob_without_one_gets_it(self, tmp_path: Path, entries: dict[str, Entry]) -> None:
        row(tmp_path, "DELETE FROM Cache WHERE key = '/m/b'")
        said = repaired(tmp_path)
        assert [finding.done for finding in said.findings] == ["entry made"]
        await served(tmp_path)

    @pytest.mark.row(38)
    async def test_a_blob_that_another_took_the_place_of_goes(self, tmp_path: Path, entries: dict[str, Entry]) -> None:
        stores = await opened(tmp_path)
        older = entries["/m/a"].head
        newer = type(older)(200, older.headers, older.requested_at + 9, older.received_at + 9)
        entry = await stored(stores.store, b"/m/a" * 1000, head=newer)
        await stores.close()
        said = repaired(tmp_path)
        assert [finding.done for finding in said.findings] == ["entry made", "deleted: there is a newer one"]
        assert not blob_file(tmp_path, entries["/m/a"].blob).exists()
        assert blob_file(tmp_path, entry.blob).exists()
        await served(tmp_path)

    @pytest.mark.row(38)
    @pytest.mark.parametrize(
        ("change", "values"),
        [
            ("value = ?", ["{"]),
            ("value = ?", [b"\x80\x04K\x01."]),
            ("value = NULL", []),
            ("value = replace(value, '/m/a', '/m/z')", []),
            ("value = replace(value, '\"size\":4000', '\"size\":4001')", []),
            ("raw = 0", []),
            ("key = ?", [7]),
            ("key = ?", ["/m/\udc80\n".encode("utf-8", "surrogatepass")]),
        ],
    )
    async def test_what_is_no_entry_is_deleted_and_made_again(
        self, tmp_path: Path, entries: dict[str, Entry], change: str, values: list[object]
    ) -> None:
        row(tmp_path, f"UPDATE Cache SET {change} WHERE key = '/m/a'", *values)  # noqa: S608
        said = repaired(tmp_path)
        assert [finding.done for finding in said.findings] == ["entry deleted", "entry made"]
        await served(tmp_path)


def _no_index(path: Path) -> None:
    for file in (path / "index.v1").iterdir():
        file.unlink()
    (path / "index.v1").rmdir()


def _garbage(path: Path) -> None:
    (path / "index.v1" / "cache.db").write_bytes(b"garbage" * 10_000)


def _other_table(path: Path) -> None:
    row(path, "DROP TABLE Cache")


def _linked(path: Path) -> None:
    (path / "index.v1" / "cache.db").rename(path / "index.v1" / "real.db")
    (path / "index.v1" / "cache.db").symlink_to("real.db")


BROKEN: dict[str, Callable[[Path], object]] = {
    "deleted": _no_index,
    "its file deleted": lambda path: (path / "index.v1" / "cache.db").unlink(),
    "empty": lambda path: os.truncate(path / "index.v1" / "cache.db", 0),
    "garbage": _garbage,
    "cut": lambda path: os.truncate(path / "index.v1" / "cache.db", 5000),
    "another table": _other_table,
    "a link": _linked,
    "a file": lambda path: (_no_index(path), (path / "index.v1").touch()),
}


class TestIndex:
    @pytest.mark.row(38)
    @pytest.mark.parametrize("how", BROKEN)
    async def test_a_broken_one_is_built_again_from_the_blobs(
        self, tmp_path: Path, entries: dict[str, Entry], how: str
    ) -> None:
        BROKEN[how](tmp_path)
        repaired(tmp_path)
        assert (tmp_path / "clean").exists()
        stores = await opened(tmp_path)
        assert not stores.index.rebuilt
        assert await keys(stores.index) == sorted(KEYS)
        await stores.close()
        await served(tmp_path)

    @pytest.mark.row(38)
    async def test_damage_in_the_middle_of_a_large_one_is_found(self, tmp_path: Path) -> None:
        stores = await opened(tmp_path)
        await settled(stores)
        names = [f"/m/{n:03}" for n in range(300)]
        for name in names:
            await stores.index.put(await stored(stores.store, key=name, tags=("x" * 1000,)))
        await stores.close()
        damaged(tmp_path / "index.v1" / "cache.db")
        repaired(tmp_path)
        stores = await opened(tmp_path)
        assert await keys(stores.index) == names
        await stores.close()


def part(path: Path, suffix: str) -> Path:
    return next((path / "partial").glob(f"*{suffix}"))


def _note_folder(path: Path) -> None:
    part(path, ".json").unlink()
    part(path, ".part").with_suffix(".json").mkdir()


PARTS: dict[str, Callable[[Path], object]] = {
    "note garbage": lambda path: part(path, ".json").write_bytes(b"\xff{"),
    "note empty": lambda path: os.truncate(part(path, ".json"), 0),
    "note a link": lambda path: (
        part(path, ".json").unlink(),
        part(path, ".part").with_suffix(".json").symlink_to("x"),
    ),
    "note a folder": _note_folder,
    "shorter": lambda path: os.truncate(part(path, ".part"), 10),
    "a link": lambda path: (part(path, ".part").unlink(), part(path, ".json").with_suffix(".part").symlink_to("/etc")),
    "a folder": lambda path: (part(path, ".part").unlink(), part(path, ".json").with_suffix(".part").mkdir()),
}


class TestPartials:
    @pytest.mark.row(38)
    @pytest.mark.parametrize("how", PARTS)
    async def test_a_damaged_one_is_deleted(self, tmp_path: Path, entries: dict[str, Entry], how: str) -> None:
        """Seen red: fsck does not compare a partial with its note."""
        PARTS[how](tmp_path)
        assert len(repaired(tmp_path).damage) >= 1
        assert list((tmp_path / "partial").iterdir()) == []
        await served(tmp_path)

    async def test_what_a_start_mends_by_itself_is_no_damage(self, tmp_path: Path, entries: dict[str, Entry]) -> None:
        for name in ("a.part", "b.json", "c.draft"):
            (tmp_path / "partial" / name).touch()
        (tmp_path / "probe-00").touch()
        (tmp_path / "facts.v1" / "m" / "x.0000.draft").touch()
        said = checked(tmp_path)
        assert (len(said.damage), len(said.left)) == (0, 5)
        repaired(tmp_path)


class TestFacts:
    @pytest.mark.row(38)
    @pytest.mark.parametrize(
        "plant",
        [
            lambda file: file.write_bytes(b""),
            lambda file: file.write_bytes(file.read_bytes() + b"x"),
            lambda file: file.write_bytes(b"\n" + file.read_bytes()[1:]),
            lambda file: file.write_bytes(file.read_bytes().replace(b"/50\t", b"/50\n")),
            lambda file: file.write_bytes(file.read_bytes().replace(b"/50\t", b"/10\t")),
            lambda file: (file.unlink(), file.symlink_to("/etc/passwd")),
            lambda file: (file.unlink(), os.mkfifo(file)),
            lambda file: file.rename(file.with_name("0" * 32)),
        ],
    )
    async def test_a_damaged_list_is_deleted(
        self, tmp_path: Path, entries: dict[str, Entry], plant: Callable[[Path], object]
    ) -> None:
        """Seen red: fsck does not look at the order of a list of facts."""
        plant(tmp_path / "facts.v1" / "m" / file_of("/m/slot"))
        assert len(repaired(tmp_path).damage) == 1
        await served(tmp_path)


async def test_a_number_that_says_too_little_is_set_right(tmp_path: Path, entries: dict[str, Entry]) -> None:
    right = int((tmp_path / "taken").read_text())
    for text in ("many", "12"):
        (tmp_path / "taken").write_text(text)
        assert len(repaired(tmp_path).damage) == 1
    assert int((tmp_path / "taken").read_text()) == right


async def test_a_repair_that_does_not_come_to_its_end_leaves_no_clean_cache(
    tmp_path: Path, entries: dict[str, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("mirror.stores.checking.check_facts", broken)
    with pytest.raises(StoreError, match="Input/output"):
        checked(tmp_path, repair=True)
    assert not (tmp_path / "clean").exists()


@pytest.fixture
async def killed(tmp_path: Path) -> Path:
    """A cache whose server was killed: a row was not written, a download ran, a replaced blob still stands."""
    stores = await opened(tmp_path)
    await settled(stores)
    await fill(stores)
    await stored(stores.store, key="/m/orphan")
    await stored(stores.store, b"/m/a" * 1000)
    running = stores.store.create(note("/m/running"))
    writer = running.writer(0)
    writer.add(BODY)
    await writer.close()
    await crash(stores)
    await running.close()
    return tmp_path


@pytest.mark.row(1, at="single moments of a kill, played")
async def test_after_a_kill_there_is_nothing_that_a_start_does_not_mend(killed: Path) -> None:
    said = checked(killed)
    assert said.damage == []
    assert len(said.left) == 3
    stores = await opened(killed)
    await settled(stores)
    await stores.close()
    assert checked(killed).findings == []


async def test_after_a_kill_it_can_be_repaired_too(killed: Path) -> None:
    repaired(killed)
    await served(killed)
