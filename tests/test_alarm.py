"""What the disk refuses is counted each time, and told once."""

from __future__ import annotations

import errno
import logging

import pytest

from mirror.alarm import QUIET, Alarm
from mirror.counters import Counters
from mirror.errors import NoRoom, StoreError
from mirror.measures import OF_A_MIRROR, REFUSALS

FULL = StoreError("cannot write", errno.ENOSPC)


class Wound:
    """A clock that goes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def counted(counters: Counters) -> dict[str, int]:
    row, measure = counters.sums()["m"], OF_A_MIRROR["unstored"]
    return {reason: row[measure.place(reason)] for reason in REFUSALS if row[measure.place(reason)]}


@pytest.mark.row(25)
def test_its_beginning_and_its_end_are_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    """Seen red: each refusal of the disk is told; each body that fits is told to be the end of it."""
    clock, counters = Wound(), Counters(["m"])
    alarm = Alarm(counters, clock)
    with caplog.at_level(logging.INFO, "mirror.stores"):
        for _ in range(100):
            alarm.refused("m", FULL)
            alarm.stored()  # something small fits still
            clock.now += 1
        assert len(caplog.records) == 1
        assert alarm.on
        clock.now += QUIET
        for _ in range(3):
            alarm.stored()
    assert not alarm.on
    assert [record.message for record in caplog.records] == [
        "the cache cannot be used: No space left on device; clients get all they ask for, and it is not stored",
        "the cache can be used again: 100 bodies were not stored in 105 s",
    ]
    assert counted(counters) == {"no_space": 100}


def test_what_is_too_large_is_counted_and_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    counters = Counters(["m"])
    alarm = Alarm(counters)
    alarm.refused("m", NoRoom("larger than max_object"))
    alarm.refused("m", StoreError("the partial was given up"))
    assert not alarm.on
    assert not caplog.records
    assert counted(counters) == {"no_room": 1}


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.EROFS, "read_only"), (errno.EIO, "io_error"), (errno.EMFILE, "descriptors"), (errno.EPERM, "other")],
)
def test_why_it_refuses_is_counted_apart(number: int, reason: str) -> None:
    counters = Counters(["m"])
    Alarm(counters).refused("m", StoreError("no", number))
    assert counted(counters) == {reason: 1}
