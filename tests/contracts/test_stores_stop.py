"""What a stop leaves, and when it is a clean one: then nobody looks for what the index does not know."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mirror.model import Fact
from mirror.stores import open_stores
from tests.contracts.samples import BODY, read, stored
from tests.contracts.test_stores import LIMITS, opened, settled


async def test_all_is_there_again_after_a_clean_stop(tmp_path: Path) -> None:
    stores = await opened(tmp_path / "cache")
    await settled(stores)
    known = await stored(stores.store)
    await stores.index.put(known)
    await stores.facts.put("m", "/s", "d", [Fact("/a")], 1e9)
    await stores.close()
    await stores.close()
    assert (tmp_path / "cache" / "clean").exists()

    stores = await opened(tmp_path / "cache")
    assert not (tmp_path / "cache" / "clean").exists()
    assert await stores.index.get("/m/a") == known
    assert await stores.facts.find("m", ["/s"], "/a") == Fact("/a", first_seen=1e9)
    blob = await stores.store.open(known.blob)
    assert blob is not None
    assert await read(blob) == BODY
    await blob.close()
    await stores.close()


async def test_a_stop_in_the_middle_of_the_sweep_is_no_clean_one(tmp_path: Path) -> None:
    stores = open_stores(tmp_path / "cache", LIMITS, "none")
    await stores.start()
    await stores.close()
    assert not (tmp_path / "cache" / "clean").exists()


@pytest.mark.row(36, at="what the index refuses is found at the next start")
@pytest.mark.parametrize("moment", ["before", "by the stop"])
async def test_a_stop_after_a_row_was_refused_is_no_clean_one(tmp_path: Path, moment: str) -> None:
    """Seen red: it is taken for one, and nobody finds the blob."""
    stores = await opened(tmp_path / "cache")
    await settled(stores)
    with closing(sqlite3.connect(tmp_path / "cache" / "index.v1" / "cache.db", isolation_level=None)) as database:
        database.execute("CREATE TRIGGER refused BEFORE INSERT ON Cache BEGIN SELECT RAISE(ABORT, 'no'); END")
        known = await stored(stores.store)
        if moment == "by the stop":
            assert await stores.index.get("/m/a") is None  # what is known to be new is not written at once
        await stores.index.put(known)
        if moment == "by the stop":
            await stores.close()
        database.execute("DROP TRIGGER refused")
    await stores.close()
    assert not (tmp_path / "cache" / "clean").exists()

    stores = await opened(tmp_path / "cache")
    await settled(stores)
    assert await stores.index.get("/m/a") == known
    await stores.close()
