"""Houses for the tests of the policy: a mirror of packages of which some are older than others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import World
from tests.instruments.gated import House, house_of


@pytest.fixture(params=["pypi", "npm"])
async def house(request: pytest.FixtureRequest, make_world: Callable[..., World]) -> AsyncIterator[House]:
    async with house_of(make_world(ecosystem=request.param)) as opened:
        yield opened


@pytest.fixture
async def python(make_world: Callable[..., World]) -> AsyncIterator[House]:
    async with house_of(make_world(ecosystem="pypi")) as opened:
        yield opened


@pytest.fixture
async def npm(make_world: Callable[..., World]) -> AsyncIterator[House]:
    async with house_of(make_world(ecosystem="npm")) as opened:
        yield opened
