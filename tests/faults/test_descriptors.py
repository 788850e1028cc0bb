"""A process that has no descriptors left: it stays, does not spin, and answers again as soon as it has some."""

from __future__ import annotations

import asyncio
import re
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from mirror.server.process import MOST
from tests.instruments.origin import origin_process
from tests.instruments.reader import read
from tests.instruments.server import Served, http_mirror, served

LIMIT = 256
FRESH = "cc=max-age=86400"


@contextmanager
def limited(folder: Path, config: str) -> Iterator[Served]:
    """A server that may have no more than so many descriptors."""
    server = Served(folder, config, 1)
    server.program = ["/bin/sh", "-c", f'ulimit -n {LIMIT}; exec "$0" "$@"', *server.program]
    server.start()
    try:
        yield server
    finally:
        assert server.stop() == 0


def health(connection: HTTPConnection) -> int:
    connection.request("GET", "/-/health")
    answer = connection.getresponse()
    answer.read()
    return answer.status


@pytest.mark.parametrize("workers", [1, 2])
def test_there_is_room_for_all_descriptors_from_the_start(tmp_path: Path, workers: int) -> None:
    """Where the system has to make it later, the event loop waits. Seen red: the table grows as it is needed."""
    with served(tmp_path, http_mirror("http://127.0.0.1:9"), workers) as server:
        for pid in server.workers() if workers > 1 else [server.pid]:
            room = re.search(r"^FDSize:\s+(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
            assert room
            assert int(room[1]) >= min(MOST, resource.prlimit(pid, resource.RLIMIT_NOFILE)[0])


@pytest.mark.row(28)
async def test_a_thousand_connections_to_a_server_with_256_descriptors(tmp_path: Path) -> None:
    """Seen red: a server ends where its descriptors come to an end; a server spins where its descriptors come to an
    end."""
    with origin_process() as origin, limited(tmp_path, http_mirror(origin.url())) as server:
        url = server.url(f"/o/obj/hit/50000?{FRESH}")
        assert (await read(url, seed="hit", size=50_000)).verdict == "ok"
        with closing(server.connect()) as before, ExitStack() as stack:
            assert health(before) == 200
            for _ in range(1000):
                one = socket.socket()
                stack.callback(one.close)
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", server.port))
            await asyncio.sleep(1)  # another process: it can only be looked at
            used = server.cpu()
            await asyncio.sleep(2)
            assert server.cpu() - used < 0.4, "it spins"
            assert health(before) == 200, "who is connected is answered"
        deadline = time.monotonic() + 15
        answered = False
        while not answered and time.monotonic() < deadline:
            try:
                with closing(server.connect()) as connection:
                    answered = health(connection) == 200
            except (OSError, HTTPException):
                await asyncio.sleep(0.1)
        assert answered
        hit = await read(url, seed="hit", size=50_000)
        assert (hit.verdict, hit.headers.get("x-cache")) == ("ok", "HIT")
        assert (await read(server.url(f"/o/obj/new/50000?{FRESH}"), seed="new", size=50_000)).verdict == "ok"
        log = server.log()
        assert len(log) < 20_000, log[-3000:]
