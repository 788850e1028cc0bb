"""One client has so many connections, and no more."""

from __future__ import annotations

import asyncio
import logging

import pytest

from mirror.server.crowd import Crowd
from mirror.server.hot import Hot
from tests.instruments.clock import Clock, eventually
from tests.instruments.listening import listening
from tests.server.conftest import Application, connected, head, ok, refused


def test_each_client_has_its_own_number_and_what_ends_makes_room() -> None:
    crowd = Crowd(2)
    assert [crowd.come("192.0.2.1") for _ in range(3)] == ["192.0.2.1", "192.0.2.1", None]
    assert crowd.come("192.0.2.2") == "192.0.2.2"
    crowd.left("192.0.2.1")
    assert crowd.come("192.0.2.1") == "192.0.2.1"
    for name in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        crowd.left(name)
    assert crowd._known == {}


def test_a_network_of_ipv6_is_one_client_and_a_mapped_address_its_own() -> None:
    crowd = Crowd(1)
    assert crowd.come("2001:db8:1:2::1")
    assert crowd.come("2001:db8:1:2:ffff::1") is None
    assert crowd.come("2001:db8:1:3::1")
    assert crowd.come("::ffff:192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "-", ""])
def test_this_machine_is_not_counted(address: str) -> None:
    crowd = Crowd(1)
    assert [crowd.come(address) for _ in range(3)] == ["", "", ""]


def test_none_is_any_number() -> None:
    crowd = Crowd(0)
    assert None not in [crowd.come("192.0.2.1") for _ in range(1000)]


def test_the_log_says_it_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    crowd = Crowd(1, clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            crowd.come("192.0.2.1")
        assert len(caplog.records) == 1
        clock.wind(61)
        crowd.come("192.0.2.1")
        assert len(caplog.records) == 2


async def test_one_too_many_is_refused_and_the_others_go_on(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirror.server.crowd._whose", lambda _: "192.0.2.1")
    async with listening(application, Hot(), crowd=Crowd(1)) as server:
        async with connected(server) as first:
            refusal = await asyncio.open_connection("127.0.0.1", server.port)
            await refused(refusal, 503)
            refusal[1].close()
            first[1].write(head())
            await ok(first)
        await eventually(lambda: not server.connections)
        async with connected(server) as next_one:
            next_one[1].write(head())
            await ok(next_one)
