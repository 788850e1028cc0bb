"""A server that is started on a disk that is full, or turned read-only: it serves what is stored there, and all else
passes. What began as an unclean stop may well be why it is started."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mirror.stores import standin
from tests.faults.test_disk import MB, all_pass, got, hits_are_hits, recovers, warmed
from tests.faults.volume import Volume, ext4, tmpfs
from tests.instruments.clock import until
from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.server import Served, http_mirror, served

ENDS = pytest.mark.parametrize("end", ["stop", "kill"])
ALIVE = "/-/health"  # not ready: that is told as long as nothing can be stored


@contextmanager
def serving(volume: Volume, workers: int = 1) -> Iterator[tuple[Served, Abroad]]:
    config = 'min_free = "10MB"'
    with origin_process() as origin, served(volume.folder, http_mirror(origin.url(), config), workers) as server:
        yield server, origin


def stand_ins(server: Served) -> list[Path]:
    return [place for place in standin.places(server.cache / "index.v1") if place.exists()]


def purged(server: Served, pattern: str) -> int:
    with closing(server.connect()) as connection:
        told = json.dumps({"globs": [pattern]})
        connection.request("POST", "/-/api/purge", told, {"Content-Type": "application/json"})
        return connection.getresponse().status


@pytest.mark.row(25, at="a start on a full disk: hits are hits, and all else passes; what comes after it is kept")
@ENDS
async def test_a_start_on_a_full_disk(tmp_path: Path, end: str) -> None:
    """Seen red: without a stand-in of the index the server does not start."""
    with tmpfs(tmp_path / "v", "size=64m") as volume, serving(volume) as (server, origin):
        await warmed(server)
        getattr(server, end)()
        volume.fill()
        server.start(ALIVE)
        await hits_are_hits(server)
        await all_pass(server, [1000, 30_000, 100_000, 3 * MB] * 3)
        log = server.log_since_start()
        assert log.count("the index cannot be written (No space left on device)") == 1
        assert "Traceback" not in log
        assert len(stand_ins(server)) == 1
        volume.clear()
        await recovers(server)
        assert (await got(server, "later", 70_000)).verdict == "ok"
        getattr(server, end)()
        server.start()
        assert stand_ins(server) == []
        await hits_are_hits(server)
        later = await got(server, "later", 70_000)
        assert (later.verdict, later.headers.get("x-cache")) == ("ok", "HIT")
        assert "Traceback" not in server.log_since_start()
        assert server.stop() == 0
        assert origin.requests("/obj/later/70000") == 1


@pytest.mark.row(40)
@ENDS
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_start_on_a_read_only_file_system(tmp_path: Path, end: str, workers: int) -> None:
    """Seen red: without a stand-in of the index the server does not start; with two processes the end took 41 s, once
    in some ten times, as long as a refused write closed the index's connection."""
    with ext4(tmp_path / "v", 64 * MB) as volume, serving(volume, workers) as (server, origin):
        await warmed(server)
        volume.break_down()
        getattr(server, end)()
        server.start(ALIVE)
        for _ in range(5):
            await hits_are_hits(server)
        await all_pass(server, [1000, 30_000, 100_000, 2 * MB] * 3)
        assert purged(server, "/o/obj/hit1/*") == 200
        again = await got(server, "hit1", 20_000)
        assert (again.verdict, again.headers.get("x-cache")) == ("ok", "MISS")
        log = server.log_since_start()
        assert log.count("the index cannot be written (Read-only file system)") == 1
        assert "Traceback" not in log
        if workers > 1:
            holder = server.workers()[0]
            os.kill(holder, signal.SIGKILL)
            until(lambda: len(server.workers()) == workers and holder not in server.workers())
            for _ in range(5):
                await hits_are_hits(server)
            assert server.log_since_start().count("the index cannot be written (Read-only file system)") == 2
        assert server.stop() == 0
        assert stand_ins(server) == []
        assert [origin.requests(f"/obj/hit{n}/{size}") for n, size in enumerate((3 * MB, 20_000, 300_000))] == [1, 2, 1]
