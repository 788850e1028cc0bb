"""When an upstream rests, for how long, and what is known of it meanwhile."""

from __future__ import annotations

import logging

import pytest

from mirror.breaker import Breaker, Health, asked_pause
from tests.instruments.clock import Clock

NAME = "http://upstream.test"
HARD = [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(NAME, clock)


def fail(breaker: Breaker, times: int = 1, number: int = 0, *, reached: bool = False) -> None:
    for _ in range(times):
        breaker.failed(number, "refused", reached=reached)


@pytest.mark.parametrize("reached", [False, True])
def test_five_failures_in_a_row_and_it_rests_longer_each_time(breaker: Breaker, clock: Clock, reached: bool) -> None:
    fail(breaker, 4, reached=reached)
    assert (breaker.open, breaker.probe()) == (False, 0)
    fail(breaker, reached=reached)
    for rest in HARD:
        assert (breaker.open, breaker.resting, breaker.probe()) == (True, rest, 0)
        clock.wind(rest)
        number = breaker.probe()
        assert number
        assert not breaker.probe()  # one for each rest
        fail(breaker, 1, number, reached=reached)


def test_a_dead_one_is_asked_by_its_probe_alone_and_a_busy_one_by_who_has_no_other(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 5, reached=True)
    assert breaker.admits(0)
    fail(breaker, 5)
    assert not breaker.admits(0)
    clock.wind(breaker.resting)
    number = breaker.probe()
    assert breaker.admits(number)
    assert not breaker.admits(0)


def test_only_a_probe_makes_the_rest_longer(breaker: Breaker, clock: Clock) -> None:
    """Who is busy may be found dead in the rest, by those who had no other."""
    fail(breaker, 5, reached=True)
    fail(breaker, 5)
    assert (breaker.gone, breaker.resting) == (True, 2.0)
    clock.wind(2.0)
    fail(breaker, 1, breaker.probe())
    assert breaker.resting == 4.0


def test_an_answer_ends_the_rest_and_the_count(breaker: Breaker) -> None:
    fail(breaker, 5)
    breaker.answered(0)
    assert (breaker.open, breaker.idle) == (False, True)
    fail(breaker, 4)
    assert not breaker.open


def test_a_hundred_that_fail_together_are_one_failure(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 100)
    assert breaker.resting == 2.0
    clock.wind(2.0)
    number = breaker.probe()
    fail(breaker, 50)  # they began before the rest
    assert breaker.resting == 2.0
    fail(breaker, 1, number)
    assert breaker.resting == 4.0


@pytest.mark.parametrize(("asked", "rest"), [(30.0, 30.0), (3600.0, 120.0)])
def test_who_asks_to_be_left_alone_is_for_two_minutes_at_most(
    breaker: Breaker, clock: Clock, asked: float, rest: float
) -> None:
    breaker.asked(asked, "answered 429")
    assert (breaker.open, breaker.gone, breaker.resting) == (True, False, rest)
    breaker.answered(0)  # to who asked before
    fail(breaker, 9, reached=True)
    breaker.asked(1.0, "answered 429")
    assert breaker.resting == rest
    clock.wind(rest)
    breaker.answered(breaker.probe())
    assert not breaker.open


def test_a_busy_one_can_die(breaker: Breaker) -> None:
    breaker.asked(120.0, "answered 503")
    fail(breaker, 4)
    assert not breaker.gone
    fail(breaker)
    assert breaker.gone


def test_one_line_in_the_log_for_each_change(breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fail(breaker, 100)
    for _ in range(3):
        clock.wind(breaker.resting)
        fail(breaker, 20, breaker.probe())
    breaker.asked(9.0, "answered 503")
    clock.wind(9.0)
    breaker.answered(breaker.probe())
    assert [record.getMessage() for record in caplog.records] == [
        f"{NAME} cannot be reached: it is asked less often from now on (refused)",
        f"{NAME} is in trouble: others, and what is stored, are preferred to it (answered 503)",
        f"{NAME} answers again",
    ]


def test_the_health_has_the_state_since_when_and_the_last_error(breaker: Breaker, clock: Clock) -> None:
    wall = 1_800_000_000.0
    assert breaker.health(wall) == Health("up", wall, "", None, 0.0)
    clock.wind(10)
    fail(breaker, 5)
    clock.wind(0.5)
    assert breaker.health(wall) == Health("down", wall - 0.5, "refused", wall - 0.5, 1.5)
    breaker.answered(0)
    clock.wind(1)
    assert breaker.health(wall) == Health("up", wall - 1, "refused", wall - 1.5, 0.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("-7", 0.0),
        ("7.5", 0.0),
        ("soon", 0.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
    ],
)
def test_what_retry_after_says(text: str | None, seconds: float) -> None:
    assert asked_pause(text, 1767225600.0) == seconds
