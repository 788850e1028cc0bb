"""Whoever changes, removes, moves or adds a line of the record is noticed; after a crash it goes on, and says so."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mirror.audit.book import Book
from mirror.audit.chain import BEGINNING, hashed, read
from mirror.audit.folder import HEAD, read_head
from mirror.audit.verifying import verify
from tests.audit.books import DAY, Written, given


@pytest.fixture
def record(tmp_path: Path) -> Written:
    return Written(tmp_path / "audit")


def test_each_line_holds_the_hash_of_the_one_before(record: Written) -> None:
    record.given(5)
    lines = [line.rstrip(b"\n") for line in record.lines()]
    assert [json.loads(line)["n"] for line in lines] == [1, 2, 3, 4, 5, 6]  # the first is about the file
    assert json.loads(lines[0])["prev"] == BEGINNING
    assert [json.loads(line)["prev"] for line in lines[1:]] == [hashed(line) for line in lines[:-1]]
    head = read_head(record.folder)
    assert head is not None
    assert (head.link.number, head.link.hash) == (6, hashed(lines[-1]))
    assert record.found() == []


def test_only_its_owner_can_read_it(record: Written) -> None:
    record.given()
    assert record.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in record.folder.iterdir()} == {0o600}


def edited(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[3].replace(b"10.0.0.1", b"10.0.0.2"), *lines[4:]]


def spaced(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[3].replace(b',"status"', b', "status"'), *lines[4:]]


def relinked(lines: list[bytes]) -> list[bytes]:
    """Changed, and the next one made to fit."""
    changed = edited(lines)
    before, behind = (hashed(line.rstrip(b"\n")).encode() for line in (lines[3], changed[3]))
    return [*changed[:4], lines[4].replace(before, behind), *lines[5:]]


CHANGES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], list[tuple[int, str]]]] = {
    "edited": (edited, [(4, "record 4 was changed: the line behind it was written behind another one")]),
    "written otherwise": (spaced, [(4, "record 4 was changed: the line behind it was written behind another one")]),
    "edited, and the next": (
        relinked,
        [(5, "record 5 was changed: the line behind it was written behind another one")],
    ),
    "the last one edited": (
        lambda lines: [*lines[:-1], lines[-1].replace(b"HIT", b"MISS")],
        [(8, "record 8 was changed: the head knows another one")],
    ),
    "removed": (lambda lines: [*lines[:3], *lines[4:]], [(4, "record 4 is missing before it")]),
    "several removed": (lambda lines: [*lines[:3], *lines[6:]], [(4, "records 4 to 6 are missing before it")]),
    "the first one removed": (
        lambda lines: lines[1:],
        [(1, "record 1 is missing before it, and no line says why")],
    ),
    "the last one removed": (
        lambda lines: lines[:-1],
        [(7, "record 8 is missing at its end, of which the head knows")],
    ),
    "many removed at the end": (
        lambda lines: lines[:2],
        [(2, "records 3 to 8 are missing at its end, of which the head knows")],
    ),
    "two exchanged": (
        lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
        [(4, "record 4 is missing before it"), (5, "record 4 stands behind record 5: it was moved, or written again")],
    ),
    "one twice": (
        lambda lines: [*lines[:5], lines[3], *lines[5:]],
        [(6, "record 4 stands behind record 5: it was moved, or written again")],
    ),
    "one made up": (
        lambda lines: [*lines[:5], b'{"client":"10.0.0.9"}\n', *lines[5:]],
        [(6, "is no line of the record")],
    ),
    "no record any more": (
        lambda lines: [*lines[:3], b"x" + lines[3], *lines[4:]],
        [(5, "record 4 is missing before it"), (4, "is no line of the record")],
    ),
    "its end cut off": (
        lambda lines: [*lines[:-1], lines[-1][:40]],
        [(8, "record 8 is missing at its end, of which the head knows")],
    ),
    "emptied": (lambda lines: [], [(0, "records 1 to 8 are missing at its end, of which the head knows")]),
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_line_that_was(record: Written, how: str) -> None:
    record.given(7)
    change, told = CHANGES[how]
    record.put(change(record.lines()))
    assert record.wrong() == told


@pytest.mark.parametrize("how", CHANGES)
def test_it_is_still_noticed_when_more_was_written_since(record: Written, how: str) -> None:
    record.given(7)
    record.put(CHANGES[how][0](record.lines()))
    record.given(3)
    assert record.wrong()
    assert record.told()[-1]["n"] >= 11 if how != "one made up" else True


def test_every_byte_counts(record: Written) -> None:
    record.given(2)
    whole = record.files()[0].read_bytes()
    for at in range(len(whole)):
        record.files()[0].write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert record.wrong(), f"byte {at}: {whole[at - 20 : at + 20]!r}"


def test_a_file_begins_with_the_last_hash_of_the_one_before(record: Written) -> None:
    record.max_file = 1500
    record.given(10)
    assert len(record.files()) > 3
    assert all(path.stat().st_size <= 2000 for path in record.files())
    for before, behind in zip(range(len(record.files())), range(1, len(record.files())), strict=False):
        last, first = record.lines(before)[-1], read(record.lines(behind)[0].rstrip(b"\n"))
        assert first is not None
        assert (first.event, first.before) == ("file", hashed(last.rstrip(b"\n")))
    assert record.found() == []


def test_each_day_has_a_file(record: Written) -> None:
    for _ in range(3):
        record.given(2)
        record.clock.now += DAY
    assert [path.name for path in record.files()] == [
        f"{number:06d}.2026-11-{day}.jsonl" for number, day in ((1, 26), (2, 27), (3, 28))
    ]
    assert record.found() == []


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_file_that_was_removed_is_noticed(record: Written, which: int) -> None:
    for _ in range(3):
        record.given(2)
        record.clock.now += DAY
    record.files()[which].unlink()
    assert len(record.wrong()) == 1
    assert "missing" in record.wrong()[0][1]


def test_files_that_changed_names_are_noticed(record: Written) -> None:
    for _ in range(3):
        record.given(2)
        record.clock.now += DAY
    one, two, _ = record.files()
    one.rename(one.with_name("x"))
    two.rename(one)
    (record.folder / "x").rename(two)
    assert any("this file was 000002" in text for _, text in record.wrong())


def test_what_is_older_than_it_is_kept_is_removed_and_the_record_says_so(record: Written) -> None:
    record.keep = 1.5 * DAY
    for _ in range(6):
        record.given(2)
        record.clock.now += DAY
    assert [path.name[:6] for path in record.files()] == ["000004", "000005", "000006"]
    assert record.events().count("removed") >= 1
    assert record.found() == []


def test_a_file_that_was_removed_before_its_time_is_noticed_though_others_were_in_theirs(record: Written) -> None:
    record.keep = 1.5 * DAY
    for _ in range(6):
        record.given(2)
        record.clock.now += DAY
    record.files()[0].unlink()
    assert record.wrong()[0][1].endswith("missing before it, and no line says why")


def test_the_loss_of_the_head_is_noticed_and_told_for_ever(record: Written) -> None:
    record.given(3)
    (record.folder / HEAD).unlink()
    assert [text for _, text in record.wrong()] == ["is missing: nobody knows whether lines are missing at the end"]
    record.put(record.lines()[:-1])  # what the loss is to hide
    record.given(3)
    assert [text.partition(":")[0] for _, text in record.wrong()] == ["the head was missing when this was written"]


def test_the_loss_of_all_of_it_is_noticed_by_a_process_that_goes_on(record: Written) -> None:
    book = record.book()
    for _ in range(3):
        book.append([(record.clock.now, given())])
    for path in record.folder.iterdir():
        path.unlink()
    book.append([(record.clock.now, given())])
    assert [text for _, text in record.wrong()] == ["records 1 to 4 are missing before it, and no line says why"]


def test_a_record_that_was_written_anew_is_noticed_by_a_process_that_goes_on(record: Written) -> None:
    book = record.book()
    for _ in range(3):
        book.append([(record.clock.now, given())])
    for path in record.folder.iterdir():
        path.unlink()
    record.given(3, client="10.0.0.9")
    assert record.wrong() == []
    book.append([(record.clock.now, given())])
    assert [at for at, _ in record.wrong()] == [4]


def test_a_hash_that_was_noted_elsewhere_has_to_be_there(record: Written) -> None:
    """Who can write all of it can write all of it anew; only what is noted elsewhere tells of that."""
    record.given(3)
    noted = hashed(record.lines()[2].rstrip(b"\n"))
    record.given(3)
    assert verify(record.folder, lambda _: None, noted).known
    for path in record.folder.iterdir():
        path.unlink()
    record.given(6, client="10.0.0.9")
    assert record.found() == []
    assert not verify(record.folder, lambda _: None, noted).known


def test_a_line_that_a_crash_left_is_told_of_and_the_chain_goes_on(record: Written) -> None:
    record.given(3)
    with record.files()[-1].open("ab") as file:
        file.write(b'{"n":5,"prev":"00')
    (finding,) = record.found()
    assert (finding.line, finding.wrong) == (5, False)
    record.given(3)
    assert record.wrong() == []
    (finding,) = record.found()
    assert finding.text == "18 bytes of a line that was not whole when its process was stopped"
    assert "torn" in record.folder.joinpath(record.files()[0].name).read_text()


def test_what_looks_like_the_work_of_a_crash_and_is_none_is_noticed(record: Written) -> None:
    record.given(3)
    with record.files()[-1].open("ab") as file:
        file.write(b'{"n":5,"prev":"00')
    record.given(3)
    lines = record.lines()
    lines[4] = b'{"client":"10.0.0.9"}\n'
    record.put(lines)
    assert record.wrong() == [(5, "is no line of the record")]


def test_lines_that_were_written_and_not_noted_in_the_head_count(record: Written) -> None:
    record.given(3)
    head = (record.folder / HEAD).read_bytes()
    record.given(2)
    (record.folder / HEAD).write_bytes(head)
    record.given(1)
    assert record.found() == []
    assert record.events() == ["file", *["given"] * 6]


def test_a_file_that_was_begun_and_not_noted_in_the_head_counts(record: Written) -> None:
    record.given(3)
    head = (record.folder / HEAD).read_bytes()
    record.clock.now += DAY
    record.given(2)
    (record.folder / HEAD).write_bytes(head)
    record.given(1)
    assert record.found() == []
    assert record.events() == ["file", *["given"] * 3, "file", *["given"] * 3]


def test_whole_batches_or_nothing(record: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    record.given(2)
    before = record.files()[-1].read_bytes()
    write = os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) < 1000:
            raise OSError(28, "No space left on device")
        return write(fd, bytes(data)[:700])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        record.book().append([(record.clock.now, given(version=str(number))) for number in range(5)])
    monkeypatch.undo()
    assert record.files()[-1].read_bytes() == before
    record.given()
    assert record.found() == []


def writes(folder: Path, count: int) -> None:
    book = Book(folder, 20_000, 1e9)
    for number in range(count):
        book.append([(time.time(), given(version=f"{number}.{each}", client=str(os.getpid()))) for each in range(3)])


def test_several_processes_write_one_chain(record: Written) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=writes, args=(record.folder, 40)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert record.found() == []
    assert record.events().count("given") == 3 * 40 * 3
    clients = [told["client"] for told in record.told() if told["event"] == "given"]
    assert len(set(clients)) == 3
    assert len(record.files()) > 3


def test_a_process_that_is_killed_leaves_a_chain_that_goes_on(record: Written) -> None:
    spawn = multiprocessing.get_context("spawn")
    for _ in range(4):
        process = spawn.Process(target=writes, args=(record.folder, 1_000_000))
        process.start()
        before = len(record.told()) if record.folder.exists() else 0
        deadline = time.monotonic() + 20
        while (not record.folder.exists() or len(whole(record)) < before + 20) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        record.clock.now = time.time()
        record.given()
    assert record.wrong() == []


def whole(record: Written) -> list[bytes]:
    """The lines that are whole; a process writes meanwhile."""
    return [line for path in record.files() for line in path.read_bytes().split(b"\n")[:-1]]
