"""The loads of bench/load.py, in small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.soak import soaked
from tests.instruments import storms
from tests.instruments.origin import origin_process
from tests.instruments.server import http_mirror, served
from tests.instruments.storms import Place

SMALL = 'max_size = "14MB"\nmin_free = "1MB"\ndurability = "none"'
LARGE = 'min_free = "1MB"\ndurability = "none"'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("storms")
    with origin_process() as origin, served(folder, http_mirror(origin.url(), LARGE)) as server:
        yield Place(server, origin)
        assert "Traceback" not in server.log()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Place]:
    """A cache with room for few."""
    with (
        origin_process() as origin,
        served(tmp_path, http_mirror(origin.url(), SMALL)) as server,
    ):
        yield Place(server, origin)


@pytest.mark.parametrize(
    ("storm", "size"),
    [
        pytest.param(storms.stalled_readers, 50, marks=pytest.mark.row(31), id="stalled readers"),
        pytest.param(storms.cancelled, 200, marks=pytest.mark.row(22), id="cancelled downloads"),
        pytest.param(storms.queries, 400, marks=pytest.mark.row(48), id="query strings"),
        pytest.param(storms.slow_object, 20, marks=pytest.mark.row(14), id="one slow object"),
        pytest.param(storms.revalidation, 50, marks=pytest.mark.row(23), id="revalidation"),
        pytest.param(storms.cold, 30, marks=pytest.mark.row(11), id="cold clients"),
    ],
)
async def test_it_stands(place: Place, storm: storms.Storm, size: int) -> None:
    """And has no more descriptors afterwards than before, less the kept ones of hot bodies.

    Seen red: under load, too, each request begins a fill of its own.
    """
    before = place.descriptors()
    assert await storm(place, size)
    assert await place.settled(before + 300) <= before + 300


@pytest.mark.row(32)
async def test_half_requests_are_ended(place: Place) -> None:
    """Seen red: a head has a minute."""
    await storms.slowloris(place, 20)


@pytest.mark.row(29)
async def test_who_reads_what_is_evicted_gets_all_of_it(small: Place) -> None:
    """Seen red: under load, too, a file is closed when it is evicted."""
    await storms.eviction(small, 20)


@pytest.mark.row(48)
async def test_a_scan_leaves_what_is_in_use(tmp_path: Path) -> None:
    """Seen red: over HTTP, too: what was used once is as good as what is in use."""
    config = SMALL.replace("14MB", "5MB")
    with origin_process() as origin, served(tmp_path, http_mirror(origin.url(), config)) as server:
        await storms.scan(Place(server, origin), 300)


@pytest.mark.row(36)
async def test_sigterm_truncates_nothing_silently(place: Place) -> None:
    """Seen red: a server that ends gives downloads no time."""
    await storms.sigterm(place, 20)


@pytest.mark.row(35, at="15 seconds; `python -m bench.soak --minutes 60` is the long form")
async def test_after_mixed_load_with_faults_all_comes_back(small: Place) -> None:
    """Seen red: a fill that failed is not taken out of the running ones; a body is stored with a byte changed."""
    assert await soaked(small, 0.25) == 0
    assert "Traceback" not in small.server.log()
