"""The cache stays below `max_size` at all times, with whole bodies for everybody."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.instruments.origin import origin_process
from tests.instruments.reader import Errand, fleet, read
from tests.instruments.server import Served, http_mirror, served

MB = 1_000_000
LIMIT = 300 * MB
FRESH = "cc=max-age=86400"
HOT = [("hot1", 2 * MB), ("hot2", 500_000), ("hot3", 10_000)]


def objects() -> list[tuple[str, int]]:
    """About 2 GB, of 1 kB to 100 MB."""
    dice = random.Random(7)
    sizes = [100 * MB] * 8 + [40 * MB] * 15 + [10 * MB] * 40 + [MB] * 150 + [1000] * 200
    named = [(f"o{number}", size) for number, size in enumerate(sizes)]
    dice.shuffle(named)
    return named


def errand(server: Served, name: str, size: int) -> Errand:
    return Errand(server.url(f"/o/obj/{name}/{size}?{FRESH}"), name, size)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder whose `cache` is a file system of its own: what it holds is told by the kernel, at one instant."""
    folder = tmp_path / "mounted"
    (folder / "cache").mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=400m,mode=0700", "tmpfs", str(folder / "cache")]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder / "cache")], check=True)


def held(path: Path) -> int:
    """Bytes that the file system at `path` holds."""
    status = os.statvfs(path)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


async def watch(path: Path, seen: list[int], done: asyncio.Event) -> None:
    while not done.is_set():
        seen.append(held(path))
        await asyncio.sleep(0.005)


@pytest.mark.row(30)
async def test_never_more_than_max_size_on_disk_and_what_is_used_stays(disk: Path) -> None:
    settings = 'max_size = "300MB"\nmin_free = "1MB"\ndurability = "none"'
    with origin_process() as origin, served(disk, http_mirror(origin.url(), settings)) as server:
        seen: list[int] = []
        done = asyncio.Event()
        watching = asyncio.create_task(watch(server.cache, seen, done))
        todo = objects()
        for start in range(0, len(todo), 6):
            batch = [*todo[start : start + 6], *HOT]
            tally = await fleet(len(batch), [errand(server, name, size) for name, size in batch])
            assert tally.count("ok") == len(batch), tally.summary()
        done.set()
        await watching
        assert max(seen) <= LIMIT, f"{max(seen)} bytes on disk"
        assert max(seen) >= LIMIT // 2
        for name, size in HOT:
            hit = await read(errand(server, name, size).url, seed=name, size=size)
            assert (hit.verdict, hit.headers.get("x-cache")) == ("ok", "HIT")
            assert origin.requests(f"/obj/{name}/{size}") == 1


@pytest.mark.row(21, 30, at="20 MB through a cache that keeps 5 MB")
async def test_what_is_larger_than_max_object_streams_through_complete(tmp_path: Path) -> None:
    settings = 'max_size = "300MB"\nmax_object = "5MB"\nmin_free = "1MB"'
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url(), settings)) as server:
        for _ in range(2):
            reading = await read(errand(server, "big", 20 * MB).url, seed="big", size=20 * MB)
            assert (reading.verdict, reading.headers.get("x-cache")) == ("ok", "MISS")
        assert server.on_disk() < 5 * MB
        assert origin.requests("/obj/big/20000000") == 2


@pytest.mark.row(30, at="a cache of 2 MB, 12 readers of 10 to 30 MB")
async def test_a_cache_that_is_too_small_for_anything_serves_everything(tmp_path: Path) -> None:
    settings = 'max_size = "2MB"\nmin_free = "1MB"'
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url(), settings)) as server:
        everybody = [errand(server, f"x{n % 3}", (1 + n % 3) * 10 * MB) for n in range(12)]
        tally = await fleet(len(everybody), everybody)
        assert tally.count("ok") == len(everybody), tally.summary()
        assert server.on_disk() <= 4 * MB
