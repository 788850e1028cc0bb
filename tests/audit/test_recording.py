"""Records are written beside the requests, in order and many at once; what waits is bounded, what is lost counted."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from mirror.audit.book import Book
from mirror.audit.chain import Event
from mirror.audit.recording import Recording
from tests.audit.books import Written, given


class Disk(Book):
    """A record whose disk is `full`, or `halted`: it takes as long as the test wants."""

    full = False

    def __init__(self, record: Written) -> None:
        super().__init__(record.folder, record.max_file, record.keep, record.clock)
        self.batches: list[int] = []
        self.go = threading.Event()
        self.go.set()

    def append(self, events: Sequence[Event]) -> None:
        self.go.wait(10)
        if self.full:
            raise OSError(28, "No space left on device")
        super().append(events)
        self.batches.append(len(events))


@pytest.fixture
def record(tmp_path: Path) -> Written:
    return Written(tmp_path / "audit")


@pytest.fixture
def disk(record: Written) -> Disk:
    return Disk(record)


def some(count: int, begin: int = 0) -> list[Event]:
    return [(1.8e9 + number, given(version=str(number))) for number in range(begin, begin + count)]


def versions(record: Written) -> list[str]:
    return [told["version"] for told in record.told() if told["event"] == "given"]


async def until(disk: Disk, batches: int) -> None:
    while len(disk.batches) < batches:  # noqa: ASYNC110  another thread writes them
        await asyncio.sleep(0.005)


async def test_records_are_written_in_order_and_many_at_once(record: Written, disk: Disk) -> None:
    recording = Recording(disk, delay=0.05)
    await recording.open()
    for number in range(100):
        recording.take(some(2, 2 * number))
    await recording.close()
    assert versions(record) == [str(number) for number in range(200)]
    assert record.events() == ["file", "start", *["given"] * 200, "stop"]
    assert len(disk.batches) == 2
    assert record.found() == []


async def test_they_are_on_disk_a_moment_later_without_more_requests(record: Written, disk: Disk) -> None:
    recording = Recording(disk, delay=0.01)
    await recording.open()
    recording.take(some(3))
    await until(disk, 2)
    assert versions(record) == ["0", "1", "2"]
    await recording.close()


async def test_the_event_loop_does_not_wait_for_the_disk(record: Written, disk: Disk) -> None:
    recording = Recording(disk, delay=0.001)
    await recording.open()
    disk.go.clear()
    for number in range(50):
        recording.take(some(1, number))
        await asyncio.sleep(0.001)  # the disk does nothing meanwhile
    assert versions(record) == []
    disk.go.set()
    await recording.close()
    assert versions(record) == [str(number) for number in range(50)]


async def test_what_a_full_disk_does_not_take_waits(
    record: Written, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    recording = Recording(disk, delay=0.001, retry=0.002)
    disk.full = True
    with caplog.at_level(logging.WARNING, "mirror.audit"):
        await recording.open()  # which is no reason not to start
        for number in range(20):
            recording.take(some(1, number))
            await asyncio.sleep(0.003)
        disk.full = False
        await until(disk, 1)
        await recording.close()
    assert versions(record) == [str(number) for number in range(20)]
    assert "lost" not in record.events()
    assert [message.getMessage() for message in caplog.records] == [
        "what is handed out cannot be recorded, and waits in memory: No space left on device",
        "what is handed out is recorded again: all of it",
    ]


async def test_what_is_too_much_is_lost_and_the_record_says_how_many(
    record: Written, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    recording = Recording(disk, delay=0.001, retry=0.002, most=20_000)
    disk.full = True
    with caplog.at_level(logging.WARNING, "mirror.audit"):
        recording.take(some(100))
        recording.take(some(100, 100))  # before any attempt to write: one that is under way tells what is lost by then
        assert recording._size <= 20_000
        await asyncio.sleep(0.01)
        disk.full = False
        while recording._size:  # noqa: ASYNC110  another thread writes them
            await asyncio.sleep(0.002)
        recording.take(some(1, 500))
        await recording.close()
    kept = versions(record)
    lost = 201 - len(kept)
    assert 0 < lost < 200
    assert kept == [str(number) for number in range(200 - lost)] + ["500"]
    (told,) = [told for told in record.told() if told["event"] == "lost"]
    assert told["records"] == lost
    assert record.events().index("lost") == len(kept)  # behind the file's line, and before the last one
    assert [finding.text.partition(" from ")[0] for finding in record.found()] == [
        f"{lost} records could not be written"
    ]
    assert len(caplog.records) == 2
    assert f"{lost} records are lost" in caplog.text


async def test_there_is_room_again_when_it_was_written(record: Written, disk: Disk) -> None:
    recording = Recording(disk, delay=0.001, most=20_000)
    await recording.open()
    for number in range(20):
        recording.take(some(20, 20 * number))
        while recording._size:  # noqa: ASYNC110  another thread writes them
            await asyncio.sleep(0.002)
    await recording.close()
    assert len(versions(record)) == 400
    assert recording._size == 0


async def test_an_end_with_a_full_disk_comes_and_is_told(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    recording = Recording(disk, delay=60)
    await recording.open()
    recording.take(some(7))
    disk.full = True
    with caplog.at_level(logging.WARNING, "mirror.audit"):
        await recording.close()
    assert caplog.records[-1].getMessage() == "7 records of what was handed out are lost"


async def test_a_start_after_a_crash_is_a_line_like_others(record: Written, disk: Disk) -> None:
    await Recording(disk).open()
    with record.files()[-1].open("ab") as file:
        file.write(b'{"n":3,"pre')
    recording = Recording(disk)
    await recording.open()
    await recording.close()
    assert record.events() == ["file", "start", "torn", "start", "stop"]
    assert record.wrong() == []
    assert json.loads(record.lines()[3])["bytes"] == 12
