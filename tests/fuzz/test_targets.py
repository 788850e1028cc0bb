"""Whatever comes from outside: parsers raise errors of ours alone, in a time and memory that go with its size."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

pytestmark = [pytest.mark.row(53)]
NAMES = sorted(TARGETS)
MANY = 30_000
"""Bytes of one word again and again."""


def mutated(target: Target) -> st.SearchStrategy[bytes]:
    """Good input with pieces of it gone, doubled, or replaced by words and noise; and noise alone."""
    word = st.sampled_from(target.words) | st.sampled_from(target.seeds) | st.binary(max_size=4)
    change = st.tuples(st.integers(0, 400), st.integers(0, 40), word, st.sampled_from([1, 1, 1, 3, 300]))

    def made(seed: bytes, changes: list[tuple[int, int, bytes, int]]) -> bytes:
        for at, gone, new, times in changes:
            at %= len(seed) + 1
            seed = seed[:at] + new * times + seed[at + gone :]
        return seed

    return st.builds(made, st.sampled_from((*target.seeds, b"")), st.lists(change, min_size=1, max_size=6))


@pytest.mark.parametrize("name", NAMES)
def test_a_good_one_is_taken(name: str) -> None:
    """What fuzzing starts from has to reach what is behind the first look."""
    if name not in ("packages", "stored", "lock", "selection", "request"):
        for seed in TARGETS[name].seeds:
            TARGETS[name].call(seed)


@pytest.mark.parametrize("name", NAMES)
def test_only_errors_of_ours_come_out(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=25, derandomize=True, database=None, deadline=None)
    @given(mutated(target))
    def holds(sent: bytes) -> None:
        target(sent)

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_again_and_again_takes_time_and_memory_by_its_length(name: str) -> None:
    """Seen red: a comment behind many blanks takes the square of their number."""
    target = TARGETS[name]
    seed = target.seeds[0]
    for word in target.words:
        sent = seed[: len(seed) // 2] + word * (MANY // len(word)) + seed[len(seed) // 2 :]
        began = time.process_time()
        target(sent)
        spent = time.process_time() - began
        assert spent < 2.0, f"{spent:.1f} s of {word!r}"


@pytest.mark.parametrize("name", NAMES)
def test_memory_goes_with_the_length(name: str) -> None:
    """Seen red: memory goes with the square of a line's length."""
    target = TARGETS[name]
    tracemalloc.start()
    try:
        for word in target.words[:6]:
            tracemalloc.reset_peak()
            target(target.seeds[0] + word * (20_000 // len(word)))
            peak = tracemalloc.get_traced_memory()[1]
            assert peak < 30 << 20, f"{peak >> 20} MiB of {word!r}"
    finally:
        tracemalloc.stop()
