"""Every contract test leaves as many descriptors as it found."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mirror.ports import BlobStore
from mirror.stores.sqlite import DiskcacheIndex
from tests.contracts.places import MOST, InMemory, OnDisk, Place


def descriptors() -> dict[str, str]:
    """Open descriptors of this process and where they point."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the one that listed them
            continue
    return found


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = descriptors()
    yield
    gc.collect()
    after = descriptors()
    assert len(after) <= len(before), {name: to for name, to in after.items() if before.get(name) != to}


@pytest.fixture
async def on_disk(tmp_path: Path) -> AsyncIterator[DiskcacheIndex]:
    index = DiskcacheIndex(tmp_path / "index.v1", timeout=0.05)
    await index.start()
    yield index
    await index.close()


@pytest.fixture(params=[OnDisk, InMemory])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    kept: Place = request.param(tmp_path)
    yield kept
    await kept.close()


@pytest.fixture
async def store(place: Place) -> BlobStore:
    return await place.open(MOST)
