"""No descriptor is closed twice: the second time it is that of whoever has got its number meanwhile."""

from __future__ import annotations

import asyncio
import os
import re
import select
import shutil
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.instruments.server import Served
from tests.instruments.storms import asking

UPSTREAMS = 60
"""Of each the first are asked until it is known to be broken."""

CLIENTS = 600


@contextmanager
def resetting() -> Iterator[int]:
    """A port of `UPSTREAMS` loopback addresses, from 127.0.0.2 on, at which connections are taken and reset at once."""

    def take() -> None:
        while ended not in (ready := select.select([ended, *listeners], [], [])[0]):
            for listener in ready:
                connection, _ = listener.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

    listeners = [socket.create_server(("127.0.0.2", 0), backlog=CLIENTS)]
    port = listeners[0].getsockname()[1]
    listeners += [socket.create_server((f"127.0.0.{number + 2}", port)) for number in range(1, UPSTREAMS)]
    ended, ending = socket.socketpair()
    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield port
    finally:
        ending.close()
        thread.join()
        for each in (ended, *listeners):
            each.close()


async def ask(port: int, number: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asking(f"/o{number % UPSTREAMS}/{number}"))
    status = int((await reader.readuntil(b"\r\n")).split()[1])
    writer.close()
    return status


async def test_connections_to_upstreams_that_end_while_they_are_made(tmp_path: Path) -> None:
    """Seen red: without `create_connection` in mirror/server/loop.py, in three runs of three."""
    trace, seen = shutil.which("strace"), tmp_path / "calls"
    if trace is None:
        pytest.skip("strace is not installed")
    with resetting() as port:
        mirrors = "".join(
            f'[mirrors.o{number}]\necosystem = "http"\nupstream = "http://127.0.0.{number + 2}:{port}"\n'
            for number in range(UPSTREAMS)
        )
        server = Served(tmp_path / "mirror", f'[cache]\nmin_free = "1MB"\n[upstream]\nretries = 0\n{mirrors}', 1)
        server.program = [trace, "-f", "-qq", "-Z", "-e", "trace=close", "-o", str(seen), *server.program]
        server.start()
        (pid,) = server.workers()  # of strace: the server
        try:
            async with asyncio.timeout(100):
                answers = await asyncio.gather(*(ask(server.port, number) for number in range(CLIENTS)))
        finally:
            os.kill(pid, signal.SIGTERM)
            server.stop()
    assert set(answers) <= {502, 503}
    assert not re.findall(r"close\(\d+\).*EBADF", seen.read_text())
    assert "Traceback" not in server.log()
