"""Several processes that serve as one: `workers = 3`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.instruments import bodies
from tests.instruments.clock import until
from tests.instruments.owners import Kept
from tests.instruments.process import Abroad, origin_process
from tests.instruments.reader import Errand, fleet, read
from tests.instruments.server import Served, http_mirror, served

FRESH = "cc=max-age=86400"
HOT = f"/o/obj/hot/1000?{FRESH}"
MB = 1_000_000

PATIENCE = 20.0  # seconds for what other processes do; they tell nobody


@pytest.fixture
def origin() -> Iterator[Abroad]:
    with origin_process() as running:
        yield running


@pytest.fixture
def server(tmp_path: Path, origin: Abroad) -> Iterator[Served]:
    with served(tmp_path / "mirror", http_mirror(origin.address), workers=3) as running:
        yield running


class Spread:
    """Connections of which each worker has at least two, when they are made."""

    def __init__(self, server: Served, stack: ExitStack) -> None:
        self.pids = server.workers()
        assert len(self.pids) == 3
        self.all: list[Kept] = []
        while any(self.of(pid) < 2 for pid in self.pids):
            assert len(self.all) < 200
            self.all.append(stack.enter_context(Kept(server.port)))
            self.all[-1].ask("/-/health")  # then it is accepted, and with whom it is to be

    def of(self, pid: int) -> int:
        return sum(kept.owner(self.pids) == pid for kept in self.all)

    def owners(self) -> list[int | None]:
        return [kept.owner(self.pids) for kept in self.all]


@pytest.fixture
def spread(server: Served) -> Iterator[Spread]:
    with ExitStack() as stack:
        yield Spread(server, stack)


@pytest.mark.row(8, at="http: the upstream's own, in three processes, after a restart and a second fetch")
def test_an_etag_is_the_same_in_all_processes_after_a_restart_and_a_second_fetch(
    server: Served, origin: Abroad
) -> None:
    target = f"/o/obj/tagged/1000?{FRESH}"

    def tags() -> set[str | None]:
        with ExitStack() as stack:
            spread = Spread(server, stack)
            answers = [kept.answer(target) for kept in spread.all]
            assert [answer.read() == bodies.body("tagged", 0, 1000) for answer in answers] == [True] * len(answers)
            return {answer.getheader("etag") for answer in answers}

    first = tags()
    server.stop()
    server.start()
    assert tags() == first
    connection = server.connect()
    connection.request("POST", "/-/api/purge", json.dumps({"everything": True}), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()
    assert tags() == first
    assert origin.requests("/obj/tagged/1000") == 2
    (tag,) = first
    assert tag is not None
    assert tag.startswith('"')


@pytest.mark.row(11, 16, at="3 processes, 50 clients, 3 MB: one request")
def test_one_request_reaches_the_origin_whoever_asks(server: Served, origin: Abroad) -> None:
    """Seen red: with several processes, too, each request begins a fill of its own."""
    errands = [Errand(server.url(f"/o/obj/k/3000000?{FRESH}"), "k", 3 * MB) for _ in range(50)]
    tally = asyncio.run(fleet(50, errands))
    assert tally.count("ok") == 50, tally.summary()
    assert origin.requests("/obj/k/3000000") == 1


def test_hits_are_answered_by_whoever_has_the_connection_and_a_miss_changes_that_for_its_time_only(
    server: Served, spread: Spread
) -> None:
    for kept in spread.all:
        kept.ask(HOT)
    until(lambda: None not in spread.owners())
    before = spread.owners()
    assert set(before) == set(spread.pids)
    for _ in range(3):
        assert {kept.ask(HOT)[0] for kept in spread.all} == {"HIT"}
    assert spread.owners() == before
    for number, kept in enumerate(spread.all):
        assert kept.ask(f"/o/obj/{number}/1000?{FRESH}")[0] == "MISS"
    until(lambda: spread.owners() == before)
    assert {kept.ask(HOT)[0] for kept in spread.all} == {"HIT"}
    assert spread.owners() == before


@pytest.mark.parametrize("size", [1000, 300_000], ids=["kept in memory", "read from its file"])
@pytest.mark.parametrize("how", ["PURGE", "purge", "expire"])
def test_what_is_purged_is_served_by_no_process_any_more(
    server: Served, spread: Spread, origin: Abroad, size: int, how: str
) -> None:
    target = f"/o/obj/p/{size}?{FRESH}"
    for _ in range(4):
        bodies = {kept.ask(target)[1] for kept in spread.all}
    assert len(bodies) == 1
    for round_number in range(5):
        origin.bump(f"/obj/p/{size}")
        client = spread.all[round_number]
        if how == "PURGE":
            client.ask(target, method="PURGE")
        else:
            text = json.dumps({"urls": [target], "soft": how == "expire"}).encode()
            client.ask("/-/api/purge", "POST", text, **{"Content-Type": "application/json"})
        after = [kept.ask(target) for kept in spread.all]
        assert len({body for _, body in after}) == 1, round_number
        assert not {body for _, body in after} & bodies, round_number
        assert [word for word, _ in after].count("HIT") == len(after) - 1
        for _ in range(3):
            bodies = {kept.ask(target)[1] for kept in spread.all}
    assert origin.requests(f"/obj/p/{size}") == 6


def test_what_expires_and_is_replaced_is_replaced_for_all(server: Served, spread: Spread, origin: Abroad) -> None:
    target = "/o/obj/e/1000?cc=max-age=1"
    first = {kept.ask(target)[1] for kept in spread.all}
    origin.bump("/obj/e/1000")
    until(lambda: spread.all[0].ask(target)[1] not in first)
    assert not {kept.ask(target)[1] for kept in spread.all} & first


def test_counts_are_those_of_all_processes(server: Served, spread: Spread) -> None:
    for kept in spread.all:
        for _ in range(20):
            kept.ask(HOT)
        kept.ask("/o/obj/other/nonsense")

    def told() -> dict[str, Any]:
        return json.loads(spread.all[0].ask("/-/api/stats")[1])["mirrors"]["o"]

    count = len(spread.all)
    until(lambda: sum(told()["requests"].values()) >= 21 * count)  # each is counted when it has ended
    found = told()
    assert sum(found["requests"].values()) == 21 * count
    assert found["requests"]["HIT"] == 20 * count - 1
    assert found["bytes_saved"] == 1000 * (20 * count - 1)


@pytest.mark.row(16, at="a process that only serves is killed: the others' clients notice nothing")
def test_a_process_that_is_killed_takes_its_own_connections_with_it_and_no_others(
    server: Served, spread: Spread, origin: Abroad
) -> None:
    for kept in spread.all:
        kept.ask(HOT)
    until(lambda: None not in spread.owners())
    victim = spread.pids[2]
    owners = spread.owners()
    os.kill(victim, signal.SIGKILL)
    for kept, owner in zip(spread.all, owners, strict=True):
        if owner != victim:
            assert kept.ask(HOT)[0] == "HIT"
    until(lambda: len(server.workers()) == 3 and victim not in server.workers())
    with ExitStack() as stack:
        again = Spread(server, stack)  # its successor has connections, too
        assert {kept.ask(HOT)[0] for kept in again.all} == {"HIT"}
    assert origin.requests("/obj/hot/1000") == 1
    with Kept(server.port) as last:
        assert json.loads(last.ask("/-/api/stats")[1])["mirrors"]["o"]["requests"]["MISS"] == 1


@pytest.mark.row(
    16,
    at="killed at two thirds of 60 MB: hits go on, one more range for the next client; who was reading is cut off",
)
def test_when_the_process_that_downloads_is_killed_hits_go_on_and_its_successor_goes_on_with_the_download(
    server: Served, spread: Spread, origin: Abroad
) -> None:
    """Seen red: what has come of a download is not noted while it runs."""
    for kept in spread.all:
        kept.ask(HOT)
    until(lambda: None not in spread.owners())
    target, holder = f"/obj/big/60000000?{FRESH}&rate=20000000", spread.pids[0]
    fronts = [kept for kept, owner in zip(spread.all, spread.owners(), strict=True) if owner != holder]
    with Kept(server.port) as client:
        answer = client.answer(f"/o{target}")
        got = answer.read(40 * MB)
        os.kill(holder, signal.SIGKILL)
        with suppress(OSError, HTTPException):
            got += answer.read()
        assert len(got) < 60 * MB
    for _ in range(20):
        assert {kept.ask(HOT)[0] for kept in fronts} == {"HIT"}
    reading = asyncio.run(read(server.url(f"/o{target}"), seed="big", size=60 * MB))
    assert reading.verdict == "ok"
    asked = [record for record in origin.log if record.path == "/obj/big/60000000"]
    assert len(asked) == 2
    assert "range" in dict(asked[1].headers)
    assert {kept.ask(HOT)[0] for kept in fronts} == {"HIT"}


def test_all_are_replaced_and_no_request_fails(server: Served, origin: Abroad) -> None:
    before = set(server.workers())
    with ExitStack() as stack:
        connections = [stack.enter_context(Kept(server.port)) for _ in range(12)]
        for kept in connections:
            kept.ask(HOT)
        os.kill(server.pid, signal.SIGUSR2)
        number, deadline = 0, time.monotonic() + PATIENCE
        while before & set(server.workers()) or len(server.workers()) < 3:
            assert time.monotonic() < deadline
            for kept in connections:
                number += 1
                assert kept.ask(HOT)[0] == "HIT"
                assert len(kept.ask(f"/o/obj/{number}/2000?{FRESH}")[1]) == 2000
            with Kept(server.port) as new:
                assert new.ask(HOT)[0] == "HIT"
    assert origin.requests("/obj/hot/1000") == 1


@pytest.mark.row(36, at="6 downloads of 4 MB end whole")
def test_an_end_waits_for_the_downloads_that_run(server: Served) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Kept(server.port)) for _ in range(6)]
        answers = [kept.answer(f"/o/obj/{number}/4000000?{FRESH}&rate=4000000") for number, kept in enumerate(clients)]
        server.signal(signal.SIGTERM)
        assert [len(answer.read()) for answer in answers] == [4 * MB] * 6
    assert server.stop() == 0


REQUESTS = {
    "several at once": (b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % HOT.encode()) * 5,
    "a miss among hits": b"".join(
        b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode()
        for path in (HOT, f"/o/obj/new/1000?{FRESH}", HOT, f"/o/obj/newer/1000?{FRESH}", HOT)
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("cut", [1, 17, 60, 10_000])
def test_pipelined_requests_are_answered_in_order_however_they_come(
    server: Served, spread: Spread, name: str, cut: int
) -> None:
    spread.all[0].ask(HOT)
    text = REQUESTS[name]
    for kept in spread.all[:6]:
        kept.send(text[:cut])
        kept.send(text[cut:])
        got = b""
        while got.count(b"HTTP/1.1 200") < 5 or len(got.split(b"HTTP/1.1 200")[-1].partition(b"\r\n\r\n")[2]) < 1000:
            more = kept.receive(1)
            assert more, got[-300:]
            got += more
        bodies = [part.partition(b"\r\n\r\n")[2] for part in got.split(b"HTTP/1.1 200")[1:]]
        assert bodies[0] == bodies[2] == bodies[4]
        assert all(len(body) == 1000 for body in bodies)


@pytest.mark.row(40, at="a port that is taken, a cache in use")
def test_the_address_of_another_server_is_not_taken(tmp_path: Path, origin: Abroad) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        second = Served(tmp_path / "second", http_mirror(origin.address), workers=2)
        text = (second.folder / "config.toml").read_text()
        (second.folder / "config.toml").write_text(text.replace(str(second.port), str(other.getsockname()[1])))
        with pytest.raises(AssertionError, match="cannot listen"):
            second.start()


@pytest.mark.row(40, at="a port that is taken, a cache in use")
def test_two_servers_on_one_cache_are_refused(server: Served, tmp_path: Path) -> None:
    second = Served(
        tmp_path / "second", f'[cache]\npath = "{server.cache}"\n' + http_mirror("http://127.0.0.1:1", ""), 2
    )
    text = (second.folder / "config.toml").read_text().replace("[cache]\n\n", "")
    (second.folder / "config.toml").write_text(text.replace("[server]", '[server]\ndrain = "0s"'))
    with pytest.raises(AssertionError, match="another server"):
        second.start()
