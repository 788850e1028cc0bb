"""What a disk gets wrong, and what somebody plants: never a complete answer with a wrong byte, and fetched again."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from mirror.stores.blob import open_blob
from tests.instruments.origin import origin_process
from tests.instruments.reader import read
from tests.instruments.server import Served, http_mirror, served

FRESH = "cc=max-age=86400"
SIZES = (1, 700, 30_000, 200_000)
LARGE = 6_000_000


def objects() -> dict[str, int]:
    """Seeds and sizes of a hundred."""
    return {f"f{n}": LARGE + n if n % 25 == 24 else SIZES[n % 4] + n for n in range(100)}


async def fill(server: Served, wanted: dict[str, int]) -> None:
    for seed, size in wanted.items():
        assert (await read(server.url(f"/o/obj/{seed}/{size}?{FRESH}"), seed=seed, size=size)).verdict == "ok"


def blobs(server: Served) -> list[Path]:
    return sorted(path for path in (server.cache / "blobs.v1").rglob("*") if path.is_file())


def flip(path: Path, dice: random.Random) -> None:
    """A bit of the body, in place."""
    opened = open_blob(path)
    assert opened is not None
    os.close(opened[0])
    at, bit = dice.randrange(opened[1].size), 1 << dice.randrange(8)
    with path.open("r+b", buffering=0) as file:
        file.seek(at)
        byte = file.read(1)[0] ^ bit
        file.seek(at)
        file.write(bytes([byte]))


@pytest.mark.row(6)
async def test_a_bit_flipped_in_each_of_100_files_is_never_served_and_all_are_fetched_again(tmp_path: Path) -> None:
    """Seen red: without `Proofs.begin` in `DiskStore._opened`."""
    dice, wanted = random.Random(6), objects()
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url())) as server:
        await fill(server, wanted)
        server.stop()
        for path in blobs(server):
            flip(path, dice)
        server.start()
        asked = origin.requests()
        for seed, size in wanted.items():
            reading = await read(server.url(f"/o/obj/{seed}/{size}?{FRESH}"), seed=seed, size=size)
            if size < LARGE:
                assert reading.verdict == "ok", seed
            else:  # bytes before the flipped one may be out: it breaks off before its end
                assert reading.bytes_read < size, seed
                assert not reading.framed, seed
        await fill(server, wanted)
        assert origin.requests() - asked == len(wanted)


def _link(path: Path, secret: Path) -> None:
    path.unlink()
    path.symlink_to(secret)


def _hard_link(path: Path, secret: Path) -> None:
    path.unlink()
    os.link(secret, path)


def _fifo(path: Path, secret: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path, secret: Path) -> None:
    path.unlink()
    path.mkdir()


def _device(path: Path, secret: Path) -> None:
    path.unlink()
    os.mknod(path, 0o20600, os.makedev(1, 5))  # zeros without end


def _stranger(path: Path, secret: Path) -> None:
    """A whole blob, of another user: with other bytes, and all that belongs to them."""
    os.chown(path, 65534, 65534)


def _linked_blob(path: Path, secret: Path) -> None:
    """The blob itself by a link."""
    elsewhere = secret.with_name(path.name)
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def _cut(path: Path, secret: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path, secret: Path) -> None:
    os.truncate(path, 0)


def _zeros(path: Path, secret: Path) -> None:
    """As a power cut leaves it: the length is there, the bytes are not."""
    size = path.stat().st_size
    os.truncate(path, 0)
    os.truncate(path, size)


PLANTED = (_link, _hard_link, _fifo, _folder, _device, _stranger, _linked_blob, _cut, _empty, _zeros)


@pytest.mark.row(50)
@pytest.mark.row(6)
@pytest.mark.parametrize("running", [False, True], ids=["while it is stopped", "while it runs"])
async def test_what_is_planted_in_the_place_of_blobs_is_never_served(tmp_path: Path, running: bool) -> None:
    """Seen red: links in the cache are followed; files of other owners are believed."""
    if os.geteuid() != 0:
        pytest.skip("making devices and giving files away takes root")
    (secret := tmp_path / "secret").write_bytes(b"not for you" * 100)
    wanted = {f"p{n}": 5000 + n for n in range(len(PLANTED))}
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url())) as server:
        await fill(server, wanted)
        server.stop()
        if running:
            server.start()
        for path, plant in zip(blobs(server), PLANTED, strict=True):
            plant(path, secret)
        if not running:
            server.start()
        asked = origin.requests()
        await fill(server, wanted)
        await fill(server, wanted)
        assert origin.requests() - asked == len(wanted)
        assert secret.read_bytes() == b"not for you" * 100
