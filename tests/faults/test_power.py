"""A kill before and after each call that changes the disk, and power cuts in between: no wrong byte is given
afterwards, and what was stored durably is there."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mirror.evict import Limits
from mirror.model import Entry
from mirror.stores import Stores, open_stores
from mirror.stores.shelf import Durability
from tests.contracts.samples import note, read
from tests.instruments.calls import Calls, Cut, left, make

LIMITS = Limits(1 << 40, min_free=0)
KB = 1000
CHECKPOINT = 64 * KB
MARK = "index.then"
"""Beside the cache: its index as it was in the middle."""


def body_of(seed: str, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@dataclass
class Load:
    """What a store was given. `valid`: the bodies that a key may have; `acked`: after how many calls which body of a
    key was stored; None: that something else begins to take its place; `marked`: after how many calls the index was
    copied."""

    calls: Calls
    valid: dict[str, list[bytes]] = field(default_factory=dict)
    acked: list[tuple[int, str, bytes | None]] = field(default_factory=list)
    marked: int = 0

    def _now(self, key: str, body: bytes | None) -> None:
        self.acked.append((len(self.calls.made), key, body))

    async def store(self, stores: Stores, key: str, seed: str, size: int, age: int = 0, *, small: bool = False) -> None:
        """Store a body, in the place of what the key had."""
        body, older = body_of(seed, size), await stores.index.get(key)
        self.valid.setdefault(key, []).append(body)
        if older is not None:
            self._now(key, None)
        told = note(key, head=replace(note().head, received_at=float(age)))
        if small:
            entry = await stores.store.put(told, body)
        else:
            partial = stores.store.create(told)
            writer = partial.writer(0)
            for start in range(0, size, 20 * KB):
                writer.add(body[start : start + 20 * KB])
                await writer.drain(1 << 60)
            await writer.close()
            entry = await partial.commit(size, None)
            await partial.close()
        await stores.index.put(entry)
        self._now(key, body)
        if older is not None:
            await stores.store.delete(older.blob)

    async def begin(self, stores: Stores, key: str, size: int, count: int) -> None:
        """Keep the first `count` bytes of a download."""
        body = body_of(key, size)
        self.valid.setdefault(key, [body])
        partial = await stores.store.resume(key) or stores.store.create(note(key, total=size))
        start = partial.extents.end_of_run(0)
        writer = partial.writer(start)
        writer.add(body[start:count])
        await writer.close()
        await partial.keep()
        await partial.close()

    def wanted(self, count: int) -> dict[str, bytes]:
        """What must be there after so many calls."""
        found: dict[str, bytes | None] = {}
        for at, key, body in self.acked:
            if at <= count:
                found[key] = body
        return {key: body for key, body in found.items() if body is not None}


async def carry_out(root: Path, durability: Durability) -> Load:
    """A load that does all that changes files, recorded."""
    root.mkdir(mode=0o700)
    load = Load(Calls(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mirror.stores.partial.CHECKPOINT", CHECKPOINT)
        patch.setattr("mirror.stores.writer.BATCH", 16 * KB)
        load.calls.record(patch)
        stores = open_stores(root, LIMITS, durability)
        await stores.start()
        try:
            await _carry_out(load, stores, root)
        finally:
            await stores.close()
    return load


async def _carry_out(load: Load, stores: Stores, root: Path) -> None:
    for number in range(3):
        await load.store(stores, f"/m/s{number}", f"s{number}", 3 * KB + number, small=True)
    await load.begin(stores, "/m/kept", 300 * KB, 90 * KB)
    await load.store(stores, "/m/large", "large", 250 * KB)
    await load.store(stores, "/m/s0", "s0 again", 5 * KB, 1, small=True)
    await stores.index.scan().__anext__()  # type: ignore[attr-defined]  all rows are written then
    shutil.copytree(root / "index.v1", root.with_name(MARK))
    load.marked = len(load.calls.made)
    await load.begin(stores, "/m/kept", 300 * KB, 200 * KB)
    await asyncio.gather(*(load.store(stores, f"/m/g{n}", f"g{n}", 40 * KB + n, small=n % 2 == 0) for n in range(4)))
    await load.store(stores, "/m/large", "large again", 200 * KB, 1)
    await load.store(stores, "/m/s0", "s0 once more", 5 * KB, 2, small=True)


async def look(load: Load, root: Path, durability: Durability, wanted: dict[str, bytes], where: str) -> None:
    """Start on what is left: nothing wrong is given, and what is wanted is there."""
    stores = open_stores(root, LIMITS, durability)
    await stores.start()
    try:
        async with asyncio.timeout(60):
            while not stores._clean:  # noqa: ASYNC110  its end is told to nobody
                await asyncio.sleep(0.002)
        for key, valid in load.valid.items():
            entry = await stores.index.get(key)
            content = await _content(stores, entry) if entry is not None else None
            assert content is None or content in valid, f"{where}: {key} has wrong bytes"
            assert key not in wanted or content == wanted[key], f"{where}: {key} was stored and is lost"
            await _look_at_kept(stores, key, valid, where)
    finally:
        await stores.close()


async def _look_at_kept(stores: Stores, key: str, valid: list[bytes], where: str) -> None:
    partial = await stores.store.resume(key)
    if partial is not None:
        for start, end in partial.extents:
            there = b"".join([chunk async for chunk in partial.span(start, end).chunks()])
            assert any(there == body[start:end] for body in valid), (
                f"{where}: the download of {key} would go on with wrong bytes"
            )
        await partial.close()


async def _content(stores: Stores, entry: Entry) -> bytes | None:
    blob = await stores.store.open(entry.blob)
    if blob is None:
        return None
    try:
        content = await read(blob)
    finally:
        await blob.close()
    assert hashlib.sha256(content).hexdigest() == entry.digest
    return content


async def cut_at(load: Load, tmp_path: Path, count: int, cut: Cut, durability: Durability, dice: random.Random) -> None:
    """Cut after so many calls, and look; once with the index that there was in the middle, once without any."""
    folders, files = left(load.calls.made[:count], cut, dice)
    sure = durability == "full" or cut == "kill"
    root = tmp_path / "left"
    root.mkdir(mode=0o700)
    make(root, [f for f in folders if not f.startswith("index.v1")], files)
    if count >= load.marked and dice.random() < 0.5:
        shutil.copytree(tmp_path / MARK, root / "index.v1", dirs_exist_ok=True)
    await look(load, root, durability, load.wanted(count) if sure else {}, f"{cut} after call {count}, {durability}")
    shutil.rmtree(root)


@pytest.mark.row(1)
async def test_a_kill_before_and_after_each_sync_and_rename_loses_nothing(tmp_path: Path) -> None:
    """Seen red: after a kill, what has no row in the index is not found; a partial's note says more than is on disk."""
    load, dice = await carry_out(tmp_path / "cache", "full"), random.Random(1)
    points = [at for at, call in enumerate(load.calls.made) if call.what in ("sync", "sync folder", "rename")]
    assert len(points) > 30
    for count in sorted({*points, *(at + 1 for at in points)}):
        await cut_at(load, tmp_path, count, "kill", "full", dice)


@pytest.mark.row(2)
@pytest.mark.parametrize("durability", ["full", "data", "none"])
async def test_50_power_cuts_give_no_wrong_byte_and_lose_nothing_that_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    """Seen red: a blob is not synced, and its bytes are not looked at after the start; the folder of a new blob is not
    synced."""
    load, dice = await carry_out(tmp_path / "cache", durability), random.Random(2)
    monkeypatch.setattr("mirror.stores.shelf._boot", lambda: "the machine has started again")
    # With `clean` there stands the index as it was in the end, which is not recorded.
    end = next(at for at, call in enumerate(load.calls.made) if call.path == "clean")
    for number in range(50 if durability == "full" else 25):
        cut: Cut = "ordered" if number % 2 else "any"
        await cut_at(load, tmp_path, dice.randint(1, end), cut, durability, dice)
