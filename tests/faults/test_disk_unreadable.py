"""What is stored cannot be read any more: who asks for it gets it from the origin, from the byte on that is lost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.instruments import bodies
from tests.instruments.origin import origin_process
from tests.instruments.process import Abroad
from tests.instruments.reader import read
from tests.instruments.server import Served, http_mirror

MB = 1_000_000
FRESH = "cc=max-age=86400"
Rig = tuple[Served, Abroad, Path]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("unreadable")
    with origin_process() as origin:
        server = Served(folder, http_mirror(origin.url()), 1)
        server.program = [sys.executable, "-m", "tests.instruments.unreadable"]
        server.environment["MIRROR_UNREADABLE"] = str(folder / "from")
        server.start()
        try:
            yield server, origin, folder / "from"
        finally:
            server.stop()


def whole(server: Served, path: str) -> bytes:
    """The body, for a request that has the same bytes each time and leaves the connection open."""
    connection = server.connect()
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.row(27)
@pytest.mark.parametrize("asked_before", [1, 4], ids=["first hit", "prepared reply"])
@pytest.mark.parametrize(("size", "lost"), [(9 * MB, 5_000_000), (9 * MB, 0), (40_000, 10_000)])
async def test_an_unreadable_hit_is_fetched_again_and_its_client_does_not_notice(
    rig: Rig, size: int, lost: int, asked_before: int
) -> None:
    """Seen red: a stored body that cannot be read is not fetched again."""
    server, origin, broken = rig
    name = f"x{size}-{lost}-{asked_before}"
    path = f"/o/obj/{name}/{size}?{FRESH}"
    right = bodies.body(name, 0, size)
    for _ in range(asked_before):
        assert await asyncio.to_thread(whole, server, path) == right
    broken.write_text(str(lost))
    try:
        assert await asyncio.to_thread(whole, server, path) == right
    finally:
        broken.unlink()
    after = await read(server.url(path), seed=name, size=size)
    assert (after.verdict, after.headers.get("x-cache")) == ("ok", "HIT")
    kept = size < 64_000 and asked_before > 1  # in memory
    assert origin.requests(f"/obj/{name}/{size}") == (1 if kept else 2)
    assert server.log().count(f"/o/obj/{name}/{size}?{FRESH}: its stored body cannot be read") == (0 if kept else 1)
    assert "Traceback" not in server.log()


@pytest.mark.row(27)
async def test_what_is_another_object_meanwhile_is_never_spliced(rig: Rig) -> None:
    """Seen red: the rest of a body that cannot be read is taken of whatever is there now."""
    server, origin, broken = rig
    url = server.url(f"/o/obj/changed/{9 * MB}?{FRESH}")
    assert (await read(url, seed="changed", size=9 * MB)).status == 200
    origin.bump(f"/obj/changed/{9 * MB}")
    broken.write_text("5000000")
    try:
        reading = await read(url, seed="changed", size=9 * MB)
    finally:
        broken.unlink()
    assert reading.verdict == "truncated", reading
    assert (await read(url, seed="changed", size=9 * MB)).status == 200
