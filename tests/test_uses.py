"""Uses: counted, bounded, and told to another process."""

from __future__ import annotations

from collections.abc import Callable

from mirror.uses import Uses
from tests.conftest import World
from tests.instruments.both import OBJECT, ask, both_of


def test_the_hits_of_a_body_add_up_and_the_last_one_is_known() -> None:
    uses = Uses()
    uses.of("a", 5.0).hits += 2
    uses.of("a", 4.0).hits += 1  # a clock that went back
    known = uses.get("a")
    assert known is not None
    assert (known.hits, known.last) == (3, 5.0)
    assert uses.get("b") is None


def test_only_the_last_used_are_known() -> None:
    uses = Uses(2)
    for name in ("a", "b", "a", "c"):
        uses.of(name, 1.0).hits += 1
    assert [name for name in "abc" if uses.get(name)] == ["a", "c"]


def test_another_process_is_told_what_was_counted_since_and_adds_it() -> None:
    front, holder = Uses(tells=True), Uses()
    use = front.of("a", 1.0)
    use.hits += 3
    holder.add(told := front.taken())
    assert told == {"a": (1.0, 3)}
    use.hits += 2  # who has it counts on
    holder.add(front.taken())
    known = holder.get("a")
    assert known is not None
    assert (known.hits, known.last) == (5, 1.0)
    assert front.taken() == {}
    assert front._untold == {}
    front.of("a", 2.0).hits += 1
    assert front.taken() == {"a": (2.0, 1)}


def test_who_tells_nobody_keeps_nothing_to_tell() -> None:
    uses = Uses()
    uses.of("a", 1.0).hits += 1
    assert uses.taken() == {}


async def test_each_prepared_answer_is_counted(make_world: Callable[..., World]) -> None:
    async with both_of(make_world()) as both:
        request = ask(OBJECT)
        await both.heat(request)
        assert both.prepared == 1
        [entry] = await both.world.index.under(OBJECT)
        use = both.world.fills.outside.uses.get(entry.blob)
        assert use is not None
        before = use.hits
        for _ in range(20):
            await both.same(request)  # once prepared, and once not
            both.world.clock.wind(0.3)
        assert use.hits == before + 40
