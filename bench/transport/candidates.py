"""The transports that bench/transports.py compares, by name, and what each costs."""

from __future__ import annotations

import json
import statistics
import sys
import time

import httpx

from bench.transport.probes import Probes


def transport(name: str) -> httpx.AsyncBaseTransport:
    """A new transport of that name, 20 connections at most where it can be told so; ImportError if it is missing."""
    limits = httpx.Limits(max_connections=20, max_keepalive_connections=20)
    if name == "httpcore":
        return httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
    if name == "httpx-aiohttp":
        from httpx_aiohttp import AiohttpTransport

        return AiohttpTransport(limits=limits, trust_env=False)
    if name == "pyreqwest":
        from pyreqwest.client import ClientBuilder
        from pyreqwest.compatibility.httpx import HttpxTransport

        builder = ClientBuilder().no_proxy().follow_redirects(False).gzip(False).brotli(False).zstd(False)
        return HttpxTransport(builder.deflate(False).build())
    from mirror import transport as ours

    if kib := name.partition("@")[2]:
        ours._READ_BUFFER = int(kib) << 10
    return ours.default_transport(ours.OriginSettings())


def available(names: list[str]) -> list[str]:
    found = []
    for name in names:
        try:
            transport(name)
            found.append(name)
        except ImportError as exc:
            print(f"left out: {name} ({exc})", file=sys.stderr)
    return found


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
