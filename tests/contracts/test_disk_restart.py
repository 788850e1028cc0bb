"""What the store on disk finds again after a restart, and after a kill."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mirror.model import Entry
from mirror.stores.counting import Pace
from mirror.stores.disk import DiskStore
from mirror.stores.partial import FilePartial
from mirror.stores.sqlite import DiskcacheIndex
from mirror.stores.sweeping import sweep
from mirror.stores.writer import BATCH
from tests.contracts.on_disk import MB, disk, files, keep
from tests.contracts.samples import BODY, note, read, sha256, stored
from tests.instruments.clock import eventually


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DiskStore]:
    async with disk(tmp_path) as (opened, _):
        yield opened


class TestRestart:
    async def test_blobs_and_kept_partials_are_there_again(self, tmp_path: Path) -> None:
        async with disk(tmp_path) as (store, _):
            entry = await stored(store, key="/m/whole")
            await keep(store)
        async with disk(tmp_path) as (store, room):
            assert set(room.recency()) == {entry.blob, *(p.name for p in tmp_path.glob("partial/*.part"))}
            blob = await store.open(entry.blob)
            assert blob is not None
            assert await read(blob) == BODY
            await blob.close()
            partial = await store.resume("/m/a")
            assert partial is not None
            assert list(partial.extents) == [(0, 5000)]
            writer = partial.writer(5000)
            writer.add(BODY[5000:])
            await writer.close()
            assert (await partial.commit(len(BODY), sha256(BODY))).digest == sha256(BODY).value
            await partial.close()
            assert files(tmp_path / "partial") == []

    async def test_the_order_of_use_is_known_again(self, tmp_path: Path) -> None:
        async with disk(tmp_path) as (store, _):
            blobs = [(await stored(store, key=f"/m/{n}")).blob for n in range(3)]
            for at, blob in enumerate((blobs[1], blobs[2], blobs[0])):
                store.touch(blob, 2_000_000_000.0 + at)
        async with disk(tmp_path) as (_, room):
            assert room.recency() == [blobs[1], blobs[2], blobs[0]]

    @pytest.mark.row(48)
    async def test_what_was_used_again_is_known_again(self, tmp_path: Path) -> None:
        """Seen red: a restart forgets what was used again."""
        async with disk(tmp_path) as (store, _):
            blobs = [(await stored(store, key=f"/m/{n}")).blob for n in range(3)]
            store.touch(blobs[1], 1_000_000_000.0)  # long before the others were stored
        async with disk(tmp_path) as (_, room):
            assert room.recency()[2] == blobs[1]  # the others may be of one tick of the file system's clock
            assert [blob for blob in blobs if room.used_again(blob)] == [blobs[1]]

    async def test_only_one_partial_of_a_key_is_left(self, tmp_path: Path) -> None:
        async with disk(tmp_path) as (store, _):
            await keep(store)
            for path in list((tmp_path / "partial").iterdir()):
                path.with_name("copy" + path.suffix).write_bytes(path.read_bytes())
        async with disk(tmp_path):
            assert len(files(tmp_path / "partial")) == 2

    async def test_what_belongs_to_no_partial_is_removed(self, tmp_path: Path) -> None:
        async with disk(tmp_path):
            pass
        folder = tmp_path / "partial"
        (folder / "a.part").write_bytes(b"no note")
        (folder / "b.json").write_text("no body")
        (folder / "c.part").write_bytes(b"broken note")
        (folder / "c.json").write_text("{")
        (folder / "d.draft").touch()
        os.mkfifo(folder / "e.part")
        (folder / "f").mkdir()
        async with disk(tmp_path) as (store, room):
            assert files(folder) == []
            assert room.used == 0
            await stored(store)

    @pytest.mark.parametrize("how", ["shorter", "gone", "no note"])
    async def test_a_kept_partial_that_is_not_as_it_was_is_forgotten(self, tmp_path: Path, how: str) -> None:
        async with disk(tmp_path) as (store, room):
            await keep(store)
            (part,) = (tmp_path / "partial").glob("*.part")
            if how == "shorter":
                os.truncate(part, 4999)
            else:
                (part if how == "gone" else part.with_suffix(".json")).unlink()
            assert await store.resume("/m/a") is None
            assert files(tmp_path / "partial") == []
            assert room.used == 0

    async def test_a_digest_that_is_unknown_here_is_a_partial_less(self, tmp_path: Path) -> None:
        async with disk(tmp_path) as (store, _):
            await keep(store)
            (known,) = (tmp_path / "partial").glob("*.json")
            known.write_text(known.read_text().replace('"digest": null', '"digest": ["whirlpool-9", "00"]'))
            assert await store.resume("/m/a") is None


CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from mirror.evict import Limits, Room
from mirror.stores.counting import Pace
from mirror.stores.disk import DiskStore
from tests.contracts.samples import BODY, note
async def main():
    store = DiskStore(Path(sys.argv[1]), Room(Limits(1 << 40), free=lambda _: 1 << 50), "none")
    await store.start(); await store.count()
    partial = store.create(note(total=40_000_000))
    writer = partial.writer(0)
    for _ in range(int(sys.argv[2])):
        writer.add(bytes(1_000_000))
        await writer.drain(1 << 60)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def killed(path: Path, megabytes: int) -> None:
    """A process that writes so much of a download, and is killed before it commits."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, str(path), str(megabytes))
    assert await child.wait() == -9


class TestKilled:
    async def test_a_short_download_leaves_nothing_that_could_be_served(self, tmp_path: Path) -> None:
        await killed(tmp_path, 1)
        assert len(files(tmp_path)) == 1
        async with disk(tmp_path) as (store, room):
            assert await store.count() == []
            assert await store.resume("/m/a") is None
            assert files(tmp_path) == []
            assert room.used == 0

    async def test_a_long_one_is_gone_on_with_from_its_last_checkpoint(self, tmp_path: Path) -> None:
        await killed(tmp_path, 36)
        async with disk(tmp_path) as (store, _):
            partial = await store.resume("/m/a")
            assert partial is not None
            ((start, end),) = partial.extents
            assert start == 0
            assert end >= 16 * MB
            await partial.discard()
            await partial.close()

    @pytest.mark.parametrize("newest_first", [True, False])
    async def test_the_sweep_keeps_the_newest_blob_of_a_key_whatever_its_row_says(
        self, tmp_path: Path, newest_first: bool
    ) -> None:
        # 1. A row is written. 2. Another blob takes its place. 3. The server is killed before the new row is written.
        head = note().head
        async with disk(tmp_path) as (store, _):
            older = await store.put(note(), b"older")
            newer = await store.put(note(head=replace(head, received_at=head.received_at + 1)), b"newer")
        async with disk(tmp_path) as (store, _):
            index = DiskcacheIndex(tmp_path / "index.v1")
            await index.start()
            await index.put(older)
            index._hot.clear()  # which a restart does
            blobs = [newer.blob, older.blob] if newest_first else [older.blob, newer.blob]
            assert await sweep(store, index, blobs, Pace()) == (1, 1)
            assert await index.get("/m/a") == newer
            assert await store.open(older.blob) is None
            await index.close()

    async def test_what_was_kept_outlives_the_sweep_after_it(self, tmp_path: Path) -> None:
        async with disk(tmp_path) as (store, _):
            await keep(store)
            orphan = await stored(store, key="/m/orphan")
        async with disk(tmp_path) as (store, _):
            index = DiskcacheIndex(tmp_path / "index.v1")
            await index.start()
            assert await sweep(store, index, await store.count(), Pace()) == (1, 0)
            assert await index.get("/m/orphan") == orphan
            await index.close()
            partial = await store.resume("/m/a")
            assert partial is not None
            await partial.discard()
            await partial.close()


async def test_a_writer_that_is_cancelled_while_its_file_is_opened_gives_it_back(store: DiskStore) -> None:
    # 1. the writer is about to open its file; 2. closing it is cancelled; 3. the file opens.
    partial = store.create(note())
    held = threading.Event()
    threads = [asyncio.create_task(store.run(held.wait)) for _ in range(2)]
    writer = partial.writer(0)
    writer.add(bytes(2 * BATCH))
    for _ in range(10):
        await asyncio.sleep(0)
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.sleep(0)
    held.set()
    await asyncio.gather(*threads)
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert partial.extents.covers(0, 2 * BATCH)
    await partial.close()


async def test_what_came_while_a_checkpoint_was_made_is_noted_after_it(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. A checkpoint is on its way. 2. As much comes again, and then nothing more. Seen red: it is noted with the next
    write."""
    monkeypatch.setattr("mirror.stores.partial.CHECKPOINT", 1000)
    held, noted = threading.Event(), []
    plain = store._shelf.write_note

    def write_note(partial: FilePartial, extents: list[tuple[int, int]]) -> None:
        held.wait(20)
        plain(partial, extents)
        noted.append(extents)

    monkeypatch.setattr(store._shelf, "write_note", write_note)
    partial = store.create(note())
    writer = partial.writer(0)
    for end in (1000, 2500, 2600):
        writer.add(BODY[writer.written : end])
        await writer.drain(end)
    held.set()
    await eventually(lambda: len(noted) == 2)
    assert noted[-1] == [(0, 2600)]
    await writer.close()
    await partial.close()


async def test_the_entry_of_a_resumed_partial_is_its_notes(store: DiskStore) -> None:
    await keep(store, count=len(BODY))
    partial = await store.resume("/m/a")
    assert partial is not None
    entry = await partial.commit(len(BODY), sha256(BODY))
    await partial.close()
    assert isinstance(entry, Entry)
    assert (entry.head, entry.tags) == (note().head, note().tags)
