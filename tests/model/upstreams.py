"""Two upstreams in memory that have the same versions of the same files, and fail as they are told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Literal

import httpx

from mirror.httpcache.fields import format_date
from tests.instruments import bodies

LIFE, GRACE, KEEP = 60, 20, 200
"""Seconds that an answer is fresh, may be served while it is renewed, and may be served instead of a failure."""

CHUNK = 40_000
SIZES = {"/tiny": 900, "/medium": 200_000, "/large": 600_000}
HOSTS = ("one.upstream.test", "two.upstream.test")
Mood = Literal["up", "down", "busy", "cut", "silent"]


def size(path: str, version: int) -> int:
    return SIZES[path] + 777 * version


def body(path: str, version: int) -> bytes:
    return bodies.body(f"{path}~{version}", 0, size(path, version))


@dataclass
class Upstreams(httpx.AsyncBaseTransport):
    """`versions`: when each version of a file appeared, by the wall clock `wall`. `pace`: seconds between chunks."""

    wall: Callable[[], float]
    pace: float = 0.0
    mood: dict[str, Mood] = field(default_factory=lambda: dict.fromkeys(HOSTS, "up"))
    versions: dict[str, list[float]] = field(default_factory=dict)
    well: dict[str, float] = field(default_factory=dict)  # since when each has not failed
    open: dict[int, tuple[str, float]] = field(default_factory=dict)  # running answers: path, begun
    asked: int = 0

    def __post_init__(self) -> None:
        self.versions = {path: [self.wall()] for path in SIZES}
        self.well = dict.fromkeys(HOSTS, self.wall() - 1000)

    def change(self, path: str) -> None:
        self.versions[path].append(self.wall())

    def gone(self, path: str, version: int) -> float:
        """When that version was replaced; infinity for the last one."""
        born = self.versions[path]
        return born[version + 1] if version + 1 < len(born) else float("inf")

    def failed(self, host: str) -> None:
        self.well[host] = self.wall()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, path = request.url.host, request.url.path
        self.asked += 1
        match self.mood[host]:
            case "down":
                self.failed(host)
                raise httpx.ConnectError("refused", request=request)
            case "busy":
                self.failed(host)
                return httpx.Response(503, content=b"busy", headers={"content-length": "4"})
            case "silent":
                self.failed(host)
                await asyncio.sleep(1000)
        return self._answer(request, host, path)

    def _answer(self, request: httpx.Request, host: str, path: str) -> httpx.Response:
        version = len(self.versions[path]) - 1
        whole, tag = body(path, version), f'"{version}"'
        fields = {"etag": tag, "date": format_date(self.wall()), "accept-ranges": "bytes"}
        fields["cache-control"] = f"max-age={LIFE}, stale-while-revalidate={GRACE}"
        if request.headers.get("if-none-match") == tag:
            return httpx.Response(304, headers=fields)
        start, end, status = 0, len(whole), 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if asked and request.headers.get("if-range", tag) == tag and int(asked[1]) < len(whole):
            start, end, status = int(asked[1]), min(len(whole), int(asked[2] or len(whole)) + bool(asked[2])), 206
            fields["content-range"] = f"bytes {start}-{end - 1}/{len(whole)}"
        fields["content-length"] = str(end - start)
        return httpx.Response(status, headers=fields, stream=_Stream(self, host, path, whole[start:end]))


class _Stream(httpx.AsyncByteStream):
    def __init__(self, upstreams: Upstreams, host: str, path: str, content: bytes) -> None:
        self._all, self._host, self._content = upstreams, host, content
        upstreams.open[id(self)] = path, upstreams.wall()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._content), CHUNK):
            await asyncio.sleep(self._all.pace)
            if self._all.mood[self._host] in ("cut", "down"):
                self._all.failed(self._host)
                raise httpx.ReadError("reset")
            yield self._content[at : at + CHUNK]

    async def aclose(self) -> None:
        self._all.open.pop(id(self), None)
