"""Other settings count for new requests; open answers go on, and the client before ends when the last of them does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from mirror import succession
from mirror.errors import ConfigError, Unavailable
from mirror.origin import Origin, OriginSettings
from tests.instruments.clock import eventually
from tests.origin.scripted import HELLO, RawOrigin, get


@pytest.fixture
async def raw() -> AsyncIterator[RawOrigin]:
    origin = RawOrigin()
    await origin.start()
    yield origin
    await origin.stop()


@pytest.fixture
async def origin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    monkeypatch.setattr(succession, "_LOOK_EVERY", 0.01)
    origin = Origin(OriginSettings())
    await origin.open()
    yield origin
    await origin.close()


def clients(origin: Origin) -> list[httpx.AsyncClient]:
    return list(origin._shared._answers)


async def test_an_open_answer_goes_on_and_the_client_before_ends_after_it(origin: Origin, raw: RawOrigin) -> None:
    raw.scripts["/x"] = HELLO
    answer = await origin.fetch([f"{raw.url}/x"])
    (before,) = clients(origin)
    origin.prepare(OriginSettings(connect_timeout=1.0))()
    assert await get(origin, f"{raw.url}/x") == b"hello"
    assert not before.is_closed
    assert len(clients(origin)) == 2
    assert b"".join([chunk async for chunk in answer.chunks()]) == b"hello"
    await answer.aclose()
    await eventually(lambda: before.is_closed)
    assert len(clients(origin)) == 1
    assert await get(origin, f"{raw.url}/x") == b"hello"


async def test_so_does_a_request_whose_answer_has_not_begun(origin: Origin, raw: RawOrigin) -> None:
    raw.scripts["/x"] = b""
    raw.held.add("/x")
    asking = asyncio.ensure_future(origin.fetch([f"{raw.url}/x"]))
    await eventually(lambda: origin.in_use)
    (before,) = clients(origin)
    origin.prepare(OriginSettings())()
    await asyncio.sleep(0.05)  # several looks
    assert not before.is_closed
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await eventually(lambda: before.is_closed)


async def test_what_is_not_put_in_force_changes_nothing(origin: Origin, raw: RawOrigin) -> None:
    raw.scripts["/x"] = HELLO
    origin.prepare(OriginSettings(head_timeout=0.001))
    with pytest.raises(ConfigError):
        origin.prepare(OriginSettings(ca_file="/nowhere"))
    assert await get(origin, f"{raw.url}/x") == b"hello"
    assert len(clients(origin)) == 1


async def test_the_number_of_connections_is_the_new_one_for_an_upstream_that_is_known(
    origin: Origin, raw: RawOrigin
) -> None:
    raw.scripts["/x"] = HELLO
    answer = await origin.fetch([f"{raw.url}/x"])
    origin.prepare(OriginSettings(max_connections=1, max_waiting=0))()
    second = await origin.fetch([f"{raw.url}/x"])
    with pytest.raises(Unavailable):
        await origin.fetch([f"{raw.url}/x"])
    await answer.aclose()
    await second.aclose()
    assert origin.in_use == {}


async def test_an_end_waits_for_none_of_them(origin: Origin, raw: RawOrigin) -> None:
    raw.scripts["/x"] = HELLO
    answer = await origin.fetch([f"{raw.url}/x"])
    (before,) = clients(origin)
    origin.prepare(OriginSettings())()
    await origin.close()
    assert before.is_closed
    assert clients(origin) == []
    await answer.aclose()
