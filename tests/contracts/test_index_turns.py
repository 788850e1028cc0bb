"""Rows are written in turns: the thread that writes them lets the event loop go first again and again."""

from __future__ import annotations

from mirror.stores.rows import REST, TURN, in_turns


class Clock:
    """Seconds, wound by hand; `rested`: after how many items there was a rest."""

    def __init__(self) -> None:
        self.now = 0.0
        self.items = 0
        self.rested: list[int] = []

    def __call__(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        assert seconds == REST
        self.rested.append(self.items)
        self.now += 100 * TURN  # others took their time: that is not this one's turn

    def spend(self, each: float, items: int) -> list[int]:
        given = []
        for item in in_turns(range(items), self, self.rest):
            given.append(item)
            self.items += 1
            self.now += each
        return given


def test_rows_that_take_long_are_written_with_rests_and_all_of_them_are() -> None:
    clock = Clock()
    assert clock.spend(TURN / 4, 10) == [*range(10)]
    assert clock.rested == [4, 8]


def test_a_few_quick_rows_are_written_at_once() -> None:
    clock = Clock()
    assert clock.spend(TURN / 20, 15) == [*range(15)]
    assert clock.rested == []


def test_a_row_that_takes_longer_than_a_turn_is_followed_by_a_rest() -> None:
    clock = Clock()
    clock.spend(3 * TURN, 3)
    assert clock.rested == [1, 2]
