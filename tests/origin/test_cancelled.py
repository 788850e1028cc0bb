"""Requests given up at every point, hundreds of times, under both event loops: nothing of them stays."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop

from mirror.origin import Origin, OriginSettings
from tests.origin.scripted import RawOrigin, get

AT_ONCE, ROUNDS = 20, 15
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
Loop = Callable[[], asyncio.AbstractEventLoop]
BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n"


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def give_up(origin: Origin, url: str, begun: Callable[[asyncio.Semaphore], Awaitable[object]]) -> None:
    """Start AT_ONCE downloads, cancel them when `begun` says so; `begun` is given what each chunk releases."""
    chunks = asyncio.Semaphore(0)

    async def download() -> None:
        async with await origin.fetch([url]) as answer:
            async for _ in answer.chunks():
                chunks.release()

    tasks = [asyncio.create_task(download()) for _ in range(AT_ONCE)]
    await begun(chunks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)


async def scenario(script: bytes, arrive: Callable[[RawOrigin, int, asyncio.Semaphore], Awaitable[object]]) -> None:
    raw, origin = RawOrigin(), Origin(OriginSettings())
    await raw.start()
    await origin.open()
    raw.scripts |= {"/x": script, "/last": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"}
    raw.held.add("/x")
    assert await get(origin, raw.url + "/last") == b"hello"
    await raw.until(lambda: raw.open == 0)
    before = descriptors()
    for turn in range(1, ROUNDS + 1):

        async def begun(chunks: asyncio.Semaphore, turn: int = turn) -> None:
            await arrive(raw, turn, chunks)

        await give_up(origin, raw.url + "/x", begun)
        async with asyncio.timeout(10):
            await raw.until(lambda: raw.open == 0)
    await asyncio.sleep(0)
    assert descriptors() <= before
    assert origin.in_use == {}
    assert await get(origin, raw.url + "/hello") == b"hello"
    await origin.close()
    await raw.stop()


async def all_asked(raw: RawOrigin, turn: int, _: asyncio.Semaphore) -> None:
    await raw.until(lambda: len(raw.asked) == 1 + turn * AT_ONCE)


async def some_connected(raw: RawOrigin, turn: int, _: asyncio.Semaphore) -> None:
    """Some connections stand, others are on their way."""
    await raw.until(lambda: raw.open >= AT_ONCE // 2)


async def all_reading(_: RawOrigin, turn: int, chunks: asyncio.Semaphore) -> None:
    for _nth in range(AT_ONCE):
        await chunks.acquire()


@pytest.mark.row(
    22, at="300 fetches from an upstream given up, at each step from connecting to the body, under two event loops"
)
@LOOPS
@pytest.mark.parametrize(
    ("script", "arrive"),
    [
        pytest.param(b"", some_connected, id="while they connect"),
        pytest.param(b"", all_asked, id="before the head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", all_asked, id="in the head"),
        pytest.param(BEGUN + b"x" * 1000, all_asked, id="as the head comes"),
        pytest.param(BEGUN + b"x" * 100_000, all_reading, id="in a body that stalls"),
        pytest.param(BEGUN + b"x" * 9_999_998, all_reading, id="while bytes come"),
    ],
)
def test_three_hundred_given_up_leave_nothing_behind(
    loop: Loop, script: bytes, arrive: Callable[[RawOrigin, int, asyncio.Semaphore], Awaitable[object]]
) -> None:
    """Seen red: who gives up keeps a place among the upstream's connections."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario(script, arrive))


@pytest.mark.row(
    22, at="300 fetches from an upstream given up, at each step from connecting to the body, under two event loops"
)
@LOOPS
def test_given_up_while_no_connection_comes_about_they_leave_nothing_behind(loop: Loop) -> None:
    async def scenario(url: str) -> None:
        origin = Origin(OriginSettings())
        await origin.open()
        before = descriptors()

        async def connecting(_: asyncio.Semaphore) -> None:
            while descriptors() < before + AT_ONCE:  # noqa: ASYNC110 - a descriptor sets no event
                await asyncio.sleep(0)

        for _ in range(ROUNDS):
            await give_up(origin, url, connecting)
            await asyncio.sleep(0)
            assert descriptors() <= before
        await origin.close()

    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, asyncio.Runner(loop_factory=loop) as runner:
        filling = [socket.socket() for _ in range(4)]
        for each in filling:
            each.setblocking(False)
            with suppress(BlockingIOError):
                each.connect(full.getsockname())
        runner.run(scenario(f"http://127.0.0.1:{full.getsockname()[1]}/x"))
        for each in filling:
            each.close()


@pytest.mark.row(
    22, at="300 fetches from an upstream given up, at each step from connecting to the body, under two event loops"
)
@LOOPS
def test_given_up_under_tls_they_do_not_wait_for_the_origin_to_say_goodbye(loop: Loop, certificates: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificates / "server.pem", certificates / "server.key")

    async def scenario() -> None:
        raw, origin = RawOrigin(), Origin(OriginSettings(ca_file=str(certificates / "ca.pem")))
        await raw.start(tls)
        await origin.open()
        url = f"https://localhost:{raw.port}"
        raw.scripts |= {"/head": b"", "/body": BEGUN + b"x" * 100_000}
        raw.held |= {"/head", "/body"}

        async def reading(chunks: asyncio.Semaphore) -> None:
            for _ in range(AT_ONCE):
                await chunks.acquire()

        async def asking(_: asyncio.Semaphore) -> None:
            await raw.until(lambda: len(raw.asked) >= AT_ONCE)

        before = descriptors()
        for path, begun in (("/body", reading), ("/head", asking), ("/body", reading)):
            raw.asked.clear()
            await give_up(origin, url + path, begun)
            await asyncio.sleep(0)
            assert descriptors() <= before + AT_ONCE  # the origin's own
            async with asyncio.timeout(10):
                await raw.until(lambda: raw.open == 0)
        assert await get(origin, url + "/hello") == b"hello"
        await origin.close()
        await raw.stop()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())


@pytest.mark.row(
    22, at="300 fetches from an upstream given up, at each step from connecting to the body, under two event loops"
)
@LOOPS
def test_given_up_in_the_tls_handshake_they_leave_nothing_behind(loop: Loop) -> None:
    async def scenario() -> None:
        raw, origin = RawOrigin(), Origin(OriginSettings())
        await raw.start()
        await origin.open()
        before = descriptors()
        for _ in range(ROUNDS):

            async def shaking(_: asyncio.Semaphore) -> None:
                await raw.until(lambda: raw.open == AT_ONCE)

            await give_up(origin, f"https://localhost:{raw.port}/", shaking)
            async with asyncio.timeout(10):
                await raw.until(lambda: raw.open == 0)
        await asyncio.sleep(0)
        assert descriptors() <= before
        await origin.close()
        await raw.stop()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())
