"""What bench/transports.py asks of each transport: each probe says in a few words what happened."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from bench.transport.origin import BIG, PACKED


class Probes:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def body(self, path: str) -> bytes:
        async with self.client.stream("GET", path) as response:
            return b"".join([chunk async for chunk in response.aiter_raw()])

    async def outcome(self, path: str) -> str:
        try:
            return f"accepted: {(await self.body(path)).decode('latin-1')}"
        except Exception as exc:
            return f"raises {type(exc).__name__}"

    async def opened(self) -> int:
        """How many connections the origin has, the one that asks and idle ones among them."""
        return int(await self.body("/open"))

    async def left_open(self, before: int) -> int:
        """How many more it has half a second later than `before`: the rows do not inherit from each other."""
        await asyncio.sleep(0.5)
        return await self.opened() - before

    async def cancelled(self, path: str, rounds: int, after: float = 0.05) -> str:
        """Twenty downloads cancelled at a time: are cancellations lost, connections left, is the pool alive?"""
        before = await self.opened()
        descriptors, lost = len(os.listdir("/proc/self/fd")), 0
        for _ in range(rounds):
            tasks = [asyncio.create_task(self.body(path)) for _ in range(20)]
            await asyncio.sleep(after)
            lost += await self.cancel(tasks)
        try:
            async with asyncio.timeout(5):
                alive, left = await self.body("/hello") == b"hello", await self.left_open(before)
        except (TimeoutError, httpx.HTTPError) as exc:
            return f"**pool dead** ({type(exc).__name__}), {lost} cancellations lost"
        more = len(os.listdir("/proc/self/fd")) - descriptors
        return f"{'next request right' if alive else '**wrong**'}, {lost} lost, {left:+d} open, {more:+d} descriptors"

    async def cancel(self, tasks: list[asyncio.Task[bytes]]) -> int:
        for task in tasks:
            task.cancel()
        _, pending = await asyncio.wait(tasks, timeout=1)
        for task in pending:
            task.cancel()
        await asyncio.wait(tasks)
        return len(pending) + sum(not task.cancelled() and task.exception() is None for task in tasks)

    async def extra(self) -> str:
        first, second = await self.outcome("/extra"), await self.outcome("/hello")
        return f"{first}, then {'right' if second.endswith('hello') else f'**{second}**'}"

    async def rested(self) -> str:
        first = await self.outcome("/late")
        await asyncio.sleep(0.2)
        second = await self.outcome("/hello")
        return f"{first}, then {'right' if second.endswith('hello') else f'**{second}**'}"

    async def broken(self) -> str:
        try:
            async with asyncio.timeout(3):
                return await self.outcome("/broken")
        except TimeoutError:
            return "**waits on** (3 s)"

    async def stall(self, path: str) -> str:
        before, started = await self.opened(), time.monotonic()
        head = "no head"
        try:
            async with asyncio.timeout(0.5), self.client.stream("GET", path) as response:
                head = f"head at {time.monotonic() - started:.2f} s"
                async for _ in response.aiter_raw():
                    pass
        except TimeoutError:
            pass
        out = time.monotonic() - started
        return f"{head}, out at {out:.2f} s, {await self.left_open(before):+d} open"

    async def slow(self) -> str:
        """A huge body read for ten seconds with pauses: does memory stay flat?"""
        before, most, got, end = memory(), 0.0, 0, time.monotonic() + 10
        async with self.client.stream("GET", f"/bytes/{BIG}") as response:
            async for chunk in response.aiter_raw():
                got += len(chunk)
                await asyncio.sleep(0.02)
                most = max(most, memory() - before)
                if time.monotonic() > end:
                    break
        return f"{most:+.1f} MiB while {got >> 20} MiB were read"

    async def gzip(self) -> str:
        body = await self.body("/gzip")
        return "raw" if body == PACKED else "**decoded**" if body == b"hello" * 100 else "**neither raw nor decoded**"

    async def latin(self) -> str:
        try:
            async with self.client.stream("GET", "/latin") as response:
                return "kept" if "x-name" in response.headers else "field dropped"
        except Exception as exc:
            return f"**answer lost** ({type(exc).__name__})"


def memory() -> float:
    """This process's resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


async def faults(client: httpx.AsyncClient) -> None:
    probes = Probes(client)
    calls: dict[str, Callable[[], Awaitable[str]]] = {
        "3 GB body, slow reader": probes.slow,
        "body shorter than Content-Length": lambda: probes.outcome("/short"),
        "chunk cut": lambda: probes.outcome("/cut"),
        "chunked without terminator": lambda: probes.outcome("/unterminated"),
        "close-delimited": lambda: probes.outcome("/close"),
        "bytes after Content-Length": probes.extra,
        "chunk that cannot be parsed, later": probes.broken,
        "reset in a close-delimited body": lambda: probes.outcome("/reset"),
        "Content-Length and Transfer-Encoding": lambda: probes.outcome("/both"),
        "103 first": lambda: probes.outcome("/hints"),
        "body labelled gzip": probes.gzip,
        "field that is not ASCII": probes.latin,
        "stall in the head, caller's timeout 0.5 s": lambda: probes.stall("/silent"),
        "stall in the body, caller's timeout 0.5 s": lambda: probes.stall("/stalled"),
        "300 cancelled in a stalled body": lambda: probes.cancelled("/started", 15),
        "300 cancelled while bytes come": lambda: probes.cancelled(f"/bytes/{BIG}", 15, after=0.03),
        "300 cancelled while they begin": lambda: probes.cancelled(f"/bytes/{BIG}", 15, after=0.003),
        "40 cancelled before the head": lambda: probes.cancelled("/silent", 2),
        "an answer while the connection rests": probes.rested,  # the last: it may leave answers in the wrong order
    }
    for name, call in calls.items():
        print(json.dumps({name: await call()}), flush=True)
