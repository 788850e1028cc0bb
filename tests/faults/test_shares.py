"""A mirror's share of the cache holds beside another mirror, under load, over restarts and kills."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest

from mirror.shares import mirror_of
from mirror.stores.blob import entry_of
from mirror.stores.codec import load_note
from tests.instruments.origin import origin_process
from tests.instruments.reader import Errand, fleet, read
from tests.instruments.server import Served, served

MB = 1_000_000
SHARE = 20 * MB
FRESH = "cc=max-age=86400"


def two(upstream: str) -> str:
    """Two mirrors of one upstream: `m` has a share."""
    mirrors = "".join(f'[mirrors.{name}]\necosystem = "http"\nupstream = "{upstream}"\n' for name in "om")
    return f'[cache]\nmin_free = "1MB"\ndurability = "none"\n{mirrors}max_size = "20MB"\n'


def errand(server: Served, mirror: str, name: str, size: int) -> Errand:
    return Errand(server.url(f"/{mirror}/obj/{name}/{size}?{FRESH}"), name, size)


def taken(cache: Path, mirror: str) -> int:
    """Bytes on disk of blobs and partials of a mirror; of partials that have no note yet, all."""
    total = 0
    for path in [*(cache / "blobs.v1").glob("*/*"), *(cache / "partial").glob("*.part")]:
        try:
            size = path.stat().st_blocks * 512
            if path.suffix != ".part":
                entry = entry_of(path)
                total += size if entry is not None and mirror_of(entry.key) == mirror else 0
            elif mirror_of(load_note(path.with_suffix(".json").read_bytes())[0].key) == mirror:
                total += size
        except FileNotFoundError:
            continue
    return total


async def watch(cache: Path, seen: list[int], done: asyncio.Event) -> None:
    while not done.is_set():
        seen.append(await asyncio.to_thread(taken, cache, "m"))
        await asyncio.sleep(0.02)


OTHERS = [(f"other{n}", 3 * MB) for n in range(8)]


def load(server: Served, number: int) -> list[Errand]:
    dice = random.Random(number)
    wanted = [("m", f"x{dice.randrange(40)}", dice.choice([100_000, MB, 4 * MB])) for _ in range(12)]
    wanted += [("o", *dice.choice(OTHERS)) for _ in range(4)]
    return [errand(server, *each) for each in wanted]


@pytest.mark.row(30, at="a mirror's share, over restarts and kills")
async def test_a_share_holds_over_restarts_and_kills_and_costs_others_nothing(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path, two(origin.url())) as server:
        tally = await fleet(len(OTHERS), [errand(server, "o", *each) for each in OTHERS])
        assert tally.count("ok") == len(OTHERS), tally.summary()
        seen: list[int] = []
        done = asyncio.Event()
        watching = asyncio.create_task(watch(server.cache, seen, done))
        for number in range(6):
            tally = await fleet(16, load(server, number))
            assert tally.count("ok") == 16, tally.summary()
            if number % 3 == 1:
                server.stop()
                server.start()
            elif number % 3 == 2:
                running = asyncio.create_task(fleet(16, load(server, 100 + number)))
                await asyncio.sleep(random.Random(number).uniform(0.0, 0.2))
                server.kill()
                assert (await running).count("corrupt") == 0
                server.start()
        done.set()
        await watching
        assert SHARE // 2 <= max(seen) <= SHARE, f"{max(seen)} bytes on disk"
        for name, size in OTHERS:
            hit = await read(errand(server, "o", name, size).url, seed=name, size=size)
            assert (hit.verdict, hit.headers.get("x-cache")) == ("ok", "HIT")


async def test_what_is_larger_than_the_share_streams_through(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path, two(origin.url())) as server:
        small = errand(server, "m", "small", MB)
        assert (await read(small.url, seed="small", size=MB)).verdict == "ok"
        for _ in range(2):
            reading = await read(errand(server, "m", "big", 30 * MB).url, seed="big", size=30 * MB)
            assert (reading.verdict, reading.headers.get("x-cache")) == ("ok", "MISS")
        assert origin.requests(f"/obj/big/{30 * MB}") == 2
        reading = await read(small.url, seed="small", size=MB)
        assert (reading.verdict, reading.headers.get("x-cache")) == ("ok", "HIT")
        reading = await read(errand(server, "o", "big", 30 * MB).url, seed="big", size=30 * MB)
        again = await read(errand(server, "o", "big", 30 * MB).url, seed="big", size=30 * MB)
        assert (reading.verdict, again.verdict, again.headers.get("x-cache")) == ("ok", "ok", "HIT")


async def test_a_share_that_is_made_smaller_in_the_configuration_is_held_without_a_restart(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path, two(origin.url())) as server:
        everybody = [errand(server, mirror, f"r{n}", MB) for mirror in "mo" for n in range(6)]
        assert (await fleet(12, everybody)).count("ok") == 12
        config = server.folder / "config.toml"
        config.write_text(config.read_text().replace('max_size = "20MB"', 'max_size = "3MB"'))
        server.signal(signal.SIGHUP)
        async with asyncio.timeout(20):
            while taken(server.cache, "m") > 3 * MB:  # noqa: ASYNC110  another process tells nobody
                await asyncio.sleep(0.02)
        assert taken(server.cache, "m") >= 2 * MB
        assert taken(server.cache, "o") >= 6 * MB
