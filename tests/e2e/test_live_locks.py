"""Locks of many packages installed through a real server: as from the registries themselves, and then from disk alone.

Both come from the registries that this machine's own clients are set to.
"""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.e2e.live import CONFIG, needed, not_hits, unreachable
from tests.instruments.installs import LOCKS, install, lock
from tests.instruments.server import served

pytestmark = pytest.mark.timeout(600)

MOUNTS = {"pip": "/pypi/simple/", "npm": "/npm/", "apt": "/debian"}
FILES = {"pip": r"/pypi/files/\S+\.whl", "npm": r"/npm/\S+\.tgz", "apt": r"/debian/pool/\S+\.deb"}
LEAST = {"pip": ("*.dist-info/RECORD", 60), "npm": ("*/package.json", 300), "apt": ("*.deb", 40)}


@pytest.mark.live
@pytest.mark.parametrize("client", ["pip", "npm", "apt"])
def test_lock_installs_through_the_mirror_as_without_it_and_offline(client: str, tmp_path: Path) -> None:
    upstream = needed(client)
    direct = install(client, upstream if client == "apt" else None, tmp_path / "direct")
    pattern, least = LEAST[client]
    assert sum(fnmatch(name, pattern) for name in direct.files) >= least
    with served(tmp_path / "server", CONFIG) as server:
        address = server.url(MOUNTS[client])
        cold = install(client, address, tmp_path / "cold")
        with unreachable(server) as from_disk:
            offline = install(client, address, tmp_path / "offline")  # and so warm, too
    assert len([line for line in from_disk if re.search(FILES[client], line)]) >= least
    assert not_hits(from_disk) == []
    for mirrored in (cold, offline):
        assert mirrored.files == direct.files
        assert mirrored.locks == lock(client)


def test_locks_say_what_is_installed_and_not_where_it_comes_from() -> None:
    for path in LOCKS.iterdir():
        assert not re.search(r"://|\b[a-z0-9-]+\.(org|com|net|io|dev)\b", path.read_text()), path.name
