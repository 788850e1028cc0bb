"""`GET /-/metrics`: right to the last request and byte, whichever process answered, died or was renewed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

from mirror.server.worker import RETIRE
from tests.instruments.clock import until
from tests.instruments.counting import Ask, Sums, count
from tests.instruments.owners import Kept
from tests.instruments.process import Abroad, origin_process
from tests.instruments.server import Served, served

FRESH = "cc=max-age=86400"
SIZES = (0, 1, 1000, 65_000, 70_000, 300_000, 3_000_000)
HOT = [f"/o/obj/hot/{size}?{FRESH}" for size in SIZES]
CONFIG = """
[cache]
min_free = "1MB"
[upstream]
retries = 1
[mirrors.o]
ecosystem = "http"
upstream = "{}"
[mirrors.dead]
ecosystem = "http"
upstream = "http://127.0.0.1:1"
"""

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def origin() -> Iterator[Abroad]:
    with origin_process() as running:
        yield running


@pytest.fixture
def server(tmp_path: Path, origin: Abroad) -> Iterator[Served]:
    with served(tmp_path / "mirror", CONFIG.format(origin.address), workers=2) as running:
        yield running


def fetched(server: Served, target: str, **fields: str) -> tuple[dict[str, str], bytes]:
    with Kept(server.port) as kept:
        answer = kept.answer(target, **fields)
        assert answer.status == 200
        return {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def samples(server: Served) -> Samples:
    _, text = fetched(server, "/-/metrics")
    found: Samples = {}
    for family in families(text.decode()):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def of(found: Samples, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


def plan(total: int) -> list[Ask]:
    """A mixture of so many requests."""
    dice = random.Random(total)
    asks = [Ask(dice.choice(HOT[:5])) for _ in range(total * 7 // 10)]
    asks += [Ask(dice.choice(HOT[5:])) for _ in range(60)]
    asks += [Ask(f"/o/obj/miss/{n}?{FRESH}") for n in range(10_000, 10_400)]
    asks += [Ask(f"/o/obj/large/{n}?{FRESH}") for n in range(200_000, 200_030)]
    asks += [Ask(dice.choice(HOT), fields=("If-None-Match: *",)) for _ in range(300)]
    asks += [Ask(dice.choice(HOT[2:]), fields=("Range: bytes=10-19",)) for _ in range(300)]
    asks += [Ask(dice.choice(HOT[2:]), fields=("Range: bytes=1-2,10-19",)) for _ in range(50)]
    asks += [Ask(HOT[2], fields=("Range: bytes=5000-",)) for _ in range(50)]
    asks += [Ask(HOT[2], fields=('If-Match: "other"',)) for _ in range(50)]
    asks += [Ask(dice.choice(HOT), "HEAD") for _ in range(300)]
    asks += [Ask(f"/o/obj/head/{n}?{FRESH}", "HEAD") for n in range(1000, 1050)]
    asks += [Ask(f"/o/obj/chunked/{n}?chunked=1&cc=no-store") for n in range(100_000, 100_030)]
    asks += [Ask(f"/o/obj/fault/1000?status={status}&x={n}") for n in range(30) for status in (404, 500)]
    asks += [Ask(f"/o/obj/cut/{n}?cut=20000") for n in range(50_000, 50_040)]
    asks += [Ask("/o/obj/post/1000", "POST", body=b"x" * dice.randrange(1, 5000)) for _ in range(50)]
    asks += [Ask(f"/dead/{n}") for n in range(50)]
    asks += [
        Ask("/nowhere/x"),
        Ask("/o/../x"),
        Ask("/o/x", "TRACE"),
        Ask("/o/x", fields=("Host: twice",), counts=False),
    ]
    while len(asks) < total:
        asks.append(Ask(dice.choice(("/-/health", "/-/api/stats", "/-/metrics", "/-/none")), counts=False))
    dice.shuffle(asks)
    return asks


def agree(server: Served, sums: Sums, patience: float = 10.0) -> None:
    """What the server tells is what was counted: at once, or when the last requests have come to their end there."""
    deadline = time.monotonic() + patience
    while True:
        found, told = samples(server), json.loads(fetched(server, "/-/api/stats")[1])
        try:
            _same(found, told, sums)
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)  # a request is counted when it has ended: another process tells nobody
        else:
            return


def _same(found: Samples, told: Any, sums: Sums) -> None:
    requests = {
        (dict(labels)["mirror"], dict(labels)["outcome"]): value
        for (name, labels), value in found.items()
        if name == "mirror_requests_total" and value
    }
    assert requests == dict(sums.requests)
    for mirror in ("o", "dead", "-"):
        assert of(found, "mirror_served_bytes_total", mirror=mirror) == sums.served[mirror]
        assert of(found, "mirror_saved_bytes_total", mirror=mirror) == sums.saved[mirror]
    for (name, labels), value in found.items():
        if name == "mirror_first_byte_seconds_count":
            assert value == of(found, "mirror_requests_total", **dict(labels))
    for mirror in ("o", "dead"):
        by_outcome = {outcome: n for outcome, n in told["mirrors"][mirror]["requests"].items() if n}
        assert by_outcome == {word: n for (name, word), n in sums.requests.items() if name == mirror}
        assert told["mirrors"][mirror]["bytes_served"] == sums.served[mirror]
        assert told["mirrors"][mirror]["bytes_saved"] == sums.saved[mirror]
    assert sum(told["totals"]["requests"].values()) == sum(sums.requests.values())
    assert told["totals"]["bytes_served"] == sum(sums.served.values())


def test_ten_thousand_requests_are_told_to_the_last_one_and_to_the_last_byte(server: Served, origin: Abroad) -> None:
    sums = count(server.port, [Ask(target) for target in HOT], 1)
    sums += count(server.port, plan(10_000), 24)
    assert {200, 206, 304, 400, 404, 405, 412, 416, 500, 502, 503} <= set(sums.statuses), sums.statuses
    assert sums.requests["o", "ERROR"] >= 40
    agree(server, sums)
    found = samples(server)
    assert of(found, "mirror_fetched_bytes_total", mirror="o") == origin.sent()
    assert of(found, "mirror_upstream_errors_total", mirror="o", kind="broken_off") == 2 * 40
    assert of(found, "mirror_upstream_errors_total", mirror="dead", kind="unreachable") >= 5
    assert of(found, "mirror_upstream_state", upstream="http://127.0.0.1:1") == 2
    assert of(found, "mirror_upstream_state", upstream=origin.address) == 0
    assert of(found, "mirror_upstream_head_seconds_count", mirror="o") == len(origin.log)


def test_what_was_counted_stays_when_processes_die_and_are_renewed_and_nobody_looks(server: Served) -> None:
    began = of(samples(server), "mirror_start_time_seconds")
    sums = Sums()
    for round_number in range(4):
        sums += count(server.port, [Ask(target) for target in HOT[:5] * 40], 12)
        before = set(server.workers())
        if round_number % 2:
            os.kill(server.workers()[-1], signal.SIGKILL)
            until(lambda before=before: len(server.workers()) == 2 and set(server.workers()) != before)
        else:
            os.kill(server.pid, RETIRE)
            until(lambda before=before: len(server.workers()) == 2 and not before & set(server.workers()))
        until(lambda: answers(server))
    agree(server, sums)
    found = samples(server)
    assert of(found, "mirror_start_time_seconds") == began
    assert abs(began - time.time()) < 60


def answers(server: Served) -> bool:
    try:
        return fetched(server, "/-/ready")[0]["x-cache"] == "BYPASS"
    except (OSError, AssertionError):
        return False


def test_what_goes_on_now_is_told_by_worker_and_by_mirror(server: Served, origin: Abroad) -> None:
    with ExitStack() as stack:
        kept = [stack.enter_context(Kept(server.port)) for _ in range(8)]
        for each in kept:
            each.ask(HOT[2])
        target = "/obj/slow/1000000?hold=500000"
        answers = [each.answer(f"/o{target}") for each in kept[:3]]
        until(lambda: (of(now := samples(server), "mirror_fills", mirror="o"), _connections(now)) >= (1, 8))
        found = samples(server)
        assert of(found, "mirror_followers", mirror="o") == 3
        assert of(found, "mirror_workers") == 2
        assert _connections(found) >= 8
        origin.release("/obj/slow/1000000")
        assert [len(answer.read()) for answer in answers] == [1_000_000] * 3
    until(lambda: of(samples(server), "mirror_fills", mirror="o") == 0)
    found = samples(server)
    assert of(found, "mirror_followers", mirror="o") == 0
    for worker in ("0", "1"):
        assert of(found, "mirror_event_loop_lag_seconds_count", worker=worker) > 0
        assert 0 <= of(found, "mirror_event_loop_lag_max_seconds", worker=worker) < 30
    used, limit = of(found, "mirror_disk_used_bytes"), of(found, "mirror_disk_limit_bytes")
    assert 1_000_000 < used < limit == 50 * 10**9
    assert of(found, "mirror_disk_free_bytes") > 0


def _connections(found: Samples) -> float:
    return sum(of(found, "mirror_connections", worker=worker) for worker in ("0", "1"))


def test_open_metrics_and_head_are_as_prometheus_wants_them(server: Served) -> None:
    plain, text = fetched(server, "/-/metrics")
    assert plain["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert plain["cache-control"] == "no-store"
    fields, told = fetched(server, "/-/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert fields["content-type"].startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert {family.name for family in open_families(told.decode())} > {"mirror_requests", "mirror_workers"}
    with Kept(server.port) as kept:
        answer = kept.answer("/-/metrics", "HEAD")
        assert (answer.status, answer.read()) == (200, b"")
        assert answer.getheader("content-type") == plain["content-type"]
        assert int(answer.getheader("content-length", "")) > len(text) // 2


def test_evictions_are_counted_with_their_bytes(tmp_path: Path, origin: Abroad) -> None:
    config = CONFIG.format(origin.address).replace('min_free = "1MB"', 'min_free = "1MB"\nmax_size = "6MB"')
    with served(tmp_path / "small", config, workers=1) as server:
        count(server.port, [Ask(f"/o/obj/e{number}/1000000?{FRESH}") for number in range(12)], 1)
        found = samples(server)
        gone = of(found, "mirror_evictions_total", mirror="o")
        assert gone >= 6
        assert gone * 1_000_000 <= of(found, "mirror_evicted_bytes_total", mirror="o") <= gone * 1_010_000
        assert of(found, "mirror_disk_used_bytes") <= of(found, "mirror_disk_limit_bytes") == 6_000_000
