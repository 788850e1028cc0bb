"""`GET /-/api/stats`: what clients got, and what the origin was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.instruments.clock import until
from tests.instruments.process import Abroad, origin_process
from tests.instruments.server import Served, http_mirror, served

FRESH = "cc=max-age=86400"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Served, Abroad]]:
    with origin_process() as origin, served(tmp_path / "mirror", http_mirror(origin.address)) as server:
        yield server, origin


def ask(server: Served, *targets: str, method: str = "GET", **fields: str) -> int:
    """Ask for all of them on one connection; how many bytes of bodies came."""
    connection, count = HTTPConnection("127.0.0.1", server.port, timeout=30), 0
    for target in targets:
        connection.request(method, target, headers=fields)
        count += len(connection.getresponse().read())
    connection.close()
    return count


def stats(server: Served) -> Any:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/-/api/stats")
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, told
    return told


def test_requests_and_bytes_are_counted_to_the_last_one_whoever_answered_them(
    pair: tuple[Served, Abroad],
) -> None:
    server, _ = pair
    small, large = f"/o/obj/small/1000?{FRESH}", f"/o/obj/large/3000000?{FRESH}"
    ask(server, small, large)
    hits = ask(server, *[small] * 50, *[large] * 5)  # prepared replies, of both kinds, among them
    part = ask(server, large, Range="bytes=10-19")
    ask(server, small, method="HEAD")
    refused = ask(server, "/o/obj/small/nonsense")
    nowhere = ask(server, "/nowhere/")
    until(lambda: sum(stats(server)["totals"]["requests"].values()) >= 61)  # each is counted when it has ended
    told = stats(server)
    mirror, totals = told["mirrors"]["o"], told["totals"]
    assert hits == 50 * 1000 + 5 * 3_000_000
    assert part == 10
    assert mirror["requests"] == {"HIT": 57, "STALE": 0, "REVALIDATED": 0, "MISS": 3, "BYPASS": 0, "ERROR": 0}
    assert mirror["bytes_saved"] == hits + part
    assert mirror["bytes_served"] == hits + part + 3_001_000 + refused
    assert mirror["bytes_fetched"] == 3_001_000 + refused
    assert (mirror["errors"], totals["errors"]) == (0, 1)
    assert totals["bytes_served"] == mirror["bytes_served"] + nowhere
    assert list(told["mirrors"]) == ["o"]


def test_what_is_stored_is_told(pair: tuple[Served, Abroad]) -> None:
    server, _ = pair
    assert stats(server)["totals"]["entries"] == 0
    again = Served(server.folder.parent / "other", http_mirror(pair[1].address))
    again.start()
    try:
        ask(again, *[f"/o/obj/{n}/{1000 + n}?{FRESH}" for n in range(3)])
        told = stats(again)
        assert (told["mirrors"]["o"]["entries"], told["mirrors"]["o"]["size"]) == (3, 3003)
        assert told["totals"]["size"] == 3003
        assert told["uptime"] > 0
        assert told["version"]
    finally:
        again.stop()
