"""After an unclean stop: which blobs are adopted, which are removed, and what that leaves alone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from mirror.errors import StoreError
from mirror.model import Entry
from mirror.stores import open_stores
from mirror.stores.counting import Pace
from mirror.stores.ids import Ids
from mirror.stores.sqlite import DiskcacheIndex
from mirror.stores.sweeping import orphans, sweep
from tests.contracts.samples import entry, keys, stored
from tests.contracts.test_stores import LIMITS, crash, opened, settled
from tests.contracts.test_stores_start import counted, filled


class TestSweep:
    async def test_only_what_no_entry_points_at_is_opened(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await filled(tmp_path / "cache", *(f"/m/{n}" for n in range(5)))
        stores = await opened(tmp_path / "cache")
        await settled(stores)
        orphan = await stored(stores.store, key="/m/orphan")
        await crash(stores)
        for path in (tmp_path / "cache").glob("recent*"):
            path.unlink()  # these are looked at in any case
        stores = open_stores(tmp_path / "cache", LIMITS, "none")
        asked: list[str] = []
        plain = stores.store.entries
        monkeypatch.setattr(stores.store, "entries", lambda blobs: (asked.extend(blobs), plain(blobs))[1])
        await stores.start()
        await settled(stores)
        assert asked == [orphan.blob]
        assert len(await keys(stores.index)) == 6
        await stores.close()

    async def test_a_sweep_leaves_memory_and_open_files_to_the_requests(self, tmp_path: Path) -> None:
        await filled(tmp_path / "cache", *(f"/m/{n}" for n in range(50)))
        for path in (tmp_path / "cache" / "index.v1").iterdir():
            path.unlink()
        stores = await opened(tmp_path / "cache")
        await settled(stores)
        assert not stores.index._hot
        assert not stores.store._handles._kept
        assert len(await keys(stores.index)) == 50
        await stores.close()

    async def test_what_was_stored_since_and_is_not_in_the_index_yet_stays(self, tmp_path: Path) -> None:
        # 1. A fill commits the new body. 2. The sweep finds the older entry. 3. The fill puts the new one.
        await filled(tmp_path / "cache", "/m/a")
        stores = await opened(tmp_path / "cache")
        await counted(stores)
        new = await stored(stores.store)
        assert await sweep(stores.store, stores.index, [new.blob], Pace()) == (0, 0)
        await stores.index.put(new)
        opened_blob = await stores.store.open(new.blob)
        assert opened_blob is not None
        await opened_blob.close()
        await stores.close()

    @pytest.mark.parametrize("when", ["before it is found", "while it is adopted"])
    async def test_what_is_purged_meanwhile_does_not_come_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        await filled(tmp_path / "cache", "/m/a", "/m/b")
        for path in (*(tmp_path / "cache" / "index.v1").iterdir(), *(tmp_path / "cache").glob("recent*")):
            path.unlink()
        stores = open_stores(tmp_path / "cache", LIMITS, "none")
        plain = stores.index.adopt

        async def adopt(entries: list[Entry]) -> list[str]:
            if when == "while it is adopted":
                await stores.store.forget(lambda key: key == "/m/a")
            return await plain(entries)

        monkeypatch.setattr(DiskcacheIndex, "adopt", lambda _, entries: adopt(entries))
        await stores.start()
        if when == "before it is found":
            await stores.store.forget(lambda key: key == "/m/a")
        await settled(stores)
        assert await keys(stores.index) == ["/m/b"]
        assert len(stores.room.recency()) == 1
        await stores.close()

    async def test_what_was_evicted_meanwhile_is_not_told_as_removed(self, tmp_path: Path) -> None:
        blobs = await filled(tmp_path / "cache", "/m/a", "/m/b")
        stores = await opened(tmp_path / "cache")
        await counted(stores)
        assert stores.room.evict is not None
        await stores.room.evict(blobs[0])
        broken = tmp_path / "cache" / "blobs.v1" / blobs[1][:2] / blobs[1]
        broken.write_bytes(b"cut")
        assert await sweep(stores.store, stores.index, blobs, Pace()) == (0, 1)
        assert not broken.exists()
        await stores.close()

    async def test_what_is_asked_meanwhile_is_not_adopted(self, on_disk: DiskcacheIndex) -> None:
        await on_disk.put(entry("/m/row", blob="01"))
        on_disk._hot.clear()
        await on_disk.put(entry("/m/hot", blob="02"))
        held = threading.Event()
        waiting = on_disk._database.run(held.wait)
        await asyncio.sleep(0)
        adopting = asyncio.create_task(
            on_disk.adopt([entry(key, blob="ff") for key in ("/m/row", "/m/hot", "/m/late", "/m/new")])
        )
        await asyncio.sleep(0)
        putting = asyncio.create_task(on_disk.put(entry("/m/late", blob="03")))
        await asyncio.sleep(0)
        held.set()
        assert await adopting == ["01", "02", "03", "ff"]
        await asyncio.gather(waiting, putting)
        on_disk._hot.clear()
        assert [getattr(await on_disk.get(f"/m/{name}"), "blob", "") for name in ("late", "new")] == ["03", "ff"]

    async def test_an_index_that_refuses_adopts_nothing(self, on_disk: DiskcacheIndex) -> None:
        other = sqlite3.connect(on_disk._path / "cache.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError):
            await on_disk.adopt([entry()])
        other.execute("ROLLBACK")
        other.close()
        assert await on_disk.adopt([entry()]) == [entry().blob]

    async def test_orphans_are_told_from_what_is_referenced(self, on_disk: DiskcacheIndex) -> None:
        for n in range(1200):
            await on_disk.put(entry(f"/m/{n}", blob=f"{n * 0x3AF7_1234_5677:016x}", tags=('"blob":"0"', "\\")))
        there = [f"{n * 0x3AF7_1234_5677:016x}" for n in range(0, 2400, 3)]
        found = await orphans(on_disk, [*there, "00ff", "x" * 16, "0"], Pace())
        assert found == [*there[400:], "00ff", "x" * 16, "0"]


def test_what_is_no_id_is_referenced_by_nobody() -> None:
    referenced = Ids()
    for blob in ("", "00ff", "g" * 16, "ff" * 8, "00" * 8):
        referenced.add(blob)
    assert [blob in referenced for blob in ("00ff", "g" * 16, "ff" * 8, "00" * 8, "01" * 8)] == [
        False, False, True, True, False,
    ]  # fmt: skip
