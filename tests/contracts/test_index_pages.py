"""What every index keeps to when it is gone through in pages, and when many entries change at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror.changes import of_key
from mirror.model import Entry
from mirror.ports import Index, Outline, Wanted
from mirror.stores import rows
from mirror.stores.memory import MemoryIndex
from mirror.stores.sqlite import DiskcacheIndex
from tests.contracts.samples import entry, keys


@pytest.fixture(params=["disk", "memory"])
async def index(request: pytest.FixtureRequest, on_disk: DiskcacheIndex) -> Index:
    return on_disk if request.param == "disk" else MemoryIndex()


async def all_pages(index: Index, wanted: Wanted, limit: int = 2) -> list[list[str]]:
    pages, after = [], ""
    while True:
        entries, last = await index.page(wanted, after, limit)
        pages.append([entry.key for entry in entries])
        if last is None:
            return pages
        after = last


class TestPages:
    async def test_all_entries_come_once_in_the_order_of_keys(self, index: Index) -> None:
        for key in ("/m/c", "/m/a", "/n/a", "/m/b", "/m/a x=1"):
            await index.put(entry(key))
        assert await all_pages(index, Wanted()) == [["/m/a", "/m/a x=1"], ["/m/b", "/m/c"], ["/n/a"]]
        assert await all_pages(index, Wanted(prefix="/m/"), 4) == [["/m/a", "/m/a x=1", "/m/b", "/m/c"]]
        assert await all_pages(index, Wanted(prefix="/z")) == [[]]

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            (Wanted(search="SIX"), ["/m/SIX-1", "/m/six", "/n/six"]),
            (Wanted(search="SIX", prefix="/m/"), ["/m/SIX-1", "/m/six"]),
            (Wanted(search="%"), ["/m/%_"]),
            (Wanted(tag="t:a"), ["/m/six", "/n/six"]),
            (Wanted(tag="t:a", prefix="/n"), ["/n/six"]),
            (Wanted(tag="t"), []),
            (Wanted(tag='"'), []),
            (Wanted(tag="http://upstream.test/a"), []),
            (Wanted(search="nowhere"), []),
        ],
    )
    async def test_only_what_is_wanted_comes(self, index: Index, wanted: Wanted, expected: list[str]) -> None:
        for key, tags in [("/m/six", ("t:a",)), ("/m/SIX-1", ("t:ab",)), ("/m/%_", ()), ("/n/six", ("x", "t:a"))]:
            await index.put(entry(key, tags=tags))
        assert [key for page in await all_pages(index, wanted) for key in page] == expected

    async def test_what_is_written_meanwhile_moves_nothing(self, index: Index) -> None:
        standing = [f"/m/{n:03}" for n in range(0, 100, 2)]
        for key in standing:
            await index.put(entry(key))
        seen, after, last = [], "", ""
        for n in range(1, 100, 4):
            page, next_after = await index.page(Wanted(), after, 3)
            seen += [entry.key for entry in page]
            await index.put(entry(f"/m/{n:03}"))
            if after:
                await index.delete(f"/m/{n - 2:03}")
            if next_after is None:
                break
            after = last = next_after
        assert last
        assert [key for key in seen if key in standing] == standing[: len([key for key in seen if key in standing])]

    async def test_the_key_that_a_page_begins_behind_need_not_stand(self, index: Index) -> None:
        await index.put(entry("/m/b"))
        assert [entry.key for entry in (await index.page(Wanted(), "/m/a", 5))[0]] == ["/m/b"]
        assert await index.page(Wanted(prefix="/m/"), "/n/", 5) == ([], None)
        assert [entry.key for entry in (await index.page(Wanted(prefix="/m/"), "/a", 5))[0]] == ["/m/b"]

    async def test_the_outline_of_all_entries(self, index: Index) -> None:
        for n in range(3):
            await index.put(entry(f"/m/{n}", size=n, blob=f"b{n}"))
        rest, after = [], ""
        while some := await index.outline(after):
            rest += some
            after = some[-1].key
        assert rest == [Outline(f"/m/{n}", f"b{n}", n, 2.25) for n in range(3)]


class TestOnDisk:
    async def test_a_page_looks_at_so_many_keys_and_no_more(
        self, on_disk: DiskcacheIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rows, "PORTION", 10)
        for n in range(25):
            await on_disk.put(entry(f"/m/{n:03}"))
        assert await on_disk.page(Wanted(search="024"), "", 5) == ([], "/m/009")
        assert await on_disk.page(Wanted(search="024"), "/m/009", 5) == ([], "/m/019")
        assert ([e.key for e in (await on_disk.page(Wanted(search="024"), "/m/019", 5))[0]]) == ["/m/024"]

    async def test_keys_alone_are_read_where_the_key_is_not_wanted(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry())
        statements: list[tuple[str, tuple[str, ...]]] = []

        def spy(statement: str, values: tuple[str, ...]) -> object:
            statements.append((statement, values))
            return on_disk._database.cache._sql(statement, values)

        await on_disk._read(rows.some, spy, Wanted(search="x", tag="y"), "", 10)
        plans = await on_disk._read(
            lambda: [on_disk._database.cache._sql(f"EXPLAIN QUERY PLAN {s}", v).fetchall() for s, v in statements]
        )
        lines = [row[3] for plan in plans for row in plan]
        assert any("COVERING INDEX" in line for line in lines), lines
        assert not any(line.startswith("SCAN Cache") for line in lines), lines

    async def test_a_row_that_is_no_entry_is_left_out(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry("/m/a"))
        await on_disk._read(lambda: on_disk._database.cache.set("/m/b", "nonsense"))
        assert [entry.key for entry in (await on_disk.page(Wanted(), "", 5))[0]] == ["/m/a"]
        assert [row.key for row in await on_disk.outline("")] == ["/m/a", "/m/b"]

    async def test_soft_changes_of_what_nobody_asked_for_drive_nothing_out_of_memory(
        self, on_disk: DiskcacheIndex
    ) -> None:
        entries = [entry(f"/m/{n:03}", blob=f"{n:02x}") for n in range(200)]
        for each in entries:
            await on_disk.put(each)
        await on_disk.close()
        again = DiskcacheIndex(on_disk._path, hot=10)
        await again.start()
        await again.get("/m/000")
        await again.swap([(each, replace(each, size=7)) for each in entries])
        assert [*again._hot] == ["/m/000"]
        assert {each.size for batch in [await again.under(f"/m/{n:03}") for n in range(200)] for each in batch} == {7}
        await again.close()


class TestSwaps:
    async def test_what_stands_is_replaced_or_deleted_and_told(self, index: Index) -> None:
        a, b, c = (entry(f"/m/{name}", blob=name) for name in "abc")
        for each in (a, b):
            await index.put(each)
        marks = [index.changes.mark(of_key(key)) for key in ("/m/a", "/m/b")]
        assert await index.swap([(a, replace(a, size=9)), (b, None), (c, replace(c, size=9))]) == [a, b, None]
        assert all(index.changes.since(mark) for mark in marks)
        assert await index.get("/m/a") == replace(a, size=9)
        assert await keys(index) == ["/m/a"]

    async def test_what_has_taken_its_place_stays_but_for_another_head(self, index: Index) -> None:
        old = entry()
        await index.put(replace(old, blob="new"))
        assert await index.swap([(old, None)]) == [None]
        assert await keys(index) == ["/m/a"]
        confirmed = replace(old, head=replace(old.head, received_at=99.0))
        await index.put(confirmed)
        assert await index.swap([(old, None)]) == [confirmed]
        assert await keys(index) == []

    async def test_what_is_deleted_between_the_look_and_the_change_does_not_come_back(
        self, on_disk: DiskcacheIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = entry()
        await on_disk.put(old)
        await on_disk.close()
        again = DiskcacheIndex(on_disk._path)
        await again.start()
        ask, asked = again._ask, []

        async def slow(call: Any, *args: Any) -> Any:
            found = await ask(call, *args)
            asked.append(call)
            if len(asked) == 1:
                await again.delete("/m/a")
                assert again._hot.peek("/m/a") is None  # its row is gone: nothing is remembered
            return found

        monkeypatch.setattr(again, "_ask", slow)
        assert await again.swap([(old, replace(old, size=9))]) == [None]
        assert await keys(again) == []
        await again.close()

    async def test_it_holds_when_it_is_opened_again(self, on_disk: DiskcacheIndex) -> None:
        entries = [entry(f"/m/{n:04}", blob=f"{n:04x}") for n in range(1200)]
        for each in entries:
            await on_disk.put(each)
        await on_disk.close()
        again = DiskcacheIndex(on_disk._path)
        await again.start()
        changes: list[tuple[Entry, Entry | None]] = [(each, None) for each in entries[:600]]
        assert await again.swap(changes) == entries[:600]
        assert [key async for batch in again.scan() for key in batch] == entries[600:]
        await again.close()

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
    @given(
        steps=st.lists(st.tuples(st.sampled_from("psd"), st.sampled_from("abc"), st.sampled_from("12")), max_size=12)
    )
    async def test_both_do_the_same(self, on_disk: DiskcacheIndex, steps: list[tuple[str, str, str]]) -> None:
        memory = MemoryIndex()
        for index in (on_disk, memory):
            for name in "abc":
                await index.delete(f"/m/{name}")
        for what, name, blob in steps:
            each = entry(f"/m/{name}", blob=blob)
            if what == "p":
                await on_disk.put(each)
                await memory.put(each)
            else:
                new = replace(each, blob="3") if what == "s" else None
                assert await on_disk.swap([(each, new)]) == await memory.swap([(each, new)])
        assert [await on_disk.get(f"/m/{n}") for n in "abc"] == [await memory.get(f"/m/{n}") for n in "abc"]
        assert await on_disk.page(Wanted(), "", 9) == await memory.page(Wanted(), "", 9)
