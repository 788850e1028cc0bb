"""The search through all objects is made when nobody waits for an answer, or once in a minute."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from mirror.server.garbage import LEAST, PATIENCE, REST, YOUNG, Garbage, leave_the_old
from tests.instruments.clock import Clock


class Cycle:
    """What nothing but a search among all finds, once it is old."""

    ended = 0

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        Cycle.ended += 1


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before, Cycle.ended = gc.get_threshold(), 0
    leave_the_old()
    yield
    gc.set_threshold(*before)
    gc.collect()


def old() -> None:
    """Garbage that has grown old, and nothing new."""
    cycle = Cycle()
    gc.collect()
    del cycle


def new(count: int) -> list[list[int]]:
    """So many objects."""
    return [[] for _ in range(count)]


@pytest.mark.parametrize(
    ("seconds", "waited_for", "count", "ended"),
    [
        (REST, False, LEAST, 1),
        (REST, True, LEAST, 0),
        (REST - 1, False, LEAST, 0),
        (REST, False, LEAST - 2 * YOUNG, 0),
        (PATIENCE - 1, True, LEAST, 0),
        (PATIENCE, True, LEAST, 1),
    ],
)
def test_it_is_made_when_it_is_due_and_nobody_waits(seconds: float, waited_for: bool, count: int, ended: int) -> None:
    """Seen red: without each of the three conditions."""
    clock = Clock(0.0)
    garbage = Garbage(clock)
    old()
    kept = new(count)
    assert len(kept) == count
    clock.wind(seconds)
    garbage.look(lambda: waited_for)
    assert Cycle.ended == ended


def test_it_is_due_again_after_a_rest() -> None:
    """Seen red: where it does not remember the last one."""
    clock = Clock(0.0)
    garbage = Garbage(clock)
    kept = []
    for ended in (1, 2):
        old()
        kept.append(new(LEAST))
        garbage.look(lambda: False)
        assert Cycle.ended == ended - 1
        clock.wind(REST)
        garbage.look(lambda: False)
        assert Cycle.ended == ended


def test_python_makes_none_by_itself() -> None:
    """Seen red: without `leave_the_old`."""
    old()
    kept = new(5 * LEAST)
    assert kept
    assert Cycle.ended == 0


def test_what_is_young_is_searched_for() -> None:
    """Seen red: with searches among the young switched off."""
    Cycle()
    kept = new(2 * YOUNG)
    assert kept
    assert Cycle.ended == 1
