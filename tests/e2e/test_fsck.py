"""`mirror fsck` on the cache of a real server: what it finds, repairs, and what is served afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.test_disk_planted import PLANTED
from tests.instruments.origin import origin_process
from tests.instruments.reader import Errand, fleet, read
from tests.instruments.server import ROOT, Served, http_mirror, served

FRESH = "cc=max-age=86400"
SIZES = [100, 5000, 70_000, 300_000]
OBJECTS = [(f"f{number}", SIZES[number % 4]) for number in range(2 * len(PLANTED) + 4)]


def fsck(server: Served, *options: str) -> tuple[int, str, str]:
    """Exit code, what was said, what was said of errors."""
    command = [sys.executable, "-m", "mirror", "fsck", "--config", str(server.folder / "config.toml"), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    return done.returncode, done.stdout, done.stderr


def document(server: Served, *options: str) -> tuple[int, dict[str, Any]]:
    code, said, wrong = fsck(server, "--json", *options)
    assert wrong == ""
    return code, json.loads(said)


def errand(server: Served, name: str, size: int) -> Errand:
    return Errand(server.url(f"/o/obj/{name}/{size}?{FRESH}"), name, size)


async def all_read(server: Served) -> None:
    tally = await fleet(len(OBJECTS), [errand(server, *each) for each in OBJECTS])
    assert tally.count("ok") == len(OBJECTS), tally.summary()


@pytest.mark.row(38)
@pytest.mark.row(
    6, at="18 kinds of damage, and a bit flipped in each of 18 bodies: found by `mirror fsck`, then fetched again"
)
@pytest.mark.parametrize("indexed", [True, False])
async def test_what_was_damaged_is_fetched_again_and_never_served(tmp_path: Path, indexed: bool) -> None:
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url())) as server:
        await all_read(server)
        server.stop()
        assert fsck(server) == (0, f"{server.cache}: {said(server)}: nothing wrong\n", "")
        blobs = sorted(path for path in (server.cache / "blobs.v1").rglob("*") if path.is_file())
        planted = dict(zip(PLANTED, blobs, strict=False))
        for how, file in planted.items():
            PLANTED[how](file)
        bodies = blobs[len(planted) : 2 * len(planted)]
        for file in bodies:
            flipped = bytearray(file.read_bytes())
            flipped[random.Random(file.name).randrange(90)] ^= 4
            file.write_bytes(flipped)
        if not indexed:
            (server.cache / "index.v1" / "cache.db").write_bytes(b"garbage")
        code, first, _ = fsck(server)
        assert code == 1
        for file in {*blobs[: 2 * len(planted)]} - ({planted["gone"]} if not indexed else set()):
            assert file.name in first
        code, second, _ = fsck(server, "--repair")
        assert (code, second.count(" -> ")) == (0, len(second.splitlines()) - 1)
        code, third = document(server)
        assert (code, third["findings"], third["checked"]["blobs"]) == (0, [], 4)
        server.start()
        await all_read(server)
        await all_read(server)
        assert origin.requests() == len(OBJECTS) + 2 * len(planted)


def said(server: Served) -> str:
    size = sum(size for _, size in OBJECTS) / 1e9
    return f"{len(OBJECTS)} blobs ({size:.1f} GB), {len(OBJECTS)} entries, 0 unfinished downloads, 0 lists of facts"


async def test_a_server_that_runs_is_named(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url()), workers=1) as server:
        code, out, wrong = fsck(server, "--repair")
        assert (code, out) == (2, "")
        assert f"process {server.pid}" in wrong
        code, told = document(server)
        assert (code, told["findings"]) == (2, [])
        assert f"process {server.pid}" in told["error"]


@pytest.mark.row(1, at="3 kills under load: `mirror fsck` finds no damage")
async def test_after_a_kill_there_is_no_damage(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url())) as server:
        for number in range(3):
            running = asyncio.create_task(fleet(len(OBJECTS), [errand(server, *each) for each in OBJECTS]))
            large = asyncio.create_task(read(errand(server, f"l{number}", 200_000_000).url, seed=f"l{number}", size=1))
            await asyncio.sleep(0.1 + number / 10)
            server.kill()
            await asyncio.gather(running, large)
            code, told = document(server)
            assert code == 0
            assert [finding for finding in told["findings"] if not finding["left"]] == []
            if number == 1:
                assert document(server, "--repair")[0] == 0
                assert document(server)[1]["findings"] == []
            server.start()
        await all_read(server)


async def test_nothing_is_made_where_nothing_is_stored(tmp_path: Path) -> None:
    server = Served(tmp_path, http_mirror("http://upstream.test"))
    code, out, wrong = fsck(server)
    assert (code, wrong) == (0, "")
    assert "nothing wrong" in out
    assert not os.path.lexists(server.cache)
