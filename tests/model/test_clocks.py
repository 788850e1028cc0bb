"""The wall clock jumps, stands still, and steps back in the middle of a download (row 39)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.httpcache.freshness import age
from tests.conftest import take
from tests.model.house import House
from tests.model.upstreams import body
from tests.model.virtual import VirtualLoop

YEARS = 10 * 365 * 86400.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    loop = VirtualLoop()
    made = House(loop, tmp_path / "home")
    made.home.mkdir()
    loop.do(made.start())
    yield made
    loop.do(made.quiet())
    loop.do(made.stop())
    made.end()
    loop.close()


@pytest.mark.row(39)
@pytest.mark.parametrize("step", [YEARS, -YEARS, -3600.0, -30.0])
def test_a_clock_that_jumps_in_mid_download_harms_no_byte_and_no_age(house: House, step: float) -> None:
    """Seen red: `max(0.0, now - head.received_at)` of `age` without its `max`."""
    house.upstreams.pace = 1.0

    async def jumping() -> None:
        reply = await house.ask("/large")
        reading = asyncio.create_task(take(reply))
        await asyncio.sleep(3)
        house.step += step
        got = await reading
        assert got.broke is None
        assert got.body == body("/large", 0)
        for wait in (0.0, 1.0, 100.0):
            await asyncio.sleep(wait)
            again = await house.ask("/large")
            assert age(again.head, house.wall()) >= 0
            assert (await take(again)).body == body("/large", 0)

    house.loop.do(jumping())
