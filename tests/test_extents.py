"""The interval set against a plain set of integers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.extents import Extents

intervals = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair))), max_size=12
)


def members(added: list[tuple[int, int]]) -> set[int]:
    return {byte for start, end in added for byte in range(start, end)}


@given(intervals)
def test_it_holds_exactly_the_bytes_that_were_added(added: list[tuple[int, int]]) -> None:
    there = Extents(added)
    assert members(list(there)) == members(added)
    assert there.size == len(members(added))


@given(intervals)
def test_runs_are_sorted_and_never_touch(added: list[tuple[int, int]]) -> None:
    runs = list(Extents(added))
    assert all(start < end for start, end in runs)
    assert all(left[1] < right[0] for left, right in pairwise(runs))


@given(intervals, st.integers(0, 70))
def test_end_of_run_is_the_first_missing_byte(added: list[tuple[int, int]], offset: int) -> None:
    present = members(added)
    expected = next(byte for byte in range(offset, 200) if byte not in present)
    assert Extents(added).end_of_run(offset) == expected


@given(intervals, st.integers(0, 70))
def test_next_start_is_the_first_present_byte(added: list[tuple[int, int]], offset: int) -> None:
    expected = min((byte for byte in members(added) if byte >= offset), default=None)
    assert Extents(added).next_start(offset) == expected


@given(intervals, st.integers(0, 70))
def test_holes_and_runs_make_up_the_whole(added: list[tuple[int, int]], total: int) -> None:
    there = Extents(added)
    assert members(list(there.holes(total))) == set(range(total)) - members(added)


@given(intervals, st.integers(0, 60), st.integers(0, 60))
def test_covers_means_every_byte(added: list[tuple[int, int]], start: int, end: int) -> None:
    assert Extents(added).covers(start, end) == (set(range(start, end)) <= members(added))


@given(intervals)
def test_it_survives_being_written_down(added: list[tuple[int, int]]) -> None:
    there = Extents(added)
    assert Extents(list(there)) == there


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (5, 4)])
def test_what_is_no_interval_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="not an interval"):
        Extents().add(start, end)
