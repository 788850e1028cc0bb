"""Requests without a prepared reply wait in line before they are parsed, and keep nobody waiting meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from uvicorn.server import ServerState

from mirror.server.hot import Hot, Kept
from mirror.server.limits import Limits
from mirror.server.protocol import MirrorProtocol
from mirror.server.run import Config
from mirror.turnstile import AT_ONCE
from tests.instruments.clock import eventually
from tests.instruments.transport import MemoryTransport
from tests.server.conftest import Application, head

HOT = head(target="/hot")


class Ready:
    """A prepared reply."""

    part, wire = None, b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhot"

    def ready(self, now: float) -> bool:
        return True

    def sent(self, client: str, now: float) -> None:
        return None


class Crowded:
    """Connections to one server, in memory; the first ones have asked for so much that a turn of the loop is full."""

    def __init__(self, application: Application, full: bool = True) -> None:
        self.application, self.state = application, ServerState()
        self.config = Config(application, hot=Hot(), http=MirrorProtocol, ws="none", lifespan="off", log_config=None,
                             server_header=False, date_header=False, proxy_headers=False)  # fmt: skip
        self.config.load()
        self.first = [self.client(head()) for _ in range(AT_ONCE if full else 0)]

    def client(self, *sent: bytes) -> tuple[MirrorProtocol, MemoryTransport]:
        protocol, wire = MirrorProtocol(self.config, self.state, {}), MemoryTransport()
        protocol.connection_made(wire)
        protocol._table[HOT] = cast(Kept, Ready())
        for data in sent:
            protocol.data_received(data)
        return protocol, wire


async def ends(wire: MemoryTransport, with_: bytes) -> None:
    await eventually(lambda: wire.written.endswith(with_))


def oks(wire: MemoryTransport) -> int:
    return wire.written.count(b"\r\n\r\nok")


async def test_those_of_a_storm_are_parsed_a_few_in_each_turn_and_a_hit_comes_before_them(
    application: Application,
) -> None:
    """Seen red: all sockets with something to read came before the hit, 100 of them 5 ms."""
    crowd = Crowded(application)
    clients = [crowd.client(head()) for _ in range(100)]
    _, hit = crowd.client(HOT)
    assert hit.written == Ready.wire
    assert [protocol._count for protocol, _ in crowd.first] == [1] * AT_ONCE
    assert [protocol._count for protocol, _ in clients] == [0] * 100
    for _, wire in clients:
        await ends(wire, b"\r\n\r\nok")
    assert application.asked == 100 + AT_ONCE


async def test_one_who_waits_for_nobody_is_parsed_at_once(application: Application) -> None:
    protocol, _ = Crowded(application, full=False).client(head())
    assert protocol._count == 1


async def test_who_leaves_the_line_is_not_parsed(application: Application) -> None:
    crowd = Crowded(application)
    protocol, wire = crowd.client(head())
    wire.close()
    protocol.connection_lost(None)
    _, last = crowd.client(head())
    await ends(last, b"\r\n\r\nok")
    assert (protocol._count, application.asked) == (0, AT_ONCE + 1)


async def test_what_is_prepared_does_not_overtake_what_came_before_it_on_its_connection(
    application: Application,
) -> None:
    """Seen red without the question whether one waits: the reply to the second request came first."""
    crowd = Crowded(application)
    for sent in ([head(), HOT], [head() + HOT], [HOT + head(), HOT]):
        _, wire = crowd.client(*sent)
        await ends(wire, b"hot")
        await eventually(lambda wire=wire: oks(wire) == 1)  # type: ignore[misc]
        assert wire.written.index(b"\r\n\r\nok") < wire.written.rindex(b"hot")


@pytest.mark.parametrize("sizes", [[5], [70_000, 5], [200_000, 200_000, 5]], ids=str)
async def test_what_comes_meanwhile_is_not_read_for_long_and_nothing_of_it_is_lost(
    application: Application, sizes: list[int]
) -> None:
    """Seen red: a client that sends a body fills the memory while it waits."""
    got: list[bytes] = []

    async def app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        more = True
        while more:
            message = await receive()
            got.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    crowd = Crowded(application)
    crowd.config.loaded_app = app
    protocol, wire = crowd.client(head(f"Content-Length: {sum(sizes)}", method="PUT"))
    for at, size in enumerate(sizes):
        assert not wire.paused
        protocol.data_received(bytes([size % 251]) * size)
        assert wire.paused or at
        await eventually(lambda: not wire.paused)
    await ends(wire, b"\r\n\r\nok")
    assert b"".join(got) == b"".join(bytes([size % 251]) * size for size in sizes)
    assert not wire.paused


async def test_it_waits_for_us_and_not_we_for_it(application: Application) -> None:
    """Seen red: a line of ten seconds would have ended with 408 for all who were left in it; a server that is about to
    end would not have waited for them."""
    protocol, wire = Crowded(application).client(head())
    assert protocol.answering
    for now in (0.0, Limits().head_time + 1):
        protocol.look(now)
    assert not wire.closed
    await ends(wire, b"\r\n\r\nok")
    await eventually(lambda: not protocol.answering)


async def test_a_head_in_pieces_waits_once_and_is_read_on(application: Application) -> None:
    """Seen red without `resume_reading` when its turn has come: the rest of the head was never read."""
    crowd = Crowded(application)
    protocol, wire = crowd.client(head()[:5], head()[5:9])
    assert wire.paused
    await eventually(lambda: protocol._in_head)
    assert not wire.paused
    for at in range(9, len(head())):
        protocol.data_received(head()[at : at + 1])
    assert protocol._count == 1
    await ends(wire, b"\r\n\r\nok")


async def test_what_is_no_request_is_refused_in_turn(application: Application) -> None:
    crowd = Crowded(application)
    _, wire = crowd.client(b"nonsense\r\n\r\n")
    assert not wire.written
    await eventually(lambda: wire.written.startswith(b"HTTP/1.1 400 "))
    await asyncio.sleep(0)
    assert application.asked == AT_ONCE
