"""Compares transports for httpx.AsyncClient against a raw-socket origin on loopback: faults, then cost.

    python bench/transports.py [--rounds 5] [--transports httpcore,aiohttp,pyreqwest,mirror] [--loops asyncio,uvloop]

httpcore is httpx's own transport, aiohttp the package httpx-aiohttp, pyreqwest the transport that pyreqwest ships,
mirror ours (mirror/transport.py). What cannot be imported is left out, and named. Prints two Markdown tables. The
origin and each client are processes of their own; nothing but loopback is used; a run takes some four minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
BIG = 3_000_000_000
PACKED = gzip.compress(b"hello" * 100, mtime=0)  # two processes make it: no clock in it
SCRIPTS: dict[str, bytes] = {
    "hello": HELLO,
    "short": OK + b"Content-Length: 50\r\n\r\nhello",
    "cut": OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
    "unterminated": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "close": OK + b"\r\nhello",
    "extra": HELLO + OK + b"Content-Length: 4\r\n\r\nEVIL",
    "both": OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "silent": b"",
    "stalled": OK + b"Content-Length: 50\r\n\r\nhello",
    "started": OK + b"Content-Length: 9999999\r\n\r\n" + b"x" * 100_000,
    "gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    "hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HELLO,
    "latin": OK + b"Content-Length: 5\r\nX-Name: caf\xe9\r\n\r\nhello",
}
KEPT = {"hello", "extra", "both", "gzip", "hints", "latin", "open"}
HELD = {"silent", "stalled", "started"}


# The origin


class RawOrigin:
    def __init__(self) -> None:
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await self.answer(reader, writer):
                pass
        self.open -= 1
        writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        what, _, size = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode().strip("/").partition("/")
        if what == "bytes":
            return await self.send(writer, int(size))
        count = str(self.open).encode()
        opened = OK + b"Content-Length: %d\r\n\r\n" % len(count) + count
        writer.write(opened if what == "open" else SCRIPTS[what])
        await writer.drain()
        if what in HELD:
            await reader.read()
        return what in KEPT

    async def send(self, writer: asyncio.StreamWriter, size: int) -> bool:
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % size)
        block = b"x" * min(size, 1 << 20)
        for start in range(0, size, len(block)):
            writer.write(block[: size - start])
            await writer.drain()
        return True


async def run_origin() -> None:
    server = await asyncio.start_server(RawOrigin().serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# The transports


def transport(name: str) -> httpx.AsyncBaseTransport:
    """A new transport of that name, 20 connections at most where it can be told so; ImportError if it is missing."""
    limits = httpx.Limits(max_connections=20, max_keepalive_connections=20)
    if name == "httpcore":
        return httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
    if name == "aiohttp":
        from httpx_aiohttp import AiohttpTransport

        return AiohttpTransport(limits=limits, trust_env=False)
    if name == "pyreqwest":
        from pyreqwest.client import ClientBuilder
        from pyreqwest.compatibility.httpx import HttpxTransport

        builder = ClientBuilder().no_proxy().follow_redirects(False).gzip(False).brotli(False).zstd(False)
        return HttpxTransport(builder.deflate(False).build())
    from mirror.transport import OriginSettings, default_transport

    return default_transport(OriginSettings())


def available(names: list[str]) -> list[str]:
    found = []
    for name in names:
        try:
            transport(name)
            found.append(name)
        except ImportError as exc:
            print(f"left out: {name} ({exc})", file=sys.stderr)
    return found


# The faults: each probe says in a few words what happened


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
    }
    for name, call in calls.items():
        print(json.dumps({name: await call()}), flush=True)


# The cost: processor time of the client process, all threads, and of the loop's thread alone


async def cost(client: httpx.AsyncClient) -> None:
    probes = Probes(client)
    await probes.body("/bytes/1024")
    await probes.body("/bytes/8388608")
    requests, mebibytes = 400, 128
    begun, looped = time.process_time(), time.thread_time()
    for _ in range(requests):
        await probes.body("/bytes/1024")
    small, small_loop = time.process_time() - begun, time.thread_time() - looped
    begun, looped, sizes = time.process_time(), time.thread_time(), []
    async with client.stream("GET", f"/bytes/{mebibytes << 20}") as response:
        sizes = [len(chunk) async for chunk in response.aiter_raw()]
    large, large_loop = time.process_time() - begun, time.thread_time() - looped
    result = {
        "us per request (1 KiB)": small / requests * 1e6,
        "of these in the loop's thread": small_loop / requests * 1e6,
        "ms per MiB": large / mebibytes * 1e3,
        "of these in the loop's thread ": large_loop / mebibytes * 1e3,
        "median chunk, KiB": statistics.median(sizes) / 1024,
        "largest chunk, KiB": max(sizes) / 1024,
    }
    print(json.dumps(result), flush=True)


async def run_client(name: str, port: int, task: str) -> None:
    async with httpx.AsyncClient(
        transport=transport(name), base_url=f"http://127.0.0.1:{port}", timeout=httpx.Timeout(30, pool=2)
    ) as client:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        await (faults if task == "faults" else cost)(client)


# The two tables


@contextlib.contextmanager
def origin() -> AsyncIterator[int]:  # type: ignore[misc]
    process = subprocess.Popen([sys.executable, __file__, "--role", "origin"], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())  # type: ignore[union-attr]
    finally:
        process.terminate()
        process.wait()


def ask(name: str, loop: str, task: str) -> dict[str, object]:
    with origin() as port:
        command = [sys.executable, __file__, "--role", task, "--transports", name, "--loops", loop, "--port", str(port)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired as exc:
            return reported((exc.stdout or b"").decode()) | {"process": "**hangs**"}
    fatal = next((line for line in done.stderr.splitlines() if line.startswith("Fatal")), f"status {done.returncode}")
    return reported(done.stdout) | ({"process": f"**dies**: {fatal}"} if done.returncode else {})


def reported(output: str) -> dict[str, object]:
    """The lines that a client process printed, one result each, as far as it came."""
    return {row: value for line in output.splitlines() for row, value in json.loads(line).items()}


def table(title: str, columns: dict[str, dict[str, object]]) -> None:
    rows = dict.fromkeys(row for column in columns.values() for row in column)
    print(f"\n| {title} | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for row in rows:
        print(f"| {row.strip()} | " + " | ".join(str(column.get(row, "-")) for column in columns.values()) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transports", default="httpcore,aiohttp,pyreqwest,mirror")
    parser.add_argument("--loops", default="asyncio,uvloop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--role", default="main", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role == "origin":
        asyncio.run(run_origin())
    elif given.role == "main":
        compare(available(given.transports.split(",")), given.loops.split(","), given.rounds)
    else:
        with runner(given.loops) as running:
            running.run(run_client(given.transports, given.port, given.role))


def runner(loop: str) -> asyncio.Runner:
    if loop == "asyncio":
        return asyncio.Runner()
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def compare(names: list[str], loops: list[str], rounds: int) -> None:
    for loop in loops:
        table(f"fault, {loop}", {name: ask(name, loop, "faults") for name in names})
    samples: dict[str, list[dict[str, object]]] = {f"{name}, {loop}": [] for loop in loops for name in names}
    for _ in range(rounds):  # interleaved, so that a busy minute hits all alike
        for column, found in samples.items():
            name, loop = column.split(", ")
            found.append(ask(name, loop, "cost"))
    table(f"cost, median of {rounds}", {column: medians(found) for column, found in samples.items()})


def medians(samples: list[dict[str, object]]) -> dict[str, object]:
    rows = [row for row in samples[0] if row != "process"]
    return {row: f"{statistics.median(float(str(each[row])) for each in samples if row in each):.3g}" for row in rows}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
