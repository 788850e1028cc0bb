"""Packages on a full disk: a file's digest stands in a page that cannot be stored, and it comes all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.python_mirror import CONFIG, Mirror
from tests.faults.volume import tmpfs
from tests.instruments.python_index import python_index
from tests.instruments.python_packages import Project, wheel
from tests.instruments.server import served


@pytest.mark.row(25)
def test_packages_that_were_never_asked_for_are_installed_from_a_full_disk(tmp_path: Path) -> None:
    """Seen red: a page that cannot be stored names no digests."""
    with tmpfs(tmp_path / "v", "size=32m") as volume, python_index("real") as index:
        config = CONFIG.format(upstream=index.simple, retries=0).replace("1MB", "10MB")
        with served(volume.folder, config + 'ttl = "0s"\n', 1) as server:
            mirror = Mirror(server, index)
            _, warm = index.single("warm")
            assert (mirror.page("warm").status, mirror.ask(mirror.place(warm)).body) == (200, warm.body)
            volume.fill()
            _, cold = index.single("cold", size=200_000)
            assert mirror.ask(mirror.place(cold)).body == cold.body
            assert [link.name for link in mirror.links("cold")] == [cold.name]
            newer = wheel("warm", "2.0")
            index.publish(Project("warm", (warm, newer)))
            assert mirror.ask(mirror.place(newer)).body == newer.body
            hit = mirror.ask(mirror.place(warm))
            assert (hit.body, hit["x-cache"]) == (warm.body, "HIT")
            assert "Traceback" not in server.log()
            volume.clear()
            assert mirror.ask(mirror.place(cold)).body == cold.body
            assert mirror.ask(mirror.place(cold))["x-cache"] == "HIT"
