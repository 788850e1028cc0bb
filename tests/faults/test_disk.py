"""A disk that is full, has no files left, or turned read-only, under a running server: nobody who downloads notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.faults.volume import Volume, ext4, tmpfs
from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.reader import Errand, Reading, fleet, read
from tests.instruments.server import Served, http_mirror, served

MB = 1_000_000
FRESH = "cc=max-age=86400"
BEGUN, OVER = "the cache cannot be used: ", "the cache can be used again: "
HITS = [("hit0", 3 * MB), ("hit1", 20_000), ("hit2", 300_000)]


def errand(server: Served, name: str, size: int, more: str = "") -> Errand:
    return Errand(server.url(f"/o/obj/{name}/{size}?{FRESH}{more}"), name, size)


@contextmanager
def serving(volume: Volume, settings: str = 'min_free = "10MB"') -> Iterator[tuple[Served, Abroad]]:
    """A server on that volume, and its origin."""
    with origin_process() as origin, served(volume.folder, http_mirror(origin.url(), settings), 1) as server:
        yield server, origin


async def got(server: Served, name: str, size: int, more: str = "") -> Reading:
    return await read(errand(server, name, size, more).url, seed=name, size=size)


async def warmed(server: Served) -> None:
    for name, size in HITS:
        assert (await got(server, name, size)).verdict == "ok"


async def hits_are_hits(server: Served) -> None:
    for name, size in HITS:
        reading = await got(server, name, size)
        assert (reading.verdict, reading.headers.get("x-cache")) == ("ok", "HIT"), name


async def filled(volume: Volume, count: int) -> None:
    while volume.held() < count:  # noqa: ASYNC110  another process: it can only be looked at
        await asyncio.sleep(0.01)


async def all_pass(server: Served, sizes: list[int]) -> None:
    """Things that were never asked for come whole, many at once."""
    everybody = [errand(server, f"new{number}", size) for number, size in enumerate(sizes)]
    tally = await fleet(len(everybody), everybody)
    assert tally.count("ok") == len(everybody), tally.summary()


def asked(server: Served, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


async def ready(server: Served, status: int, volume: Volume | None = None) -> str:
    """What it says of itself, once that is so: what it knows may be a second old, and what it gives back of a full
    `volume` meanwhile is filled again."""
    async with asyncio.timeout(30):
        while (answer := await asyncio.to_thread(asked, server, "/-/ready"))[0] != status:
            if volume is not None:
                volume.fill()
            await asyncio.sleep(0.05)
    return answer[1]


def refused(server: Served, reason: str) -> int:
    """How many bodies were not stored, as the metrics have it."""
    line = f'mirror_cache_refused_total{{mirror="o",reason="{reason}"}} '
    _, text = asked(server, "/-/metrics")
    return int(float(next(each.removeprefix(line) for each in text.splitlines() if each.startswith(line))))


async def recovers(server: Served) -> None:
    """Within a minute something new is stored again, and that is told."""
    for number in range(60):
        name = f"after{number}"
        for _ in range(2):
            reading = await got(server, name, 50_000)
            assert reading.verdict == "ok"
        if reading.headers.get("x-cache") == "HIT" and OVER in server.log():
            return
        await asyncio.sleep(0.5)  # another process: it waits until no refusal has come for some seconds
    raise AssertionError(server.log())


def alarm_once(server: Served, why: str) -> None:
    """The log tells it in one line, and has no line for each request."""
    log = server.log_since_start()
    assert log.count(BEGUN) == 1, log
    assert f"{BEGUN}{why}" in log
    warnings = [line for line in log.splitlines() if " WARNING " in line or " ERROR " in line]
    assert len(warnings) <= 4, log
    assert "Traceback" not in log


@pytest.mark.row(25)
async def test_a_full_disk_stops_no_download_and_no_hit_and_is_over_when_it_is_over(tmp_path: Path) -> None:
    """Seen red: `Body.detach` that raises what the disk said."""
    with tmpfs(tmp_path / "v", "size=64m") as volume, serving(volume) as (server, origin):
        await warmed(server)
        volume.fill()
        told = json.loads(await ready(server, 503, volume))
        assert told["checks"]["cache"] == "cannot write: No space left on device"
        await all_pass(server, [1000, 30_000, 100_000, 3 * MB, 25 * MB] * 6)
        await hits_are_hits(server)
        alarm_once(server, "No space left on device")
        assert refused(server, "no_space") == 30
        assert server.memory() < 200 * MB
        volume.clear()
        await recovers(server)
        await ready(server, 200)
        assert server.log().count(OVER) == 1
        await hits_are_hits(server)
        assert [origin.requests(f"/obj/{name}/{size}") for name, size in HITS] == [1, 1, 1]


@pytest.mark.row(25)
async def test_a_disk_that_becomes_full_in_the_middle_of_downloads_breaks_none_of_them(tmp_path: Path) -> None:
    """Seen red: `Body.detach` that raises what the disk said."""
    size = 30 * MB
    with tmpfs(tmp_path / "v", "size=120m") as volume, serving(volume, 'min_free = "1MB"') as (server, origin):
        await warmed(server)
        everybody = [errand(server, f"held{n % 2}", size, "&hold=50%") for n in range(6)]
        reading = asyncio.create_task(fleet(len(everybody), everybody))
        await filled(volume, size)
        volume.fill()
        for name in ("held0", "held1"):
            origin.release(f"/obj/{name}/{size}")
        tally = await reading
        assert tally.count("ok") == 6, tally.summary()
        await hits_are_hits(server)
        alarm_once(server, "No space left on device")
        volume.clear()
        await recovers(server)


@pytest.mark.row(26)
async def test_a_disk_that_takes_no_more_files_is_as_a_full_one(tmp_path: Path) -> None:
    """Seen red: a download ends when the disk takes no more files."""
    with tmpfs(tmp_path / "v", "size=64m,nr_inodes=400") as volume, serving(volume) as (server, _):
        await warmed(server)
        volume.exhaust()
        await all_pass(server, [1000, 30_000, 100_000, 3 * MB] * 6)
        alarm_once(server, "No space left on device")
        volume.clear()
        await recovers(server)


@pytest.mark.row(26)
async def test_a_cache_that_used_up_all_files_of_its_disk_goes_on_with_the_newest(tmp_path: Path) -> None:
    """Seen red: nothing is evicted for want of files."""
    with tmpfs(tmp_path / "v", "size=64m,nr_inodes=420") as volume, serving(volume) as (server, _):
        many = [errand(server, f"many{number}", 2000) for number in range(400)]
        for start in range(0, len(many), 20):
            tally = await fleet(20, many[start : start + 20])
            assert tally.count("ok") == 20, tally.summary()
        again = await read(many[-1].url, seed="many399", size=2000)
        assert (again.verdict, again.headers.get("x-cache")) == ("ok", "HIT")
        assert BEGUN not in server.log()


@pytest.mark.row(27)
async def test_a_file_system_that_turns_read_only_still_gives_hits_and_all_else_passes(tmp_path: Path) -> None:
    """Seen red: a download ends when the file system turns read-only."""
    with ext4(tmp_path / "v", 64 * MB) as volume, serving(volume) as (server, _):
        await warmed(server)
        volume.break_down()
        await all_pass(server, [1000, 30_000, 100_000, 2 * MB] * 5)
        await hits_are_hits(server)
        alarm_once(server, "Read-only file system")
        assert refused(server, "read_only") + refused(server, "io_error") == 20
        assert "Read-only file system" in await ready(server, 503)
        assert server.stop() == 0


@pytest.mark.row(25)
async def test_what_can_be_stored_nowhere_takes_no_memory(tmp_path: Path) -> None:
    """Seen red: what the disk refuses gathers in memory."""
    size = 150 * MB
    with tmpfs(tmp_path / "v", "size=64m") as volume, serving(volume) as (server, _):
        await warmed(server)
        volume.fill()
        before, url = server.peak(), errand(server, "huge", size).url
        fast = read(url, seed="huge", size=size, rate=25 * MB)
        slow = read(url, seed="huge", size=size, rate=2 * MB, leave_after=5 * MB)
        readings = await asyncio.gather(fast, slow)
        assert [reading.verdict for reading in readings] == ["ok", "left"]
        assert server.peak() - before < 60 * MB
