"""What is stored, as an operator sees it: pages, filters, states, orders, uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from mirror.errors import RequestError, StoreError
from mirror.httpcache.freshness import expire
from mirror.model import Entry, Head, Headers, Mirror
from mirror.operations import cursors
from mirror.operations.entries import PATIENCE, Entries, Listed, Question
from mirror.operations.places import Places
from mirror.operations.ranking import EVERY, MOST
from mirror.ports import Outline, Wanted
from mirror.stores.memory import MemoryIndex
from mirror.uses import Uses
from tests.conftest import Halt, World
from tests.contracts.samples import entry
from tests.instruments.clock import Clock, eventually

MIRRORS = (
    Mirror("o", "http", grace=10.0, keep=100.0),
    Mirror("npm", "npm", ttl=300.0, grace=1000.0, keep=5000.0),
    Mirror("debian", "apt"),
)
NOW = 1_800_000_000.0


class Slow(MemoryIndex):
    """Each page, and each portion of an outline, takes so many seconds by the clock; `halt` and `broken` are of the
    next outline."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock, self.takes = clock, 0.0
        self.pages = self.outlines = 0
        self.halt: Halt | None = None
        self.broken = False

    async def page(self, wanted: Wanted, after: str, limit: int) -> tuple[list[Entry], str | None]:
        self.pages += 1
        self.clock.wind(self.takes)
        return await super().page(wanted, after, limit)

    async def outline(self, after: str) -> list[Outline]:
        self.outlines += after == ""
        if self.broken:
            raise StoreError("the index cannot be read: locked")
        if self.halt:
            await self.halt()
        return await super().outline(after)


class Stored:
    """Entries over an index in memory, by a hand-wound clock."""

    def __init__(self) -> None:
        self.clock = Clock(NOW)
        self.index = Slow(self.clock)
        self.uses = Uses()
        self.entries = Entries(self.index, Places(MIRRORS), self.uses, self.clock, self.clock)

    async def put(self, key: str, **changes: Any) -> Entry:
        head = Head(changes.pop("status", 200), changes.pop("headers", Headers()), NOW - 1, changes.pop("at", NOW))
        made = replace(entry(key), **{"head": head, "blob": key, **changes})
        await self.index.put(made)
        return made

    async def one(self, key: str, **changes: Any) -> Listed:
        await self.put(key, **changes)
        [found] = [each for each in (await self.entries.page(Question(limit=1000))).entries if each.key == key]
        return found


@pytest.fixture
def stored() -> Stored:
    return Stored()


async def keys(stored: Stored, **asked: Any) -> list[str]:
    """Of all pages."""
    question, found = Question(**asked), []
    while True:
        listing = await stored.entries.page(question)
        found += [each.key for each in listing.entries]
        if listing.cursor is None:
            return found
        question = replace(question, cursor=listing.cursor)


class TestPages:
    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_the_pages_together_are_all_entries_once(self, stored: Stored, limit: int) -> None:
        expected = sorted(f"/{mirror}/{n}" for mirror in ("o", "npm") for n in range(3))
        for key in expected:
            await stored.put(key)
        assert await keys(stored, limit=limit) == expected
        last = await stored.entries.page(Question(limit=6))
        assert (last.cursor, last.complete) == (None, True)

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({"mirror": "npm"}, ["/npm/react full"]),
            ({"prefix": "/o/a"}, ["/o/a"]),
            ({"prefix": "/"}, ["/npm/react full", "/o/a", "/o/b", "/o/c", "/o/d", "/o/e"]),
            ({"mirror": "o", "prefix": "/o/b"}, ["/o/b"]),
            ({"mirror": "npm", "prefix": "/"}, ["/npm/react full"]),
            ({"mirror": "o", "prefix": "/npm/"}, []),
            ({"tag": "npm:react"}, ["/npm/react full"]),
            ({"search": "REACT"}, ["/npm/react full"]),
            ({"state": "negative"}, ["/o/b"]),
            ({"state": "negative", "limit": 1}, ["/o/b"]),
            ({"state": "fresh"}, ["/npm/react full", "/o/c", "/o/d", "/o/e"]),
            ({"state": "stale"}, ["/o/a"]),
            ({"state": "expired"}, []),
        ],
    )
    async def test_only_what_is_wanted(self, stored: Stored, asked: dict[str, Any], expected: list[str]) -> None:
        await stored.put("/o/a", tags=())
        await stored.put("/o/b", tags=(), status=404)
        await stored.put("/npm/react full", tags=("npm:react",))
        for name in "cde":
            await stored.put(f"/o/{name}", tags=(), headers=MAX_AGE)
        assert await keys(stored, **asked) == expected

    async def test_a_page_ends_where_its_time_is_over_and_the_cursor_goes_on(
        self, stored: Stored, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mirror.operations.entries.AT_ONCE", 10)
        for n in range(55):
            await stored.put(f"/o/{n:02}", status=404 if n == 54 else 200)
        stored.index.takes = PATIENCE / 2
        first = await stored.entries.page(Question(state="negative"))
        assert (first.entries, first.complete, stored.index.pages) == ([], False, 2)
        assert first.cursor is not None
        assert await keys(stored, state="negative", cursor=first.cursor) == ["/o/54"]

    async def test_a_page_of_a_state_has_no_more_than_its_limit(self, stored: Stored) -> None:
        for n in range(5):
            await stored.put(f"/o/{n}", status=404)
        first = await stored.entries.page(Question(state="negative", limit=2))
        assert ([each.key for each in first.entries], first.complete) == (["/o/0", "/o/1"], True)
        assert await keys(stored, state="negative", limit=2, cursor=first.cursor) == ["/o/2", "/o/3", "/o/4"]

    async def test_an_entry_that_stands_comes_once_whatever_is_written(self, stored: Stored) -> None:
        for n in range(0, 20, 2):
            await stored.put(f"/o/{n:02}")
        first = await stored.entries.page(Question(limit=5))
        await stored.index.delete(first.entries[-1].key)  # the cursor points at it
        await stored.put("/o/01")
        await stored.put("/o/09")
        assert await keys(stored, cursor=first.cursor) == ["/o/09", *(f"/o/{n}" for n in range(10, 20, 2))]

    @pytest.mark.parametrize("cursor", ["x", "a" * 50, "é", "AAAA", cursors.written("/o/a")[:-2], " "])
    async def test_a_bad_cursor_is_refused(self, stored: Stored, cursor: str) -> None:
        with pytest.raises(RequestError, match="cursor"):
            await stored.entries.page(Question(cursor=cursor))

    async def test_an_unknown_mirror_is_refused(self, stored: Stored) -> None:
        with pytest.raises(RequestError, match="'x'"):
            await stored.entries.page(Question(mirror="x"))
        with pytest.raises(RequestError, match="'x'"):
            await stored.entries.first("largest", "x", 1)


MAX_AGE = Headers((("cache-control", "max-age=60"),))


class TestOneEntry:
    @pytest.mark.parametrize(
        ("key", "changes", "state", "ttl"),
        [
            ("/o/a", {"headers": MAX_AGE}, "fresh", 59.0),  # the second that its request took counts
            ("/o/a", {"headers": MAX_AGE, "at": NOW - 70}, "stale", None),
            ("/o/a", {"headers": MAX_AGE, "at": NOW - 200}, "expired", None),
            ("/o/a", {"headers": MAX_AGE, "status": 404}, "negative", 59.0),
            ("/npm/react full", {}, "fresh", 300.0),
            ("/npm/react full", {"at": NOW - 400}, "stale", -100.0),
            ("/npm/react full", {"at": NOW - 6000}, "expired", -5700.0),
            ("/npm/react/-/react-1.0.0.tgz", {"at": NOW - 1e8}, "fresh", None),
            ("/debian/pool/c/curl_1_amd64.deb", {"at": NOW - 1e8}, "fresh", None),
            ("/gone/a", {"headers": MAX_AGE}, "fresh", None),
            ("/gone/a", {}, "expired", None),
        ],
    )
    async def test_its_state_is_what_the_rules_make_of_it(
        self, stored: Stored, key: str, changes: dict[str, Any], state: str, ttl: float | None
    ) -> None:
        found = await stored.one(key, **changes)
        assert found.state == state
        if ttl is not None or key.startswith(("/gone", "/debian")):
            assert found.ttl == ttl

    async def test_what_was_purged_softly_is_expired_and_keeps_its_age(self, stored: Stored) -> None:
        made = await stored.put("/o/a", headers=MAX_AGE, at=NOW - 10)
        await stored.index.put(replace(made, head=expire(made.head, NOW - 5)))
        [found] = (await stored.entries.page(Question())).entries
        assert (found.state, found.ttl) == ("expired", -5.0)

    async def test_all_that_is_told_of_it(self, stored: Stored) -> None:
        headers = Headers((("content-type", "text/plain"), ("age", "7")))
        found = await stored.one(
            "/o/a?x=1", headers=headers, size=12, tags=("t",), digest="ab", at=NOW - 3, url="http://upstream.test/a?x=1"
        )
        assert (found.mirror, found.status, found.size, found.type) == ("o", 200, 12, "text/plain")
        assert (found.stored_at, found.age, found.tags, found.digest) == (NOW - 3, 10.0, ("t",), "sha256:ab")
        assert (found.last_access, found.hits) == (None, None)
        use = stored.uses.of("/o/a?x=1", NOW - 1)
        use.hits += 3
        [again] = (await stored.entries.page(Question())).entries
        assert (again.last_access, again.hits) == (NOW - 1, 3)

    @pytest.mark.parametrize(
        ("key", "url", "shown"),
        [
            ("/o/a?x=1", "http://upstream.test/a?x=1", "http://upstream.test/a?x=1"),
            ("/o/a?x=1 v", "http://upstream.test/a?x=1", "http://upstream.test/a?x=1"),
            ("/o/a", "https://store.test/a?X-Signature=secret", "https://store.test/a"),
            ("/o/a", "https://user:secret@upstream.test:8/a@b", "https://upstream.test:8/a@b"),
        ],
    )
    async def test_no_secret_of_an_address_is_told(self, stored: Stored, key: str, url: str, shown: str) -> None:
        assert (await stored.one(key, url=url)).url == shown


class TestOrders:
    async def test_the_first_by_size_by_age_and_by_use(self, stored: Stored) -> None:
        for n in range(MOST + 20):
            await stored.put(f"/o/{n:03}", size=n, at=NOW + n)
        await stored.put("/npm/a", size=50, at=NOW - 1)
        for name, hits in (("/o/005", 2), ("/o/007", 9), ("/npm/a", 5)):
            stored.uses.of(name, NOW).hits += hits
        largest = await stored.entries.first("largest", "", 3)
        assert [each.key for each in largest.entries] == ["/o/119", "/o/118", "/o/117"]
        assert (largest.complete, largest.cursor, largest.as_of) == (True, None, NOW)
        assert [each.key for each in (await stored.entries.first("oldest", "", 2)).entries] == ["/npm/a", "/o/000"]
        used = (await stored.entries.first("used", "", 10)).entries
        assert [(each.key, each.hits) for each in used] == [("/o/007", 9), ("/npm/a", 5), ("/o/005", 2)]
        assert [each.key for each in (await stored.entries.first("largest", "npm", 3)).entries] == ["/npm/a"]
        assert len((await stored.entries.first("largest", "o", MOST)).entries) == MOST
        assert stored.index.outlines == 1

    async def test_it_is_found_out_once_a_minute_and_the_old_order_stands_meanwhile(self, stored: Stored) -> None:
        await stored.put("/o/a", size=1)
        await stored.entries.first("largest", "", 1)
        await stored.put("/o/b", size=2)
        assert [each.key for each in (await stored.entries.first("largest", "", 9)).entries] == ["/o/a"]
        stored.clock.wind(EVERY)
        stored.index.halt = Halt()
        old = await stored.entries.first("largest", "", 9)
        assert ([each.key for each in old.entries], old.as_of) == (["/o/a"], NOW)
        stored.index.halt.over.set()
        await eventually(lambda: stored.entries._ranking._as_of == NOW + EVERY)
        assert [each.key for each in (await stored.entries.first("largest", "", 9)).entries] == ["/o/b", "/o/a"]

    async def test_the_first_time_may_take_longer_than_a_request(
        self, stored: Stored, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mirror.operations.entries.PATIENCE", 0.01)
        await stored.put("/o/a")
        stored.index.halt = Halt()
        first = await stored.entries.first("largest", "", 9)
        assert (first.entries, first.complete, first.as_of) == ([], False, None)
        await stored.entries.close()
        await stored.entries.close()

    async def test_what_went_since_is_left_out(self, stored: Stored) -> None:
        await stored.put("/o/a", size=1)
        await stored.put("/o/b", size=2)
        await stored.entries.first("largest", "", 9)
        await stored.index.delete("/o/b")
        assert [each.key for each in (await stored.entries.first("largest", "", 9)).entries] == ["/o/a"]

    async def test_an_index_that_cannot_be_read_is_told_and_asked_again(self, stored: Stored) -> None:
        await stored.put("/o/a")
        stored.index.broken = True
        with pytest.raises(StoreError):
            await stored.entries.first("oldest", "", 9)
        stored.index.broken = False
        assert len((await stored.entries.first("oldest", "", 9)).entries) == 1


async def test_what_is_served_from_the_store_is_counted(make_world: Callable[..., World]) -> None:
    async with make_world().open() as world:
        for _ in range(4):
            await world.get("/obj/a/1000")
        [found] = (await world.operations.entries.page(Question())).entries
        assert found.hits == 3
        assert found.last_access == world.clock.now
        assert found.ttl is not None
        assert found.ttl != inf
