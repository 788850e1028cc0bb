"""Replies that are prepared are refused as soon as policy, advisories or time say so; and how that looks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from mirror.mounts import Mounts
from mirror.server.hot import Hot
from mirror.web.proxy import Proxy
from tests.conftest import World
from tests.instruments.both import NAMES, ask
from tests.instruments.gated import SIMPLE, WEEK, House, body, house_of
from tests.instruments.listening import Listening, listening
from tests.policy.builders import advisory, exemption, rule

pytestmark = pytest.mark.row(51)

MAKE = Callable[..., World]


@dataclass
class Heated:
    """A house behind a listener that keeps prepared replies."""

    house: House
    proxy: Proxy
    listener: Listening

    async def heat(self, version: str, method: str = "GET") -> None:
        """Have a file asked for until its reply is prepared."""
        await self.get(version)  # a HEAD stores nothing
        for _ in range(4):
            assert (await self.get(version, method)).startswith(b"HTTP/1.1 200 ")
        assert len(self.listener.hot._order) == 1
        (kept,) = self.listener.hot._order.values()
        assert kept.ready(self.house.world.clock())

    async def get(self, version: str, method: str = "GET") -> bytes:
        (answer,) = await self.listener.talk(ask(f"/o{self.house.file(version)}", method=method))
        await self.house.world.settled()
        return answer

    def become(self, *advisories: dict[str, object], **policy: object) -> None:
        """As a reload does: the mirrors are others."""
        self.house.become(*advisories, **policy)
        mirrors = (self.house.world.mirror,)
        self.proxy.become(mirrors, NAMES, Mounts(mirrors))


@pytest.fixture(params=["pypi", "npm"])
async def heated(request: pytest.FixtureRequest, make_world: MAKE) -> AsyncIterator[Heated]:
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(house_of(make_world(ecosystem=request.param)))
        world = house.world
        proxy = Proxy(world.engine, (world.mirror,), NAMES, Mounts((world.mirror,)), world.clock)
        listener = await stack.enter_async_context(listening(proxy, Hot(wall=world.clock)))
        yield Heated(house, proxy, listener)
        proxy.close()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_policy_that_denies_it_ends_a_prepared_reply(heated: Heated, method: str) -> None:
    """FIELD T9, git-pkgs#358."""
    heated.become(min_age=WEEK)
    await heated.heat("1.16.0", method)
    heated.become(min_age=WEEK, deny=(rule("six"),))
    assert (await heated.get("1.16.0", method)).startswith(b"HTTP/1.1 403 ")


async def test_a_policy_where_there_was_none_does(heated: Heated) -> None:
    """PROTOCOLS G.2."""
    await heated.heat("1.17.0")
    heated.become(min_age=WEEK)
    assert (await heated.get("1.17.0")).startswith(b"HTTP/1.1 403 ")


async def test_an_advisory_that_makes_it_malicious_does(heated: Heated) -> None:
    heated.become(min_age=WEEK)
    await heated.heat("1.16.0")
    ecosystem = {"pypi": "PyPI", "npm": "npm"}[heated.house.world.ecosystem]
    heated.become(advisory("six", name="MAL-1", ecosystem=ecosystem, versions=["1.16.0"]), min_age=WEEK)
    assert b"MAL-1" in await heated.get("1.16.0")


async def test_the_end_of_an_exemption_does(heated: Heated) -> None:
    heated.become(min_age=WEEK, exempt=(exemption("six", until=heated.house.world.clock() + 3600),))
    await heated.heat("1.17.0")
    heated.house.world.clock.wind(3599)
    assert (await heated.get("1.17.0")).startswith(b"HTTP/1.1 200 ")
    heated.house.world.clock.wind(1)
    assert (await heated.get("1.17.0")).startswith(b"HTTP/1.1 403 ")


async def test_other_facts_do(heated: Heated) -> None:
    heated.become(min_age=WEEK)
    await heated.heat("1.16.0")
    heated.house.publish({"1.15.0": 800.0, "1.16.0": 2.0})
    heated.house.world.clock.wind(1000)
    await heated.house.versions()
    await heated.house.world.settled()
    assert (await heated.get("1.16.0")).startswith(b"HTTP/1.1 403 ")


async def test_what_is_said_of_another_package_does_not(heated: Heated) -> None:
    """Seen red: on a mirror that reads many indexes, nothing is prepared for long."""
    heated.become(min_age=WEEK)
    await heated.heat("1.16.0")
    (kept,) = heated.listener.hot._order.values()
    house = heated.house
    other = house.page.replace("six", "seven")
    page = (await house.world.get(house.page, "", accept=SIMPLE if house.pypi else "application/json")).body
    page = page.replace(b"six", b"seven").replace(b"/1.", b"/2.")
    house.world.origin.route(other, headers=[("content-type", SIMPLE if house.pypi else "application/json")], body=page)
    assert (await house.world.get(other, "")).reply.head.status == 200
    await house.world.settled()
    assert kept.ready(house.world.clock())


async def test_what_a_client_is_told(heated: Heated) -> None:
    """PROTOCOLS G.8, H.2: uv prints title and detail, npm prints error."""
    heated.become(min_age=WEEK)
    head, _, text = (await heated.get("1.17.0")).partition(b"\r\n\r\n")
    fields = {name.lower(): value for name, value in (line.split(b": ", 1) for line in head.split(b"\r\n")[1:])}
    told = json.loads(text)
    assert head.startswith(b"HTTP/1.1 403 ")
    assert fields[b"content-type"] == b"application/problem+json"
    assert fields[b"cache-control"] == b"no-store"
    assert (told["type"], told["title"], told["status"]) == ("about:blank", "Blocked by mirror policy", 403)
    assert told["detail"] == told["error"]
    assert told["detail"].startswith("six 1.17.0 is 2 days old; minimum age 7 days (policy 'cooldown')")
    assert body("1.17.0") not in text
