"""Shares of the cache: one mirror's own go first for its share, the cache's least recently used for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror import shares as sharing
from mirror.errors import NoRoom
from mirror.evict import Limits, Reservation, Room
from mirror.shares import mirror_of
from mirror.stores.sharing import learn
from tests.instruments.plainly import Plainly


def known(limit: int = 100, free: int = 1 << 40, **shares: int) -> tuple[Room, list[str]]:
    """A room that knows all (nothing is stored), and the names that are evicted from it."""
    gone: list[str] = []
    room = Room(Limits(limit), free=lambda _: free)

    async def evict(name: str) -> None:
        gone.append(name)

    room.evict = evict
    room.become(room.limits, shares)
    room.count([])
    for share in room.shares.all.values():
        share.begin()
        share.end()
    return room, gone


def test_the_mirror_is_the_first_part_of_a_key() -> None:
    assert [mirror_of(key) for key in ("/npm/react", "/npm/", "/npm", "/a/b/c d", "npm", "")] == [
        *("npm", "npm", "npm", "a", "", "")
    ]


async def test_for_a_share_only_its_own_go_the_least_recently_used_first() -> None:
    room, gone = known(1000, m=50)
    for name, mirror in (("m1", "m"), ("o1", "o"), ("m2", "m"), ("o2", "o")):
        room.add(name, 20, mirror)
    room.touch("m1")
    await room.reservation("m").grow(25)
    assert gone == ["m2"]
    await room.reservation("o").grow(500)
    assert gone == ["m2"]


async def test_a_body_larger_than_the_share_evicts_nothing() -> None:
    room, gone = known(1000, m=50)
    room.add("m1", 40, "m")
    with pytest.raises(NoRoom, match="share of m"):
        await room.reservation("m").grow(51)
    assert gone == []


async def test_the_cache_evicts_by_its_own_order_what_belongs_to_a_share_too() -> None:
    room, gone = known(100, m=90)
    for name, mirror in (("m1", "m"), ("o1", "o"), ("m2", "m")):
        room.add(name, 30, mirror)
    await room.reservation("o").grow(40)
    assert gone == ["m1"]
    await room.reservation("m").grow(30)
    assert gone == ["m1", "o1"]


async def test_where_the_cache_has_no_room_nothing_goes_for_the_share() -> None:
    room, gone = known(100, m=90)
    room.add("m1", 20, "m")
    await room.reservation("o").grow(70)
    with pytest.raises(NoRoom):
        await room.reservation("m").grow(80)
    assert gone == []


async def test_what_is_being_filled_counts_until_it_is_released() -> None:
    room, gone = known(1000, m=50)
    first, second = room.reservation("m"), room.reservation("m")
    await first.grow(30)
    with pytest.raises(NoRoom):
        await second.grow(30)
    first.release()
    await second.grow(30)
    assert gone == []


async def test_a_partial_that_is_gone_on_with_is_not_up_for_eviction() -> None:
    room, gone = known(1000, m=50)
    room.add("m1.part", 30, "m")
    again = room.reopen("m1.part", "m")
    with pytest.raises(NoRoom):
        await room.reservation("m").grow(21)
    await again.grow(50)
    assert gone == []


class TestSmaller:
    async def test_what_is_more_than_a_smaller_share_goes(self) -> None:
        room, gone = known(1000, m=100)
        for n in range(5):
            room.add(f"m{n}", 20, "m")
            room.add(f"o{n}", 20, "o")
        room.touch("m0")
        room.become(Limits(1000), {"m": 45})
        await room.fit()
        assert gone == ["m1", "m2", "m3"]

    async def test_what_is_more_than_a_smaller_cache_goes(self) -> None:
        room, gone = known(1000)
        for n in range(5):
            room.add(f"m{n}", 20, "m")
        room.become(Limits(50), {})
        await room.fit()
        assert gone == ["m0", "m1", "m2"]

    async def test_what_is_being_filled_stays(self) -> None:
        room, gone = known(1000, m=100)
        running = room.reservation("m")
        await running.grow(60)
        room.add("m1", 20, "m")
        room.become(Limits(1000), {"m": 50})
        await room.fit()
        assert gone == ["m1"]
        assert room.taken == 60

    async def test_a_share_that_is_taken_back_binds_nobody(self) -> None:
        room, _ = known(1000, m=50)
        room.become(Limits(1000), {})
        await room.reservation("m").grow(500)


class TestNotKnown:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sharing, "PATIENCE", 0.01)

    async def test_all_that_is_stored_counts_and_nothing_is_evicted(self) -> None:
        room, gone = known(1000)
        room.add("o1", 60, "o")
        room.become(Limits(1000), {"m": 100})
        await room.reservation("m").grow(40)
        with pytest.raises(NoRoom, match="not known"):
            await room.reservation("m").grow(1)
        assert gone == []

    async def test_who_comes_first_waits_for_a_moment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sharing, "PATIENCE", 60.0)
        room, _ = known(1000)
        room.add("o1", 100, "o")
        room.become(Limits(1000), {"m": 100})
        waiting = asyncio.create_task(room.reservation("m").grow(40))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        room.shares.all["m"].end()
        await waiting

    async def test_only_the_first_ones_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        room, _ = known(1000)
        room.add("o1", 100, "o")
        room.become(Limits(1000), {"m": 100})
        with pytest.raises(NoRoom):
            await room.reservation("m").grow(40)
        monkeypatch.setattr(sharing, "PATIENCE", 60.0)
        async with asyncio.timeout(20):
            for _ in range(50):
                with pytest.raises(NoRoom):
                    await room.reservation("m").grow(40)

    async def test_while_the_cache_is_counted_the_upper_bound_counts(self) -> None:
        room = Room(Limits(1000), free=lambda _: 1 << 40)
        room.become(room.limits, {"m": 100})
        room.assume(90)
        await room.reservation("m").grow(10)
        with pytest.raises(NoRoom):
            await room.reservation("m").grow(1)
        await room.reservation("o").grow(500)


MIRRORS = st.sampled_from("mno")
SHARES = {"m": 12, "n": 25}
LIMIT = 30
KINDS = st.sampled_from(["store", "store", "take", "keep", "drop", "touch", "remove"])
ACTS = st.lists(st.tuples(KINDS, MIRRORS, st.integers(1, 14)), min_size=15, max_size=60)


@dataclass
class Plain:
    """What the room should do, as simply as it can be said."""

    limit: int = LIMIT
    stored: dict[str, tuple[str, int]] = field(default_factory=dict)
    orders: dict[str, Plainly] = field(default_factory=lambda: {whose: Plainly() for whose in ("", *SHARES)})
    running: list[tuple[str, int]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def of(self, mirror: str) -> int:
        return sum(size for whose, size in [*self.stored.values(), *self.running] if mirror in ("", whose))

    def evict(self, mirror: str) -> bool:
        name = self.orders[mirror].oldest()
        if name is not None:
            self.gone.append(name)
            self.remove(name)
        return name is not None

    def add(self, name: str, mirror: str, size: int) -> None:
        self.stored[name] = mirror, size
        for order in [self.orders[whose] for whose in ("", mirror) if whose in self.orders]:
            order.add(name, size)

    def remove(self, name: str) -> None:
        del self.stored[name]
        for order in self.orders.values():
            order.remove(name)

    def touch(self, name: str) -> None:
        for order in self.orders.values():
            order.touch(name)

    def take(self, mirror: str, size: int) -> bool:
        bounds = {"": self.limit} | ({mirror: SHARES[mirror]} if mirror in SHARES else {})
        fixed = {whose: sum(n for w, n in self.running if whose in ("", w)) for whose in bounds}
        if any(fixed[whose] + size > bound for whose, bound in bounds.items()):
            return False
        for whose in (mirror, ""):
            while whose in bounds and self.of(whose) + size > bounds[whose]:
                assert self.evict(whose)
        self.running.append((mirror, size))
        return True


class Both:
    """A room, and what it should be."""

    def __init__(self) -> None:
        self.room, self.gone = known(LIMIT, **SHARES)
        self.plain = Plain()
        self.running: list[Reservation] = []
        self._made = 0

    async def take(self, mirror: str, size: int) -> None:
        reservation = self.room.reservation(mirror)
        try:
            await reservation.grow(size)
        except NoRoom:
            assert not self.plain.take(mirror, size)
        else:
            self.running.append(reservation)
            assert self.plain.take(mirror, size)

    def end(self, *, keep: bool) -> None:
        reservation, (mirror, size) = self.running.pop(0), self.plain.running.pop(0)
        reservation.release()
        if keep:
            self._made += 1
            self.room.add(f"{self._made}", size, mirror)
            self.plain.add(f"{self._made}", mirror, size)

    def change(self, name: str, *, remove: bool) -> None:
        for one in (self.room, self.plain):
            one.remove(name) if remove else one.touch(name)

    async def act(self, act: str, mirror: str, size: int) -> None:
        if act in ("take", "store"):
            await self.take(mirror, size)
        if act in ("keep", "drop", "store"):
            if self.running:
                self.end(keep=act != "drop")
        elif act != "take" and self.plain.stored:
            self.change([*self.plain.stored][size % len(self.plain.stored)], remove=act == "remove")

    def check(self) -> None:
        plain = self.plain
        assert self.gone == plain.gone
        assert self.room.taken == plain.of("") <= LIMIT
        for mirror, share in self.room.shares.all.items():
            assert share.recency.names() == list(plain.orders[mirror].all)
            assert plain.of(mirror) <= SHARES[mirror]


@pytest.mark.row(30, at="random orders of filling and evicting")
@given(ACTS)
def test_never_above_either_limit_and_always_in_the_order_of_use(acts: list[tuple[str, str, int]]) -> None:
    """Seen red: what a mirror is fetching does not count for its share."""

    async def main() -> None:
        both = Both()
        for act in acts:
            await both.act(*act)
            both.check()
        while both.running:
            both.end(keep=False)
        assert both.room.taken == both.room.stored

    asyncio.run(main())


class Standing:
    """An index, and a store with kept partials, of what a room has; something happens at each rest."""

    def __init__(self, keys: dict[str, str], happens: list[Callable[[], None]]) -> None:
        self._keys = keys
        self._happens = happens
        self._sorts = 0  # rests in which nothing more can go wrong

    async def blobs(self, prefix: str) -> AsyncIterator[list[str]]:
        for name, key in list(self._keys.items()):
            if key.startswith(prefix) and not name.endswith(".part"):
                yield [name]
        self._sorts = 257

    def kept(self, prefix: str) -> list[str]:
        return [name for name, key in self._keys.items() if key.startswith(prefix) and name.endswith(".part")]

    async def rest(self) -> None:
        self._sorts -= 1
        if self._happens and self._sorts <= 0:
            self._happens.pop(0)()


def name(n: int) -> str:
    return f"{n * 0x123456789ABCDEF % (1 << 64):016x}"


HAPPENS = st.lists(
    st.tuples(st.sampled_from(["add", "touch", "remove"]), MIRRORS, st.integers(0, 30)), min_size=20, max_size=60
)


@given(st.lists(MIRRORS, min_size=8, max_size=25), st.sets(st.integers(0, 24)), HAPPENS, st.integers(1, 4))
def test_what_is_learnt_is_what_stands_in_the_order_of_use_whatever_happens_meanwhile(
    mirrors: list[str], parts: set[int], happens: list[tuple[str, str, int]], often: int
) -> None:
    async def main() -> None:
        room, _ = known(1 << 30)
        names = [f"{name(n)}.part" if n in parts else name(n) for n in range(len(mirrors))]
        of = {each: f"/{mirror}/x" for each, mirror in zip(names, mirrors, strict=True)}
        keys = dict(of)
        for each, mirror in zip(names, mirrors, strict=True):
            room.add(each, 1, mirror)

        def do(act: str, mirror: str, n: int) -> None:
            if act == "add":
                fresh = name(1000 + len(of))
                of[fresh] = keys[fresh] = f"/{mirror}/x"
                room.add(fresh, 2, mirror)
            elif act == "touch":
                room.touch([*of, "none"][n % (len(of) + 1)])
            elif of:
                gone = [*of][n % len(of)]
                keys.pop(gone, None)
                room.remove(gone)

        some = [
            lambda part=happens[at : at + often]: [do(*one) for one in part] for at in range(0, len(happens), often)
        ]
        room.become(room.limits, {"m": 1 << 20, "n": 1 << 20})
        standing: Any = Standing(keys, some)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mirror.stores.sharing.PORTION", 2)
            await learn(standing, standing, room, standing)
        for mirror, share in room.shares.all.items():
            assert share.known
            assert share.recency.names() == [each for each in room.recency() if mirror_of(of[each]) == mirror]

    asyncio.run(main())


async def test_what_was_stored_before_there_was_a_share_and_put_into_the_index_behind_the_look_is_found() -> None:
    # 1. A blob is stored. 2. Its mirror gets a share. 3. The index is read. 4. The blob's entry is put.
    room, _ = known(1 << 30)
    room.add(name(1), 7, "m")
    room.become(room.limits, {"m": 1 << 20})
    standing: Any = Standing({}, [])
    await learn(standing, standing, room, standing)
    assert room.shares.all["m"].recency.size == 7
