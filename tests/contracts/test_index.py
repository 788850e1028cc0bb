"""What every index keeps to, and what the one on disk does besides."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror.changes import of_key
from mirror.model import Entry
from mirror.ports import Index
from mirror.stores.memory import MemoryIndex
from mirror.stores.sqlite import DiskcacheIndex
from tests.contracts.samples import entry, keys, reopened


@pytest.fixture(params=["disk", "memory"])
async def index(request: pytest.FixtureRequest, on_disk: DiskcacheIndex) -> Index:
    return on_disk if request.param == "disk" else MemoryIndex()


class TestEveryIndex:
    async def test_what_was_put_is_there(self, index: Index) -> None:
        assert await index.get("/m/a") is None
        await index.put(entry())
        assert await index.get("/m/a") == entry()

    async def test_it_tells_of_what_has_changed(self, index: Index) -> None:
        mark = index.changes.mark(of_key("/m/a"))
        await index.put(entry())
        assert index.changes.since(mark)
        mark = index.changes.mark(of_key("/m/a variant"))
        await index.delete("/m/a")
        assert index.changes.since(mark)
        assert not index.changes.since(index.changes.mark("/m/a"))

    async def test_the_newer_entry_replaces_the_older(self, index: Index) -> None:
        await index.put(entry(blob="old"))
        await index.put(entry(blob="new"))
        found = await index.get("/m/a")
        assert found is not None
        assert found.blob == "new"
        assert await keys(index) == ["/m/a"]

    async def test_what_was_deleted_is_gone(self, index: Index) -> None:
        await index.put(entry())
        await index.delete("/m/a")
        await index.delete("/m/never")
        assert await index.get("/m/a") is None
        assert await keys(index) == []

    async def test_what_was_deleted_can_be_put_again(self, index: Index) -> None:
        await index.put(entry(blob="old"))
        await index.delete("/m/a")
        await index.put(entry(blob="new"))
        assert await index.get("/m/a") == entry(blob="new")
        assert await keys(index) == ["/m/a"]

    async def test_what_stands_under_an_address_is_what_does_not_vary_and_then_its_variants(self, index: Index) -> None:
        for key in ("/m/a b=2", "/m/a", "/m/a b=1", "/m/a/b", "/m/a!", "/m/A"):
            await index.put(entry(key))
        assert [entry.key for entry in await index.under("/m/a")] == ["/m/a", "/m/a b=1", "/m/a b=2"]
        assert await index.under("/m/none") == []
        await index.delete("/m/a")
        await index.put(entry("/m/a b=0"))
        assert [entry.key for entry in await index.under("/m/a")] == ["/m/a b=0", "/m/a b=1", "/m/a b=2"]

    async def test_entries_and_the_bytes_of_their_bodies_are_summed_up_by_prefix(self, index: Index) -> None:
        for n, key in enumerate(("/m/a", "/m/a b=1", "/m/b", "/n/a")):
            await index.put(entry(key, size=10**n))
        assert await index.sums("/m/") == (3, 111)
        assert await index.sums("/n/") == (1, 1000)
        assert await index.sums("/o/") == (0, 0)
        await index.delete("/m/b")
        assert await index.sums("/m/") == (2, 11)

    async def test_a_prefix_means_its_characters_and_their_case(self, index: Index) -> None:
        for key in ("/m/a%_", "/m/aXY", "/M/a%_", "/m/a", "/m/a%_/b", "/m/b", "/m/a\U0010ffffz"):
            await index.put(entry(key))
        assert await keys(index, "/m/a%_") == ["/m/a%_", "/m/a%_/b"]
        assert await keys(index, "/M") == ["/M/a%_"]
        assert await keys(index, "/m/a\U0010ffff") == ["/m/a\U0010ffffz"]
        assert await keys(index, "/z") == []

    async def test_all_keys_come_in_order_and_in_batches(self, index: Index) -> None:
        expected = [f"/m/{n:04}" for n in range(1203)]
        for key in reversed(expected):
            await index.put(entry(key))
        batches = [[entry.key for entry in batch] async for batch in index.scan("/m/")]
        assert [len(batch) for batch in batches] == [500, 500, 203]
        assert [key for batch in batches for key in batch] == expected

    async def test_a_scan_is_complete_while_others_write(self, index: Index) -> None:
        expected = [f"/m/{n:04}" for n in range(1000)]
        for key in expected:
            await index.put(entry(key))
        seen = []
        async for batch in index.scan():
            seen += [entry.key for entry in batch]
            await index.delete(seen[0])
            await index.put(entry("/m/0000-new"))
        assert seen == expected

    async def test_a_batch_is_never_empty(self, index: Index) -> None:
        for n in range(500):
            await index.put(entry(f"/m/{n:04}"))
        assert [len(batch) async for batch in index.scan("/m/")] == [500]


class TestOnDisk:
    async def test_entries_outlive_the_process(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry())
        await on_disk.put(entry("/m/b"))
        await on_disk.delete("/m/b")
        again = await reopened(on_disk)
        assert await again.get("/m/a") == entry()
        assert await again.get("/m/b") is None
        assert not again.rebuilt
        await again.close()
        await again.close()

    @pytest.mark.row(34, at="a hot hit and a new entry wait for no disk")
    async def test_a_hot_entry_needs_no_thread(self, on_disk: DiskcacheIndex) -> None:
        """Seen red: a hot entry is read from the database."""
        await on_disk.put(entry())
        reading = on_disk.get("/m/a")
        with pytest.raises(StopIteration) as ended:
            reading.send(None)  # to its end without waiting for anything
        assert ended.value.value == entry()

    async def test_that_there_is_nothing_needs_no_thread_either_the_second_time(self, on_disk: DiskcacheIndex) -> None:
        assert await on_disk.under("/m/a") == []
        with pytest.raises(StopIteration) as ended:
            on_disk.under("/m/a").send(None)
        assert ended.value.value == []

    async def test_once_it_knows_all_that_is_stored_it_looks_for_nothing_that_is_not(
        self, on_disk: DiskcacheIndex
    ) -> None:
        await on_disk.put(entry("/m/a"))
        await on_disk.put(entry("/m/v a=1"))
        again = await reopened(on_disk)
        await again.survey()
        with pytest.raises(StopIteration) as ended:
            again.under("/m/none").send(None)
        assert ended.value.value == []
        assert await again.get("/m/a") == entry("/m/a")
        assert await again.under("/m/v") == [entry("/m/v a=1")]
        await again.put(entry("/m/none"))
        again._hot.clear()
        assert await again.get("/m/none") == entry("/m/none")
        await again.close()

    @pytest.mark.row(34, at="a hot hit and a new entry wait for no disk")
    async def test_what_is_new_waits_for_no_thread_and_is_written_with_others(self, on_disk: DiskcacheIndex) -> None:
        """Seen red: a new entry waits for the database."""
        for n in range(3):
            assert await on_disk.get(f"/m/{n}") is None
            with pytest.raises(StopIteration):
                on_disk.put(entry(f"/m/{n}")).send(None)
        again = await reopened(on_disk)
        assert await keys(again) == ["/m/0", "/m/1", "/m/2"]
        await again.close()

    async def test_what_replaces_or_deletes_is_written_when_that_returns(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry(blob="old"))
        other = DiskcacheIndex(on_disk._path)
        await other.start()
        assert await other.get("/m/a") == entry(blob="old")
        await on_disk.put(entry(blob="new"))
        assert [found.blob async for batch in other.scan() for found in batch] == ["new"]
        await on_disk.delete("/m/a")
        assert await keys(other) == []
        await other.close()

    async def test_what_is_not_written_yet_is_found_by_a_read(self, on_disk: DiskcacheIndex) -> None:
        assert await on_disk.get("/m/a") is None
        await on_disk.put(entry())
        on_disk._hot.clear()
        assert await on_disk.get("/m/a") == entry()

    async def test_a_key_that_no_database_takes_harms_no_other_that_is_written_with_it(
        self, on_disk: DiskcacheIndex
    ) -> None:
        await on_disk.survey()  # what is new is written later, together with others
        for key in ("/m/a", "/m/\udc80", "/m/b"):
            await on_disk.get(key)
            await on_disk.put(entry(key))
        assert len(on_disk._pending) == 3
        assert await keys(on_disk) == ["/m/a", "/m/b"]

    async def test_no_more_entries_are_in_memory_than_allowed(self, on_disk: DiskcacheIndex) -> None:
        again = await reopened(on_disk, hot=2)
        for key in ("/m/a", "/m/b", "/m/c"):
            await again.put(entry(key))
        await again.get("/m/b")
        await again.get("/m/a")
        assert list(again._hot) == ["/m/b", "/m/a"]
        assert await again.get("/m/c") == entry("/m/c")
        await again.close()

    async def test_a_read_that_is_overtaken_by_a_write_gives_the_newer_entry(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry(blob="old"))
        on_disk._hot.clear()
        reading = asyncio.create_task(on_disk.get("/m/a"))
        await asyncio.sleep(0)  # the read is on its way to the thread
        await on_disk.put(entry(blob="new"))
        assert await reading == entry(blob="new")
        assert await on_disk.get("/m/a") == entry(blob="new")

    async def test_a_read_that_is_overtaken_by_a_delete_brings_nothing_back(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry())
        on_disk._hot.clear()
        reading = asyncio.create_task(on_disk.get("/m/a"))
        await asyncio.sleep(0)
        await on_disk.delete("/m/a")
        assert await reading is None
        assert await on_disk.get("/m/a") is None

    async def test_the_size_on_disk_is_told(self, on_disk: DiskcacheIndex) -> None:
        before = on_disk.bytes_on_disk()
        for n in range(300):
            await on_disk.put(entry(f"/m/{n}", tags=("x" * 1000,)))
        assert on_disk.bytes_on_disk() >= before + 300_000

    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), text=st.text())
    async def test_any_text_is_kept_as_it_is(self, on_disk: DiskcacheIndex, key: str, text: str) -> None:
        await on_disk.put(entry(key, url=text, tags=(text,)))
        on_disk._hot.clear()
        assert await on_disk.get(key) == entry(key, url=text, tags=(text,))

    async def test_a_key_that_no_database_takes_is_no_error(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry("/m/\ud800"))
        on_disk._hot.clear()
        assert await on_disk.get("/m/\ud800") is None


def test_entries_are_frozen_so_that_memory_may_hand_them_out() -> None:
    with pytest.raises(AttributeError):
        entry().blob = "other"  # type: ignore[misc]
    assert isinstance(replace(entry(), blob="x"), Entry)
