"""Looking at a server that runs: downloads, events, history, upstreams, clients."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest

from tests.instruments.process import Abroad, origin_process
from tests.instruments.server import Served, http_mirror, served

FRESH = "cc=max-age=86400"
HELD = f"{FRESH}&hold=50%25&times=1"
PATH = "/obj/held/3000000"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Abroad]]:
    folder = tmp_path_factory.mktemp("watching")
    with origin_process() as origin, served(folder / "mirror", http_mirror(origin.address)) as server:
        yield server, origin


def told(server: Served, address: str, status: int = 200) -> Any:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", f"/-/api/{address}")
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    assert answer.status == status, body
    return body


def until(server: Served, address: str, holds: Any, within: float = 10.0) -> Any:
    """What is told, once it is so."""
    deadline = time.monotonic() + within
    while not holds(body := told(server, address)):
        assert time.monotonic() < deadline, body
        time.sleep(0.02)  # another process: it can only be asked
    return body


class Listening:
    """One who listens to the events of a server."""

    def __init__(self, server: Served) -> None:
        self.connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
        self.connection.request("GET", "/-/api/events")
        self.answer: HTTPResponse = self.connection.getresponse()
        assert self.answer.status == 200

    def next(self, kind: str) -> Any:
        """The next event of that kind."""
        name = ""
        while line := self.answer.readline().decode():
            if line.startswith("event: "):
                name = line[7:].strip()
            elif line.startswith("data: ") and name == kind:
                return json.loads(line[6:])
        raise AssertionError("the stream has ended")

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def fetch(server: Served, target: str) -> Thread:
    """Ask for it, and read it to its end, behind."""

    def fetching() -> None:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("GET", target)
        connection.getresponse().read()
        connection.close()

    thread = Thread(target=fetching)
    thread.start()
    return thread


def test_a_slow_download_is_seen_until_it_ends(pair: tuple[Served, Abroad]) -> None:
    server, origin = pair
    readers = [fetch(server, f"/o{PATH}?{HELD}") for _ in range(2)]
    (fill,) = until(server, "fills", lambda body: body["fills"] and body["fills"][0]["there"] >= 1_500_000)["fills"]
    assert (fill["key"], fill["mirror"], fill["total"]) == (f"/o{PATH}?{HELD}", "o", 3_000_000)
    assert (fill["readers"], fill["segments"], fill["state"], fill["stored"]) == (2, 1, "running", True)
    assert fill["url"] == origin.url(f"{PATH}?{HELD}")
    assert told(server, "stats")["fills"] == 1
    origin.state(f"/-release?path={quote(PATH)}")
    for reader in readers:
        reader.join(20)
    until(server, "fills", lambda body: body["fills"] == [])


def test_events_tell_of_stats_and_downloads_as_they_change(pair: tuple[Served, Abroad]) -> None:
    server, origin = pair
    listening = Listening(server)
    before = listening.next("stats")
    path = "/obj/other/3000000"
    reader = fetch(server, f"/o{path}?{HELD}")
    fills = listening.next("fills")["fills"]
    while not fills:
        fills = listening.next("fills")["fills"]
    assert fills[0]["key"] == f"/o{path}?{HELD}"
    origin.state(f"/-release?path={quote(path)}")
    reader.join(20)
    while listening.next("fills")["fills"]:
        pass
    after = listening.next("stats")
    while after["totals"]["bytes_served"] < before["totals"]["bytes_served"] + 3_000_000:
        after = listening.next("stats")
    listening.close()


def test_a_stream_does_not_hold_up_the_end_of_the_server(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path / "mirror", http_mirror(origin.address)) as server:
        listening = Listening(server)
        listening.next("stats")
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 20
        assert listening.answer.read().endswith(b"\n\n")  # to a proper end: nothing was reset
        listening.close()
        assert "cut off" not in server.log()


def test_the_holder_tells_it_all_where_there_are_several_processes(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path / "mirror", http_mirror(origin.address), workers=3) as server:
        listening = [Listening(server) for _ in range(4)]
        assert {each.next("stats")["workers"] for each in listening} == {3}
        for each in listening:
            each.close()
        assert told(server, "stats")["workers"] == 3


def test_history_begins_with_the_server(pair: tuple[Served, Abroad]) -> None:
    server, _ = pair
    for span, step in (("hour", 10.0), ("day", 300.0)):
        history = told(server, f"history?span={span}")
        assert history["step"] == step
        assert abs(history["began"] - time.time()) < 120
    assert "span" in told(server, "history?span=year", 400)["detail"]
    assert "spam" in told(server, "history?spam=hour", 400)["detail"]


def test_upstreams_and_room_are_told(pair: tuple[Served, Abroad]) -> None:
    server, origin = pair
    (upstream,) = told(server, "upstreams")["upstreams"]
    assert (upstream["name"], upstream["mirrors"], upstream["state"]) == (origin.address, ["o"], "up")
    stats = told(server, "stats")
    assert [known["name"] for known in stats["upstreams"]] == [origin.address]
    cache = stats["cache"]
    assert (cache["max_size"], cache["min_free"], cache["evicted"]) == (50 * 10**9, 10**6, 0)
    assert cache["path_free"] > 0
    assert cache["used"] > 0
    assert stats["config"]["error"] is None
    assert abs(stats["config"]["loaded_at"] - time.time()) < 120
    mirror = stats["mirrors"]["o"]
    assert (mirror["ecosystem"], mirror["unavailable"], mirror["access"], mirror["max_size"]) == (
        "http",
        "",
        "anyone",
        None,
    )


def test_clients_get_their_lines_with_the_address_that_they_use(pair: tuple[Served, Abroad]) -> None:
    server, _ = pair
    clients = told(server, "clients")
    assert clients == {
        "address": server.address,
        "mirrors": [
            {
                "name": "o",
                "ecosystem": "http",
                "clients": [{"client": "curl", "lines": [f"curl -O {server.address}/o/PATH"]}],
            }
        ],
    }


def post(server: Served, address: str, body: object, status: int = 202) -> Any:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", f"/-/api/{address}", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    assert answer.status == status, told
    return told


def test_what_is_explained_is_what_x_cache_says(pair: tuple[Served, Abroad]) -> None:
    server, origin = pair
    target = f"/obj/explained/1000?{FRESH}"
    for decision, x_cache in (("miss", "MISS"), ("hit", "HIT")):
        for url in (f"/o{target}", origin.url(target)):
            found = told(server, f"explain?url={quote(url, safe='')}")
            assert (found["decision"], found["key"], found["class"]) == (decision, f"/o{target}", "response")
        connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", f"/o{target}")
        answer = connection.getresponse()
        answer.read()
        assert answer.headers["X-Cache"] == x_cache
        connection.close()
    assert found["freshness"]["source"] == "max-age"
    assert found["freshness"]["lifetime"] == 86400
    assert found["entry"]["blob_present"] is True
    assert found["entry"]["state"] == "fresh"
    assert found["upstreams"] == [origin.url(target)]
    assert [known["name"] for known in found["upstream_states"]] == [origin.address]
    assert (found["policy"], found["redirect"], found["error"], found["fill"]) == (None, None, None, None)
    assert "neither below a mirror" in told(server, "explain?url=/nowhere/", 400)["detail"]
    assert "url" in told(server, "explain", 400)["detail"]


def test_warming_a_slow_origin_is_seen_and_makes_hits(pair: tuple[Served, Abroad]) -> None:
    server, origin = pair
    targets = [f"/obj/warm{n}/300000?{HELD}" for n in range(6)]
    job = post(server, "warm", {"urls": [f"/o{targets[0]}", *map(origin.url, targets[1:])]})
    assert (job["kind"], job["state"], job["total"]) == ("warm", "running", 6)
    fills = until(server, "fills", lambda body: len(body["fills"]) == 4)["fills"]
    assert {fill["readers"] for fill in fills} == {1}
    for n in range(6):
        origin.release(f"/obj/warm{n}/300000")
    ended = until(server, f"warm/{job['id']}", lambda body: body["state"] != "running")
    assert (ended["state"], ended["done"], ended["failed"], ended["bytes"]) == ("done", 6, 0, 1_800_000)
    assert told(server, f"explain?url={quote(f'/o{targets[5]}', safe='')}")["decision"] == "hit"
    asked = origin.requests("/obj/warm0/300000")
    again = post(server, "refresh", {"urls": [f"/o{targets[0]}"]})
    ended = until(server, f"jobs/{again['id']}", lambda body: body["state"] != "running")
    assert ended["result"] == {"fetched": 0, "unchanged": 1, "there": 0}
    assert origin.requests("/obj/warm0/300000") == asked + 1


def test_what_cannot_be_warmed_is_refused_by_name(pair: tuple[Served, Abroad]) -> None:
    server, _ = pair
    assert "urls" in post(server, "warm", {"urls": []}, 400)["detail"]
    assert "url" in post(server, "refresh", {"url": ["/o/x"]}, 400)["detail"]
    assert "no job" in told(server, "warm/none", 404)["detail"]


def opening(server: Served) -> bytes:
    """The beginning of a stream, to its first event; all of one that is empty."""
    listening, found = Listening(server), b""
    while (line := listening.answer.readline()) and b"data" not in found:
        found += line
    listening.close()
    return found


def test_a_stream_makes_room_for_a_new_process(tmp_path: Path) -> None:
    with origin_process() as origin, served(tmp_path / "mirror", http_mirror(origin.address), workers=2) as server:
        listening = Listening(server)
        listening.next("stats")
        began = time.monotonic()
        server.signal(signal.SIGUSR2)
        assert listening.answer.read().endswith(b"\n\n")
        assert time.monotonic() - began < 25
        listening.close()
        deadline = time.monotonic() + 20
        while b"data" not in (first := opening(server)):  # as a browser does, after an empty stream
            assert time.monotonic() < deadline, first
            time.sleep(0.1)  # another process
