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
        self.room = Room(limits, free=lambda: self.free)
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


async def test_what_is_reserved_counts_before_it_is_written() -> None:
    disk = full()
    first, second = disk.room.reservation(), disk.room.reservation()
    await first.grow(60)
    with pytest.raises(NoRoom):
        await second.grow(60)
    first.release()
    await second.grow(60)
    assert disk.room.used <= 100


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


async def test_min_free_of_the_file_system_is_held() -> None:
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
