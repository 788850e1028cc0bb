"""What was answered, served, fetched and saved."""

from __future__ import annotations

import mmap

import pytest

from mirror.counters import NOBODY, OUTCOMES, SPARE, Counters
from mirror.measures import KINDS, OF_A_MIRROR, OF_A_PROCESS, width
from mirror.pulse import ALIVE, WINDOW, Pulse, vital


def test_what_is_counted_is_told_by_mirror() -> None:
    counters = Counters(["a", "b"])
    counters.of("a").answered("HIT", 10)
    counters.of("a").answered("MISS", 5)
    counters.of("b").answered("ERROR", 0)
    counters.fetched("a", 5)
    totals = counters.totals()
    assert (totals["a"].requests["HIT"], totals["a"].requests["MISS"]) == (1, 1)
    assert (totals["a"].served, totals["a"].saved, totals["a"].fetched) == (15, 10, 5)
    assert totals["b"].requests == {**dict.fromkeys(OUTCOMES, 0), "ERROR": 1}
    assert totals["b"].served == 0


def test_requests_for_no_mirror_have_a_row_of_their_own() -> None:
    counters = Counters(["a"])
    counters.of("none such").answered("ERROR", 7)
    assert counters.totals()[NOBODY].served == 7
    assert counters.totals()["a"].served == 0


@pytest.mark.parametrize(("outcome", "saved"), [("STALE", 3), ("REVALIDATED", 3), ("BYPASS", 0), ("ERROR", 0)])
def test_saved_is_what_came_from_the_store(outcome: str, saved: int) -> None:
    counters = Counters(["a"])
    counters.of("a").answered(outcome, 3)
    assert counters.totals()["a"].saved == saved


def test_processes_that_share_memory_tell_the_sum_and_a_successor_goes_on() -> None:
    memory = mmap.mmap(-1, Counters.size(["a", "b"], 3))
    each = [Counters(["a", "b"], memory, worker, 3) for worker in range(3)]
    for number, counters in enumerate(each):
        counters.of("b").answered("HIT", 10**number)
        counters.of(NOBODY).answered("ERROR", 1)
    successor = Counters(["a", "b"], memory, 1, 3)
    successor.of("b").answered("HIT", 1000)
    for counters in (*each, successor):
        assert counters.totals()["b"].requests["HIT"] == 4
        assert counters.totals()["b"].served == 1111
        assert counters.totals()["a"].served == 0
        assert counters.totals()[NOBODY].requests["ERROR"] == 3


def test_a_request_is_in_one_bucket_and_requests_are_the_sum_of_them() -> None:
    counters = Counters(["a"])
    counted = counters.of("a")
    counted.answered("MISS", 5, 0.0002)
    counted.answered("MISS", 5, 0.0003)  # a bound belongs to its bucket
    counted.answered("MISS", 5, 100.0)
    counted.answers("HIT")(7)
    row = counters.sums()["a"]
    first = OF_A_MIRROR["first_byte"]
    assert first.buckets(row, "MISS") == [0, 2, *[0] * 9, 1]
    assert first.seconds(row, "MISS") == 100.0005
    assert (first.buckets(row, "HIT")[0], first.seconds(row, "HIT")) == (1, 0)
    assert counters.totals()["a"].requests["MISS"] == 3


def test_no_two_measures_share_a_slot() -> None:
    for layout in (OF_A_MIRROR, OF_A_PROCESS):
        ends = [(measure.at, measure.end) for measure in layout.values()]
        assert [begin for begin, _ in ends] == [0, *(end for _, end in ends[:-1])]
        assert width(layout) == ends[-1][1]


def test_what_upstreams_do_wrong_is_counted_by_kind() -> None:
    counters = Counters(["a"])
    counters.of("a").failed("timeout")
    counters.of("a").refuted()
    counters.of("a").evicted(4096)
    row = counters.sums()["a"]
    failed = OF_A_MIRROR["failed"]
    assert {kind: row[failed.place(kind)] for kind in KINDS if row[failed.place(kind)]} == {"timeout": 1, "mismatch": 1}
    assert [row[OF_A_MIRROR[name].at] for name in ("refuted", "evicted", "evicted_bytes")] == [1, 1, 4096]


def test_who_has_said_nothing_for_a_while_counts_as_gone_but_its_lags_stay() -> None:
    now = [100.0]
    slots = memoryview(bytearray(8 * width(OF_A_PROCESS))).cast("Q")
    pulse = Pulse(slots, lambda: now[0])
    pulse(0.5, 3)
    told = vital([slots.tolist()], lambda: now[0])
    assert (told.alive, told.connections, told.lag) == (1, 3, 0.5)
    now[0] += WINDOW
    pulse(0.1, 2)
    assert vital([slots.tolist()], lambda: now[0]).lag == 0.5
    now[0] += WINDOW
    pulse(-0.1, 2)
    assert vital([slots.tolist()], lambda: now[0]).lag == 0.1
    now[0] += ALIVE
    told = vital([slots.tolist()], lambda: now[0])
    assert (told.alive, told.connections, told.lag) == (0, 0, 0)
    assert sum(OF_A_PROCESS["lag"].buckets(told.row)) == 3


def test_a_server_was_started_when_its_first_process_was() -> None:
    memory = bytearray(Counters.size(["a"], 2))
    first = Counters(["a"], memory, 0, 2)
    assert Counters(["a"], memory, 1, 2).began == first.began > 0


def test_a_mirror_that_comes_later_has_the_same_row_in_all_processes_and_finds_it_again() -> None:
    memory = mmap.mmap(-1, Counters.size(["a"], 2))
    one, other = Counters(["a"], memory, 0, 2), Counters(["a", "new"], memory, 1, 2)
    one.know(["a", "new"])
    one.of("new").answered("HIT", 3)
    other.of("new").answered("HIT", 4)
    other.know(["a", "new", "newer"])
    other.of("newer").answered("HIT", 1)
    assert one.totals()["new"].served == other.totals()["new"].served == 7
    successor = Counters(["a"], memory, 0, 2)
    successor.know(["a", "new", "newer"])
    assert successor.totals()["newer"].served == 1
    assert successor.totals()["a"].served == successor.totals()[NOBODY].served == 0


def test_those_that_are_too_many_are_counted_as_nobody_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    counters = Counters(["a"])
    names = [f"n{number}" for number in range(SPARE + 1)]
    counters.know(["a", *names])
    counters.of(names[-2]).answered("HIT", 1)
    counters.of(names[-1]).answered("HIT", 2)
    assert counters.totals()[names[-2]].served == 1
    assert counters.totals()[NOBODY].served == 2
    assert [record.args for record in caplog.records] == [(names[-1],)]
