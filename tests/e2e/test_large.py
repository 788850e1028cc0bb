"""Large artifacts: many connections of one client, a far range, readers that differ, memory that stays small."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.instruments import bodies
from tests.instruments.log import IN_FLIGHT
from tests.instruments.origin import origin_process
from tests.instruments.reader import Errand, fleet, mixture, read
from tests.instruments.server import http_mirror, served

MB = 1_000_000
FRESH = "cc=max-age=86400"


@pytest.mark.row(10, at="aria2: 500 MB cold in 8 ranges at once")
def test_aria2_with_eight_connections_gets_the_identical_file(tmp_path: Path) -> None:
    """Seen red: ranges are not answered; a connection goes on where another one has begun."""
    if shutil.which("aria2c") is None:
        pytest.skip("aria2c is not installed")
    path, size = "/obj/aria/500000000", 500 * MB
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url())) as server:
        url = server.url(f"/o{path}?{FRESH}")
        options = ["-x8", "-s8", "--min-split-size=1M", "--file-allocation=none", "--quiet", "--no-conf"]
        subprocess.run(["aria2c", *options, "-d", str(tmp_path), "-o", "got", url], check=True, timeout=110)
        with (tmp_path / "got").open("rb") as got:
            assert hashlib.file_digest(got, "sha256").hexdigest() == bodies.digest("aria", size)
        assert origin.sent(path) <= size + 7 * IN_FLIGHT  # where the next one of the eight begins, one ends


async def test_a_range_at_90_percent_of_a_cold_object_comes_within_a_second(tmp_path: Path) -> None:
    path, size = "/obj/far/1000000000", 1000 * MB
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url())) as server:
        url = server.url(f"/o{path}?{FRESH}&rate=50000000&wait=0.2")
        start = size * 9 // 10
        part = await read(url, seed="far", size=size, range=f"{start}-{start + 100_000 - 1}")
        assert part.verdict == "ok"
        assert part.first_byte is not None
        assert part.first_byte < 0.2 + 1.0
        assert origin.sent(path) < 0.2 * size


@pytest.mark.row(
    11,
    14,
    at="50 readers of 60 MB, 15 of them slow, 15 leave: nothing is fetched twice but what sockets hold (12 MiB), "
    "memory below 200 MB",
)
async def test_a_fleet_of_readers_is_one_download_with_every_byte_right(tmp_path: Path) -> None:
    """Seen red: a connection goes on where another one has begun."""
    path, size = "/obj/fleet/60000000", 60 * MB
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url())) as server:
        errand = Errand(server.url(f"/o{path}?{FRESH}&rate=12000000"), "fleet", size, patience=60.0)
        todo = mixture(errand, "whole:1,range:3,slow:3,leave:3", 50, rate=6e6)
        todo = [replace(one, delay=2.0 * number / len(todo)) for number, one in enumerate(todo)]
        tally = await fleet(len(todo), todo)
        assert tally.count("ok") + tally.count("left") == len(todo), tally.summary()
        assert origin.sent(path) <= size + IN_FLIGHT
        assert server.peak() < 200 * MB


@pytest.mark.row(11, at="30 readers of 80 MB: one request")
async def test_in_the_plain_case_the_origin_sees_one_request(tmp_path: Path) -> None:
    path, size = "/obj/plain/80000000", 80 * MB
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url())) as server:
        errand = Errand(server.url(f"/o{path}?{FRESH}"), "plain", size, patience=60.0)
        todo = mixture(errand, "whole:2,leave:1", 30)
        tally = await fleet(len(todo), todo)
        assert tally.count("ok") + tally.count("left") == len(todo), tally.summary()
        assert (origin.requests(path), origin.sent(path)) == (1, size)
