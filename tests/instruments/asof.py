"""A mirror behind a listener that keeps prepared replies, asked as of a day."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mirror.counters import Counters
from mirror.mounts import Mounts
from mirror.server.hot import Hot
from mirror.web.proxy import Proxy
from tests.conftest import World

from .both import NAMES, ask
from .gated import DAY, SIMPLE, House, house_of
from .listening import Listening, listening


def day(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).date().isoformat()


@dataclass
class Asked:
    """A house behind a listener that keeps prepared replies, asked as of a day that was 30 days ago."""

    house: House
    proxy: Proxy
    listener: Listening
    counters: Counters

    @property
    def date(self) -> str:
        return day(self.house.world.clock() - 30 * DAY)

    async def get(self, path: str, *fields: str, date: str | None = None) -> tuple[int, dict[str, str], bytes]:
        mount = f"/o@{self.date if date is None else date}" if date != "" else "/o"
        (answer,) = await self.listener.talk(ask(mount + path, *fields))
        await self.house.world.settled()
        head, _, text = answer.partition(b"\r\n\r\n")
        lines = [line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:]]
        return int(head.split()[1]), {name.lower(): value for name, value in lines}, text

    async def document(self, path: str = "", accept: str = "", date: str | None = None) -> dict[str, Any]:
        form = accept or (SIMPLE if self.house.pypi else "application/json")
        status, _, text = await self.get(path or self.house.page, f"accept: {form}", date=date)
        assert status == 200, text
        found: dict[str, Any] = json.loads(text)
        return found

    async def versions(self, date: str | None = None) -> list[str]:
        document = await self.document(date=date)
        return [*document["versions"]]

    def become(self, *advisories: dict[str, object], **policy: object) -> None:
        self.house.become(*advisories, **policy)
        mirrors = (self.house.world.mirror,)
        self.proxy.become(mirrors, NAMES, Mounts(mirrors))


async def asked_of(world: World) -> AsyncIterator[Asked]:
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(house_of(world))
        counters = Counters(["o"])
        proxy = Proxy(world.engine, (world.mirror,), NAMES, Mounts((world.mirror,)), world.clock, counters)
        listener = await stack.enter_async_context(listening(proxy, Hot(wall=world.clock)))
        yield Asked(house, proxy, listener, counters)
        proxy.close()
