"""`kill -9` at any moment: no wrong byte afterwards, what was committed is there, what was begun is gone on with."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mirror.stores.codec import load_note
from mirror.stores.partial import CHECKPOINT
from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.reader import Errand, fleet, mixture, read
from tests.instruments.server import Served, http_mirror, served

MB = 1_000_000
FRESH = "cc=max-age=86400"
KILLS = int(os.environ.get("MIRROR_TEST_KILLS", "20"))
"""The scorecard wants 200, which take several minutes: with `--timeout=0`."""


async def until(holds: Callable[[], bool], within: float = 20.0) -> None:
    """Until it holds; asked in a thread, because the answer comes from another process."""
    async with asyncio.timeout(within):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110  another process tells nobody
            await asyncio.sleep(0.02)


def noted(server: Served) -> int:
    """The bytes of a download that are on disk for whoever comes after a kill."""
    notes = (server.cache / "partial").glob("*.json")
    return sum(end - start for note in notes for start, end in load_note(note.read_bytes())[1])


@pytest.mark.row(17, at="60 MB, the mirror itself killed at 60 %: the next request asks for the rest")
async def test_the_next_request_after_a_kill_resumes_with_range(tmp_path: Path) -> None:
    path, size = "/obj/k/60000000", 60 * MB
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url())) as server:
        url = server.url(f"/o{path}?{FRESH}&hold=60%25&times=1")
        first = asyncio.create_task(read(url, seed="k", size=size))
        await until(lambda: origin.sent(path) >= 0.6 * size)
        await until(lambda: noted(server) >= CHECKPOINT)
        kept = noted(server)
        server.kill()
        assert (await first).verdict == "truncated"
        before = origin.sent(path)
        server.start()
        again = await read(url, seed="k", size=size)
        assert again.verdict == "ok"
        assert origin.log[-1].range.startswith("bytes=")
        assert origin.sent(path) - before <= size - kept
        hit = await read(url, seed="k", size=size)
        assert (hit.verdict, hit.headers.get("x-cache")) == ("ok", "HIT")


def load(server: Served, round_number: int) -> list[Errand]:
    dice = random.Random(round_number)
    errands = []
    for number in dice.sample(range(12), 6):
        size = (1 + number) * MB
        url = server.url(f"/o/obj/s{number}/{size}?{FRESH}")
        errands += mixture(Errand(url, f"s{number}", size), "whole:4,range:2,leave:1", 4)
    return errands


async def one_kill(server: Served, origin: Abroad, round_number: int, committed: set[str]) -> None:
    running = asyncio.create_task(fleet(24, load(server, round_number)))
    await asyncio.sleep(random.Random(-round_number).uniform(0.0, 0.4))
    server.kill()
    tally = await running
    assert tally.count("corrupt") == 0, tally.summary()
    server.start()
    for key in sorted(committed):
        name, _, size = key.partition("/")
        probe = await read(server.url(f"/o/obj/{key}?{FRESH}"), seed=name, size=int(size), range="0-99")
        assert (probe.verdict, probe.headers.get("x-cache")) == ("ok", "HIT"), f"{key} was committed and is lost"
    tally = await fleet(24, load(server, round_number))
    assert tally.count("corrupt") == 0, tally.summary()
    for reading, errand in zip(tally.readings, load(server, round_number), strict=True):
        if reading.verdict == "ok" and not errand.range and errand.leave_after is None:
            committed.add(f"{errand.seed}/{errand.size}")


@pytest.mark.row(1, at="20 kills under 24 readers; 200 with MIRROR_TEST_KILLS=200")
async def test_kills_under_load_serve_no_wrong_byte_and_lose_nothing_committed(tmp_path: Path) -> None:
    committed: set[str] = set()
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url())) as server:
        for round_number in range(KILLS):
            await one_kill(server, origin, round_number, committed)
            if round_number % 5 == 4:  # start over with an empty cache: kills hit downloads, not only hits
                server.stop()
                for path in (server.cache / "blobs.v1").rglob("*"):
                    if path.is_file():
                        path.unlink()
                committed.clear()
                server.start()
        assert origin.requests() > 0
