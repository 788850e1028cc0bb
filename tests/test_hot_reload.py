"""Where the rules become others, nothing that was prepared by the old ones is sent any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from mirror.mounts import Mounts
from tests.conftest import Halt, World
from tests.instruments.both import NAMES, OBJECT, Both, ask, both_of


@pytest.fixture
async def both(make_world: Callable[..., World]) -> AsyncIterator[Both]:
    async with both_of(make_world()) as opened:
        yield opened


def become(both: Both, ttl: float, *, forget: bool = True) -> None:
    mirrors = tuple(replace(mirror, ttl=ttl) for mirror in both.proxy._mirrors.values())
    both.proxy.become(mirrors, NAMES, Mounts(mirrors))
    if forget:
        both.world.engine.forget()


async def test_the_next_request_is_answered_by_the_new_ones(both: Both) -> None:
    await both.heat(ask(OBJECT))
    assert both.prepared == 1
    become(both, 7200.0)
    assert b"mirror; hit; ttl=7" in await both.same(ask(OBJECT))
    for _ in range(3):  # prepared anew
        assert b"mirror; hit; ttl=7" in await both.same(ask(OBJECT))


async def test_a_request_under_way_is_answered_by_the_old_ones_and_prepares_nothing(both: Both) -> None:
    await both.warm.talk(ask(OBJECT))
    await both.world.settled()
    halt = both.world.index.halt = Halt()
    asking = asyncio.ensure_future(both.warm.talk(ask(OBJECT)))
    await halt.reached.wait()
    become(both, 7200.0, forget=False)
    halt.over.set()
    (answer,) = await asking
    assert b"mirror; hit; ttl=7" not in answer
    assert both.prepared == 0
