"""What a start knows of the shares of mirrors: after which stop, and while it does not know yet."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mirror import shares as sharing
from mirror.errors import NoRoom, StoreError
from mirror.model import Entry
from mirror.stores import Stores, open_stores
from tests.contracts.on_disk import keep
from tests.contracts.samples import stored
from tests.contracts.test_disk_planted import blob_file
from tests.contracts.test_stores import LIMITS, crash, settled
from tests.contracts.test_stores_start import never

MB = 1_000_000
ONE = 53_248
"""Bytes on disk of a body of 50,000 with its footer."""

ROOM = 16_384
"""More that is reserved while it is made."""


async def started(path: Path, **shares: int) -> Stores:
    stores = open_stores(path, LIMITS, "none")
    stores.room.become(LIMITS, shares)
    await stores.start()
    return stores


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110  nobody is told
            await asyncio.sleep(0.001)


async def known(path: Path, **shares: int) -> Stores:
    """Stores that know all."""
    stores = await started(path, **shares)
    await settled(stores)
    await until(lambda: stores.room.whole and not stores.room.shares.unknown())
    return stores


async def put(stores: Stores, key: str) -> Entry:
    entry = await stored(stores.store, os.urandom(50_000), key, total=50_000)
    await stores.index.put(entry)
    return entry


async def filled(path: Path) -> dict[str, Entry]:
    """Three of /m/ and of /o/, used at the times 0 to 5; the cache is closed."""
    stores = await known(path)
    entries = {key: await put(stores, key) for key in ("/m/0", "/o/1", "/m/2", "/o/3", "/m/4", "/o/5")}
    for key, entry in entries.items():
        stores.store.touch(entry.blob, float(key[-1]))
    await stores.close()
    return entries


def there(path: Path, entries: dict[str, Entry]) -> list[str]:
    return [key for key, entry in entries.items() if blob_file(path, entry.blob).exists()]


async def test_what_stands_at_the_start_counts_and_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    entries = await filled(tmp_path)
    stores = await known(tmp_path, m=3 * ONE + ROOM)
    stores.store.touch(entries["/m/0"].blob, 9.0)
    await put(stores, "/m/6")
    assert there(tmp_path, entries) == ["/m/0", "/o/1", "/o/3", "/m/4", "/o/5"]
    assert await stores.index.get("/m/2") is None
    await stores.close()


async def test_after_a_kill_with_the_index_lost_the_order_is_known_again(tmp_path: Path) -> None:
    entries = await filled(tmp_path)
    await crash(await known(tmp_path))
    for path in (tmp_path / "index.v1").iterdir():
        path.unlink()
    stores = await known(tmp_path, m=3 * ONE + ROOM)
    assert stores.index.rebuilt
    for n in range(2):
        stores.store.touch((await put(stores, f"/m/new{n}")).blob, 9.0)
    assert there(tmp_path, entries) == ["/o/1", "/o/3", "/m/4", "/o/5"]
    await stores.close()


async def test_a_smaller_share_is_held_from_the_start_on(tmp_path: Path) -> None:
    entries = await filled(tmp_path)
    stores = await known(tmp_path, m=2 * ONE - 1)
    await until(lambda: there(tmp_path, entries) == ["/o/1", "/o/3", "/m/4", "/o/5"])
    await stores.close()


async def test_a_share_that_is_made_smaller_while_it_runs_is_held_soon(tmp_path: Path) -> None:
    entries = await filled(tmp_path)
    stores = await known(tmp_path)
    stores.store.touch(entries["/o/1"].blob, 9.0)
    stores.become(LIMITS, {"o": 2 * ONE + ROOM})
    await until(lambda: there(tmp_path, entries) == ["/m/0", "/o/1", "/m/2", "/m/4", "/o/5"])
    stores.become(LIMITS, {"o": ONE})
    await until(lambda: there(tmp_path, entries) == ["/m/0", "/o/1", "/m/2", "/m/4"])
    stores.become(LIMITS, {})
    for n in range(3):
        await put(stores, f"/o/new{n}")
    assert there(tmp_path, entries) == ["/m/0", "/o/1", "/m/2", "/m/4"]
    await stores.close()


async def test_kept_partials_count_and_are_evicted(tmp_path: Path) -> None:
    stores = await known(tmp_path)
    await keep(stores.store, "/m/part")
    await keep(stores.store, "/o/part")
    await stores.close()
    stores = await known(tmp_path, m=2 * ONE + ROOM)
    assert stores.room.shares.all["m"].recency.size == stores.room.stored // 2
    await put(stores, "/m/0")
    await put(stores, "/m/1")
    assert await stores.store.resume("/m/part") is None
    partial = await stores.store.resume("/o/part")
    assert partial is not None
    await partial.discard()
    await partial.close()
    await stores.close()


class TestWhileItIsCounted:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sharing, "PATIENCE", 0.01)

    @pytest.mark.parametrize("clean", [True, False])
    async def test_what_may_be_too_much_for_a_share_is_not_stored(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: bool
    ) -> None:
        entries = await filled(tmp_path)
        if not clean:
            await crash(await known(tmp_path))
        monkeypatch.setattr("mirror.stores.disk.count", never)
        stores = await started(tmp_path, m=4 * ONE, n=9 * MB)
        with pytest.raises(NoRoom, match="not known"):
            await put(stores, "/m/6")
        await put(stores, "/n/6")
        await put(stores, "/o/6")
        assert there(tmp_path, entries) == list(entries)
        await stores.close()


async def test_where_the_index_cannot_be_read_nothing_is_evicted_for_a_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "PATIENCE", 0.01)
    entries = await filled(tmp_path)
    stores = await known(tmp_path)

    async def broken(*_: object) -> None:
        raise StoreError("the index cannot be read")

    monkeypatch.setattr("mirror.stores.sharing.gathered", broken)
    stores.become(LIMITS, {"m": ONE})
    with pytest.raises(NoRoom, match="not known"):
        await put(stores, "/m/6")
    await put(stores, "/o/6")
    assert there(tmp_path, entries) == list(entries)
    await stores.close()
