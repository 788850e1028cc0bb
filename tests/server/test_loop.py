"""The event loop looks at its sockets again before all is done that is to be done."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from mirror.server.loop import TURN, Loop
from tests.instruments.clock import Clock


class Winding(Loop):
    """A loop whose clocks are wound by those that run; `heard` is what happened, in its order."""

    def __init__(self) -> None:
        self.wall, self.processor = Clock(1.0), Clock(1.0)
        super().__init__(self.wall, self.processor)
        self.heard: list[Any] = []

    def work(self, name: object, seconds: float = TURN) -> None:
        """Something that takes so long."""
        self.heard.append(name)
        self.wall.wind(seconds)
        self.processor.wind(seconds)


@pytest.fixture
def loop() -> Iterator[Winding]:
    winding = Winding()
    yield winding
    winding.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def run(loop: Winding) -> list[Any]:
    """What happens until all is done that was called by now."""
    loop.call_soon(loop.stop)
    loop.run_forever()
    return loop.heard


def listen(loop: Winding, pipe: tuple[int, int], times: int = 1, seconds: float = 0.0) -> None:
    """There is something at a socket, so many times, which takes so long each time."""

    def heard() -> None:
        os.read(pipe[0], 1)
        loop.work("a socket", seconds)

    os.write(pipe[1], b"x" * times)
    loop.add_reader(pipe[0], heard)


def test_what_is_called_soon_runs_in_its_order_whatever_calls_come_between(loop: Winding) -> None:
    """Seen red: with `pop` for `popleft`."""

    def first() -> None:
        loop.work("first", 0.0)
        loop.call_soon(loop.work, "called by the first", 0.0)

    loop.call_soon(first)
    loop.call_soon(loop.work, "second", 3 * TURN)
    loop.call_soon(loop.work, "third", 0.0)
    run(loop)
    assert run(loop) == ["first", "second", "third", "called by the first"]


def test_a_socket_is_looked_at_before_all_is_done(loop: Winding, pipe: tuple[int, int]) -> None:
    """Seen red: on uvloop's own loop, and without the `break`, it comes after all of them."""
    listen(loop, pipe)
    for n in range(100):
        loop.call_soon(loop.work, n)
    heard = run(loop)
    assert heard.index("a socket") <= 2
    assert [each for each in heard if each != "a socket"] == list(range(100))


def test_what_is_quick_does_not_wait_for_sockets(loop: Winding, pipe: tuple[int, int]) -> None:
    """Seen red: with one callback in each turn."""
    loop.call_soon(listen, loop, pipe)
    for n in range(10):
        loop.call_soon(loop.work, n, TURN / 20)
    loop.call_soon(loop.work, "long", 3 * TURN)
    loop.call_soon(loop.work, "after it", 0.0)
    assert run(loop) == [*range(10), "long", "a socket", "after it"]


def test_sockets_that_take_long_leave_as_much_to_the_others(loop: Winding, pipe: tuple[int, int]) -> None:
    """Clients whose hits keep the loop busy do not starve a miss. Seen red: with `TURN` alone."""
    listen(loop, pipe, times=2, seconds=10 * TURN)
    for n in range(40):
        loop.call_soon(loop.work, n)
    heard = run(loop)
    first, second = (at for at, each in enumerate(heard) if each == "a socket")
    assert second - first - 1 in (10, 11)


async def _raises() -> None:
    raise ValueError("told")


def test_tasks_and_their_errors_are_as_on_any_loop(loop: Winding) -> None:
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))

    def breaks() -> None:
        raise RuntimeError("a callback broke")

    async def main() -> list[Any]:
        asyncio.get_running_loop().call_soon(breaks)
        handle = asyncio.get_running_loop().call_soon(loop.heard.append, "called off")
        handle.cancel()
        await asyncio.sleep(0)
        return await asyncio.gather(_raises(), asyncio.sleep(0, "slept"), return_exceptions=True)

    broke, slept = loop.run_until_complete(main())
    assert (str(broke), slept) == ("told", "slept")
    assert [str(context["exception"]) for context in told] == ["a callback broke"]
    assert loop.heard == []


def test_after_an_exit_what_is_left_can_still_be_done(loop: Winding) -> None:
    """A server that cannot start ends its tasks after that. Seen red: without the `finally`, it waits for ever."""

    async def main() -> None:
        await asyncio.sleep(0)
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        loop.run_until_complete(main())
    assert loop.run_until_complete(asyncio.wait_for(asyncio.sleep(0, "done"), 5)) == "done"


def test_a_closed_loop_takes_nothing_more() -> None:
    """Seen red: without `close`, what is called then is never heard of again."""
    loop = Winding()
    loop.call_soon(loop.work, "never")
    loop.close()
    with pytest.raises(RuntimeError):
        loop.call_soon(loop.work, "never")
    assert loop.heard == []


def test_the_descriptor_of_a_connection_that_ends_at_once_is_closed_once(loop: Winding) -> None:
    """1. A socket becomes a connection. 2. It ends. 3. Who made it gets it. 4. The socket is forgotten.

    Seen red: without `create_connection`, the fourth closes what has got the number meanwhile.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sockets = [socket.create_connection(listener.getsockname())]
        number = sockets[0].fileno()
        peer, _ = listener.accept()

    class Ends(asyncio.Protocol):
        def connection_made(self, _: asyncio.BaseTransport) -> None:
            peer.close()
            for _ in range(20):  # before who waits for the connection
                loop.call_soon(loop.work, "something")

        def connection_lost(self, _: Exception | None) -> None:
            loop.heard.append("the end")

    async def connect() -> None:
        await loop.create_connection(Ends, sock=sockets.pop())
        loop.heard.append("the connection")

    loop.run_until_complete(connect())
    assert loop.heard.index("the end") < loop.heard.index("the connection")
    gc.collect()
    opened = [os.open(os.devnull, os.O_RDONLY)]
    while opened[-1] < number:
        opened.append(os.open(os.devnull, os.O_RDONLY))
    gc.collect()
    for fd in opened:
        os.close(fd)  # OSError where it is closed already
    assert number in opened


def test_a_socket_that_became_no_connection_is_still_its_owners(loop: Winding) -> None:
    """Seen red: where the socket is detached whatever happens."""
    ours, theirs = socket.socketpair()

    def none() -> asyncio.Protocol:
        raise ZeroDivisionError

    async def connect() -> None:
        with pytest.raises(ZeroDivisionError):
            await loop.create_connection(none, sock=ours)

    loop.run_until_complete(connect())
    assert ours.fileno() >= 0
    ours.close()
    theirs.close()
