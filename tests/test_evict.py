"""The accounting of bytes: reserved before written, least recently used first, never above the limit."""

import asyncio

import pytest

from mirror.errors import NoRoom
from mirror.evict import Limits, Room, on_disk


class Disk:
    """Counts what was evicted; a file system with a given number of free bytes."""

    def __init__(self, limits: Limits, free: int = 1 << 40) -> None:
        self.free = free
        self.gone: list[str] = []
        self.room = Room(limits, free=lambda _: self.free)
        self.room.evict = self.evict

    async def evict(self, name: str) -> None:
        self.gone.append(name)


def full(limit: int = 100) -> Disk:
    disk = Disk(Limits(max_size=limit))
    disk.room.count([("a", 30), ("b", 30), ("c", 30)])
    return disk


async def test_the_least_recently_used_goes_first() -> None:
    disk = full()
    disk.room.touch("a")
    await disk.room.reservation().grow(40)
    assert disk.gone == ["b"]
    assert disk.room.used == 100


async def test_no_more_is_evicted_than_needed() -> None:
    disk = full()
    await disk.room.reservation().grow(10)
    assert disk.gone == []


@pytest.mark.row(30, at="the arithmetic: what is being fetched counts before it is written")
async def test_what_is_reserved_counts_before_it_is_written() -> None:
    """Seen red: what is being fetched does not count."""
    disk = full()
    first, second = disk.room.reservation(), disk.room.reservation()
    await first.grow(60)
    with pytest.raises(NoRoom):
        await second.grow(60)
    first.release()
    await second.grow(60)
    assert disk.room.used <= 100


@pytest.mark.row(30, at="the arithmetic: what is being fetched counts before it is written")
async def test_concurrent_reservations_never_share_the_same_bytes() -> None:
    disk = full()
    results = await asyncio.gather(*(disk.room.reservation().grow(30) for _ in range(6)), return_exceptions=True)
    assert sum(result is None for result in results) == 3
    assert disk.room.used <= 100


async def test_an_object_above_max_object_has_no_room_and_evicts_nothing() -> None:
    disk = Disk(Limits(max_size=100, max_object=50))
    disk.room.count([("a", 90)])
    with pytest.raises(NoRoom, match="max_object"):
        await disk.room.reservation().grow(51)
    assert disk.gone == []


@pytest.mark.row(30, at="the arithmetic: what is being fetched counts before it is written")
async def test_min_free_of_the_file_system_is_held() -> None:
    """Seen red: nothing is left free on the file system."""
    disk = Disk(Limits(max_size=1000, min_free=50), free=100)
    disk.room.count([])
    await disk.room.reservation().grow(50)
    with pytest.raises(NoRoom):
        await disk.room.reservation().grow(1)


async def test_written_bytes_are_not_promised_twice() -> None:
    disk = Disk(Limits(max_size=1000, min_free=50), free=100)
    disk.room.count([])
    reservation = disk.room.reservation()
    await reservation.grow(50)
    reservation.written, disk.free = 40, 60
    with pytest.raises(NoRoom):
        await disk.room.reservation().grow(1)
    reservation.written, disk.free = 40, 61
    await disk.room.reservation().grow(1)


async def test_nobody_reserves_before_the_disk_was_counted() -> None:
    disk = Disk(Limits(max_size=100))
    waiting = asyncio.create_task(disk.room.reservation().grow(50))
    await asyncio.sleep(0)
    assert not waiting.done()
    disk.room.count([("a", 90)])
    await waiting
    assert disk.gone == ["a"]


async def test_what_was_stored_while_counting_is_newer_than_what_was_found() -> None:
    disk = Disk(Limits(max_size=100))
    disk.room.add("new", 20)
    disk.room.count([("old", 20), ("new", 20)])
    assert disk.room.recency() == ["old", "new"]
    assert disk.room.used == 40


def test_files_take_whole_blocks() -> None:
    assert [on_disk(size) for size in (0, 1, 4096, 4097)] == [0, 4096, 4096, 8192]


async def grown(disk: Disk, count: int) -> asyncio.Task[None]:
    """Somebody who wants so many bytes, after what takes no waiting."""
    task = asyncio.create_task(disk.room.reservation().grow(count))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_who_knows_how_much_is_taken_need_not_wait_for_the_count() -> None:
    disk = Disk(Limits(max_size=100))
    disk.room.assume(60)
    await disk.room.reservation().grow(40)
    assert disk.room.used == 100
    disk.room.found([("a", 30)])
    assert disk.room.used == 100
    disk.room.counted()
    assert disk.room.used == 70


async def test_a_full_cache_waits_for_the_first_that_is_found_and_not_for_all() -> None:
    disk = Disk(Limits(max_size=100))
    disk.room.assume(90)
    disk.room.add("new", 10)
    waiting = await grown(disk, 20)
    assert not waiting.done()
    assert disk.gone == []
    disk.room.found([("old", 15), ("older than nothing", 15)])
    await waiting
    assert disk.gone == ["old", "older than nothing"]
    assert disk.room.used <= 100


async def test_what_is_found_for_what_was_assumed_makes_room() -> None:
    disk = Disk(Limits(max_size=100))
    disk.room.assume(100)
    waiting = await grown(disk, 50)
    disk.room.counted()  # there was nothing after all
    await waiting
    assert disk.gone == []


async def test_a_blob_that_goes_while_others_are_counted_is_not_found_again() -> None:
    disk = Disk(Limits(max_size=100))
    disk.room.assume(60)
    disk.room.remove("purged")
    disk.room.found([("purged", 20), ("a", 30)])
    disk.room.counted()
    assert disk.room.recency() == ["a"]
    assert disk.room.used == 30


async def test_what_will_be_taken_is_told_before_it_is() -> None:
    disk = full()
    told: list[tuple[int, int]] = []

    async def promise(count: int) -> None:
        told.append((count, disk.room.taken))

    disk.room.promise = promise
    await disk.room.reservation().grow(40)
    assert told == [(100, 60)]
    disk.room.remove("c")
    await disk.room.note()
    assert told[1:] == [(70, 70)]


async def test_nothing_is_promised_where_nobody_knows_what_is_taken() -> None:
    disk = Disk(Limits(max_size=100))
    told: list[int] = []

    async def promise(count: int) -> None:
        told.append(count)

    disk.room.promise = promise
    await disk.room.note()
    disk.room.counted(whole=False)
    await disk.room.reservation().grow(40)
    await disk.room.note()
    assert told == []
