"""A real server with many entries: lists, orders and purges end within their bounds, and hits go on meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bench.entry.made import Made, stored
from tests.instruments.origin import origin_process
from tests.instruments.server import Served, http_mirror, served

COUNT = 20_000
PATIENCE = 60.0
BOUND = 4.0
"""Seconds within which everything is answered: what takes longer goes on as a job after 2 s, or in the next page after
1 s; the rest is the machine's."""


class Asking:
    """Requests to one server, each over a connection of its own; `slowest` in seconds."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self.slowest = 0.0

    def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        began = time.monotonic()
        payload = None if body is None else json.dumps(body)
        address = f"{path}?{urlencode(query)}" if query else path
        with closing(HTTPConnection("127.0.0.1", self._server.port, timeout=30)) as connection:
            connection.request(method, address, payload, {"content-type": "application/json"} if payload else {})
            answer = connection.getresponse()
            status, read = answer.status, answer.read()
        self.slowest = max(self.slowest, time.monotonic() - began)
        return status, json.loads(read) if path.startswith("/-/") else read

    def entries(self, **query: Any) -> Any:
        status, answer = self("GET", "/-/api/entries", **query)
        assert status == 200, answer
        return answer

    def ended(self, job: str) -> Any:
        """The job, when it has ended."""
        deadline = time.monotonic() + PATIENCE
        while True:
            status, answer = self("GET", f"/-/api/jobs/{job}")
            assert status == 200, answer
            if answer["state"] != "running" or time.monotonic() > deadline:
                return answer
            time.sleep(0.05)  # another process

    def purged(self, **body: Any) -> Any:
        """What a purge came to, at once or as a job."""
        status, answer = self("POST", "/-/api/purge", body)
        assert status in (200, 202), answer
        assert (answer["job"] is not None) == (status == 202)
        return answer if status == 200 else self.ended(answer["job"])["result"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Made]]:
    """A server whose cache holds COUNT entries below `/o/made/`."""
    folder = tmp_path_factory.mktemp("many")
    with origin_process() as origin:
        server = Served(folder, http_mirror(origin.url(), 'max_size = "1TB"\nmin_free = "1MB"'))
        server.start()
        Asking(server)("GET", "/o/obj/template/1024?cc=max-age=864000")
        server.stop()
        made = Made(server.cache, stored(server.cache), COUNT)
        made.make()
        server.start()
        try:
            yield server, made
        finally:
            server.stop()


@pytest.fixture
def asking(many: tuple[Served, Made]) -> Asking:
    return Asking(many[0])


def test_all_pages_are_all_entries(asking: Asking) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        page = asking.entries(prefix="/o/made/", limit=1000, cursor=cursor)
        assert page["complete"]
        seen += [entry["key"] for entry in page["entries"]]
        cursor = page["cursor"]
    assert len(seen) == len(set(seen)) == COUNT
    assert seen == sorted(seen)
    assert asking.slowest < BOUND


def test_a_search_that_finds_nothing_or_little_ends(asking: Asking) -> None:
    for query in ({"search": "nowhere"}, {"tag": "npm:x"}, {"state": "negative"}, {"search": "00019999"}):
        found, cursor = 0, ""
        while cursor is not None:
            page = asking.entries(**query, cursor=cursor)
            found += len(page["entries"])
            cursor = page["cursor"]
        assert found == (query.get("search") == "00019999")
    assert asking.slowest < BOUND


def test_orders_come_within_their_time(asking: Asking) -> None:
    deadline = time.monotonic() + PATIENCE
    while not (page := asking.entries(order="largest", limit=10))["complete"] and time.monotonic() < deadline:
        assert page["entries"] == []
    assert len(page["entries"]) == 10
    assert page["as_of"] is not None
    assert asking.slowest < BOUND


def test_hits_are_counted(many: tuple[Served, Made], asking: Asking) -> None:
    path = f"/o{many[1].path(7)}"
    for _ in range(5):
        assert asking("GET", path)[0] == 200
    [entry] = asking.entries(prefix=path)["entries"]
    assert entry["hits"] == 5
    assert abs(entry["last_access"] - time.time()) < 60


def test_a_soft_purge_goes_through(many: tuple[Served, Made], asking: Asking) -> None:
    soft = asking.purged(globs=["/o/made/**"], soft=True)
    assert (soft["matched"], soft["purged"], len(soft["entries"])) == (COUNT, COUNT, 100)
    [entry] = asking.entries(prefix=f"/o{many[1].path(3)}")["entries"]
    assert entry["state"] == "expired"
    assert asking.slowest < BOUND


def test_a_purge_of_all_frees_what_a_dry_run_told(asking: Asking) -> None:
    told = asking.purged(mirrors=["o"], dry_run=True)
    assert told["matched"] == COUNT + 1
    gone = asking.purged(globs=["/o/made/*/*[02468].bin"])
    assert gone["purged"] == COUNT // 2
    rest = asking.purged(everything=True)
    assert rest["purged"] == COUNT // 2 + 1
    assert told["bytes"] == gone["bytes"] + rest["bytes"]
    assert asking.entries()["entries"] == []
    assert asking.slowest < BOUND


def test_the_hits_of_all_processes_are_counted(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url()), workers=3) as server:
        path = "/o/obj/a/1000?cc=max-age=3600"
        asking = Asking(server)
        asking("GET", path)
        for _ in range(60):  # each connection may come to another process
            assert asking("GET", path)[0] == 200
        deadline = time.monotonic() + PATIENCE
        while (hits := asking.entries()["entries"][0]["hits"]) != 60 and time.monotonic() < deadline:
            time.sleep(0.1)  # fronts tell once a second
        assert hits == 60


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/-/api/entries?limit=0", "limit"),
        ("/-/api/entries?limit=x", "limit"),
        ("/-/api/entries?cursor=x", "cursor"),
        ("/-/api/entries?mirror=x", "mirror"),
        ("/-/api/entries?serach=x", "serach"),
        ("/-/api/entries?order=size", "order"),
        ("/-/api/entries?order=largest&tag=x", "tag"),
        ("/-/api/jobs?x=1", "x"),
    ],
)
def test_a_bad_question_is_refused_by_name(asking: Asking, path: str, named: str) -> None:
    status, answer = asking("GET", path)
    assert status == 400
    assert named in answer["detail"]


def test_an_unknown_job_is_not_found(asking: Asking) -> None:
    assert asking("GET", "/-/api/jobs/nope")[0] == 404
    assert asking("DELETE", "/-/api/jobs/nope")[0] == 404
    assert asking("GET", "/-/api/jobs")[0] == 200
