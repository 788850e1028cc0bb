"""The order of use: what was found on disk goes before what was used since, and each name stands once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mirror.recency import BATCH, Recency


def known(*names: str) -> Recency:
    """Found on disk, each of one byte."""
    recency = Recency()
    for name in names:
        recency.find(name, 1)
    return recency


def drained(recency: Recency) -> list[str]:
    """All names in the order in which they would go."""
    gone = []
    while (name := recency.oldest()) is not None:
        gone.append(name)
        recency.remove(name)
    return gone


def test_what_was_found_goes_before_what_was_used() -> None:
    recency = Recency()
    recency.add("used", 5)
    recency.find("found", 7)
    recency.find("used", 5)
    assert recency.size == 12
    assert drained(recency) == ["found", "used"]
    assert recency.size == 0


def test_what_is_touched_goes_last_even_when_it_was_the_next() -> None:
    recency = known("a", "b", "c")
    assert recency.oldest() == "a"
    recency.touch("a")
    recency.touch("nobody")
    assert recency.oldest() == "b"
    assert recency.names() == drained(recency) == ["b", "c", "a"]


def test_found_ones_are_arranged_a_portion_at_a_time() -> None:
    recency = known("d", "a", "c", "b", "e")
    recency.touch("e")
    recency.remove("c")
    recency.arrange(["a", "b"])
    assert recency.names() == ["d", "a", "b", "e"]
    recency.arrange(["c", "d", "e"])
    assert recency.names() == ["a", "b", "d", "e"]
    assert not known().has_found
    assert recency.has_found


NAMES = st.sampled_from("abcdefgh")
ACTS = st.lists(st.tuples(st.sampled_from(["add", "touch", "remove", "oldest"]), NAMES, st.integers(0, 9)))


@given(st.lists(NAMES, unique=True), ACTS)
def test_it_is_one_list_with_each_name_once(found: list[str], acts: list[tuple[str, str, int]]) -> None:
    recency, plain = known(*found), dict.fromkeys(found, 1)
    for act, name, size in acts:
        if act == "add":
            recency.add(name, size)
            plain.pop(name, None)
            plain[name] = size
        elif act == "touch":
            recency.touch(name)
            if name in plain:
                plain[name] = plain.pop(name)
        elif act == "remove":
            assert recency.remove(name) == plain.pop(name, 0)
        else:
            assert recency.oldest() == next(iter(plain), None)
        assert recency.names() == list(plain)
        assert recency.size == sum(plain.values())


def test_more_than_are_taken_out_together_go_in_their_order() -> None:
    names = [f"{n:05}" for n in range(2 * BATCH + 3)]
    assert drained(known(*names)) == names
