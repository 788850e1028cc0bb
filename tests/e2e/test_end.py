"""How a server ends: downloads get their time, nothing looks complete that is not, and the exit code is 0."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.e2e.test_edge import FRESH, OK, asking, hear, parts
from tests.instruments.origin import origin_process
from tests.instruments.server import http_mirror, served


def was_reset(connection: socket.socket) -> bool:
    try:
        while connection.recv(1 << 20):
            pass
    except ConnectionResetError:
        return True
    return False


@pytest.mark.row(36, at="one that takes too long is reset, never cut without a sign; what came is kept; exit status 0")
def test_downloads_get_their_time_then_are_reset_and_what_came_is_kept(tmp_path: Path) -> None:
    """Seen red: what is cut off at the end is not reset."""
    config = 'drain = "3s"\n'
    with origin_process() as origin, served(tmp_path, config + http_mirror(origin.url())) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(asking(f"/o/obj/d/30000000?{FRESH}&rate=1000000").encode())
            connection.recv(1000)
            os.kill(server.pid, signal.SIGTERM)
            ready = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            ready.request("GET", "/-/ready")
            assert ready.getresponse().status == 503
            ready.close()
            assert parts(hear(server, asking(OK))[0])[0] == 503
            assert was_reset(connection)
        assert server.stop() == 0
        assert list((server.cache / "partial").glob("*.part"))
        assert "Traceback" not in server.log()


@pytest.mark.row(36, at="an idle server")
def test_an_idle_server_ends_at_once(tmp_path: Path) -> None:
    """Seen red: an idle server waits as well."""
    with served(tmp_path, http_mirror("http://127.0.0.1:9")) as server:
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 20
