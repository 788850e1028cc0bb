"""The stream of events: what is told, how often, to how many, and that it ends at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mirror.errors import StoreError, Unavailable
from mirror.web.api.events import MOST, QUIET, Feed, Stream
from tests.instruments.clock import eventually


class Told:
    """What is told: `value`; a second passes when `step` is called."""

    def __init__(self) -> None:
        self.value: int | None = 1
        self.made = 0
        self.ending = False
        self.fails = False
        self._sleeping: list[asyncio.Future[None]] = []
        self._glances: list[asyncio.Future[None]] = []

    async def make(self) -> tuple[object, str] | None:
        self.made += 1
        if self.fails:
            raise StoreError("locked")
        return None if self.value is None else (self.value, f'{{"n":{self.value}}}')

    async def sleep(self, seconds: float) -> None:
        until: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._sleeping if seconds == 1.0 else self._glances).append(until)
        await until

    async def step(self) -> None:
        """A second passes."""
        await eventually(lambda: self._sleeping and self._glances)
        for until in self._sleeping + self._glances:
            if not until.done():
                until.set_result(None)
        self._sleeping, self._glances = [], []
        await eventually(lambda: self.ending or (self._sleeping and self._glances))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def feed(told: Told) -> AsyncIterator[Feed]:
    feed = Feed({"n": told.make}, lambda: told.ending, told.sleep)
    yield feed
    await feed.close()
    assert len(asyncio.all_tasks()) == 1


class Client:
    """One who listens to a Stream. `slow`: it takes nothing, until it is set."""

    def __init__(self, feed: Feed) -> None:
        self.sent: list[dict[str, Any]] = []
        self.leaving = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self.task = asyncio.create_task(Stream(feed)({"type": "http"}, self.receive, self.send))

    async def receive(self) -> dict[str, Any]:
        await self.leaving.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        await self.takes.wait()
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def ended(self) -> bool:
        return self.sent[-1] == {"type": "http.response.body", "body": b""}


async def test_what_changed_is_told_with_an_id_of_its_own(feed: Feed, told: Told) -> None:
    client = Client(feed)
    await eventually(lambda: b"data" in client.body)
    told.value = 2
    await told.step()
    await eventually(lambda: b'"n":2' in client.body)
    await told.step()  # nothing is new
    assert client.body == (b'retry: 2000\n\nevent: n\nid: 1\ndata: {"n":1}\n\nevent: n\nid: 2\ndata: {"n":2}\n\n')
    fields = dict(client.sent[0]["headers"])
    assert fields[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert fields[b"cache-control"] == b"no-store"
    client.leaving.set()
    await client.task


async def test_who_comes_later_begins_with_the_newest(feed: Feed, told: Told) -> None:
    first = Client(feed)
    await eventually(lambda: b"data" in first.body)
    second = Client(feed)
    await eventually(lambda: b"data" in second.body)
    assert told.made == 1
    for client in (first, second):
        client.leaving.set()
        await client.task


async def test_a_comment_says_that_a_quiet_connection_lives(feed: Feed, told: Told) -> None:
    client = Client(feed)
    await eventually(lambda: b"data" in client.body)
    for _ in range(int(QUIET) + 1):
        await told.step()
    await eventually(lambda: client.body.endswith(b"\n\n:\n\n"))
    assert client.body.count(b":\n\n") == 1
    client.leaving.set()
    await client.task


async def test_nothing_is_made_for_nobody(feed: Feed, told: Told) -> None:
    client = Client(feed)
    await eventually(lambda: b"data" in client.body)
    client.leaving.set()
    await client.task
    assert len(asyncio.all_tasks()) <= 3
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
    assert told.made == 1


async def test_a_slow_client_gets_the_newest_and_holds_up_nobody(feed: Feed, told: Told) -> None:
    slow, quick = Client(feed), Client(feed)
    await eventually(lambda: b"data" in slow.body and b"data" in quick.body)
    slow.takes.clear()
    for value in range(2, 50):
        told.value = value
        await told.step()
    await eventually(lambda: b'"n":49' in quick.body)
    slow.takes.set()
    await eventually(lambda: b'"n":49' in slow.body)
    assert slow.body.count(b"data") <= 3
    for client in (slow, quick):
        client.leaving.set()
        await client.task


async def test_all_streams_end_when_the_server_does(feed: Feed, told: Told) -> None:
    client = Client(feed)
    await eventually(lambda: b"data" in client.body)
    told.ending = True
    await told.step()
    await asyncio.wait_for(client.task, 10)
    assert client.ended
    late = Client(feed)
    await asyncio.wait_for(late.task, 10)
    assert late.ended
    assert b"data" not in late.body


async def test_a_client_that_takes_nothing_does_not_hold_up_the_end(feed: Feed, told: Told) -> None:
    client = Client(feed)
    await eventually(lambda: b"data" in client.body)
    client.takes.clear()
    told.value = 2
    await told.step()
    told.ending = True
    await told.step()
    await asyncio.wait_for(client.task, 10)
    assert not client.ended


async def test_no_more_than_so_many_listen(feed: Feed) -> None:
    clients = [Client(feed) for _ in range(MOST)]
    await eventually(lambda: all(client.sent for client in clients))
    with pytest.raises(Unavailable, match="50 listen"), feed.listen():
        pass
    clients[0].leaving.set()
    await clients[0].task
    with feed.listen():
        pass
    for client in clients[1:]:
        client.leaving.set()
        await client.task


async def test_a_locked_index_is_no_end(feed: Feed, told: Told) -> None:
    told.fails = True
    client = Client(feed)
    await told.step()
    told.fails = False
    await told.step()
    await eventually(lambda: b"data" in client.body)
    client.leaving.set()
    await client.task
