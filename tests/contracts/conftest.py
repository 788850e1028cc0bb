"""Every contract test leaves as many descriptors as it found."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest


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
