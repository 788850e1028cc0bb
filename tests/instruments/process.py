"""The origin in a process of its own, so that its work does not come out of the measured process's time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from .log import Log, Record


class Abroad:
    """The other process, with the counters and switches of `Origin`; each call is one short blocking request to it."""

    def __init__(self, address: str, control: str, pid: int) -> None:
        self.address = address
        self.pid = pid
        self._control = urlsplit(control).netloc

    def url(self, target: str = "") -> str:
        return self.address + target

    @property
    def log(self) -> Log:
        return Log(
            Record(**record | {"headers": tuple(map(tuple, record["headers"]))})
            for record in self.state("/-log")["log"]
        )

    def requests(self, path: str | None = None) -> int:
        return self.log.requests(path)

    def sent(self, path: str | None = None) -> int:
        return self.log.sent(path)

    def bump(self, path: str) -> None:
        self.state(f"/-bump?path={quote(path)}")

    def release(self, path: str) -> None:
        self.state(f"/-release?path={quote(path)}")

    def forget(self) -> None:
        self.state("/-forget")

    def down(self) -> None:
        self.state("/-down")

    def up(self) -> None:
        self.state("/-up")

    def state(self, target: str = "/-") -> dict[str, Any]:
        """Asks for `target`: `open` and `peak` connections, `cpu` seconds used so far, and at `/-log` the `log`."""
        connection = HTTPConnection(self._control, timeout=30)
        try:
            connection.request("GET", target)
            state: dict[str, Any] = json.load(connection.getresponse())
            return state
        finally:
            connection.close()


@contextmanager
def origin_process(port: int = 0, *, module: str = "tests.instruments.origin") -> Iterator[Abroad]:
    """Starts an origin and stops it; it also stops by itself when its starter is gone (its standard input ends)."""
    command = [sys.executable, "-m", module, "--port", str(port), "--stdin"]
    pipe, root = subprocess.PIPE, Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root) as process:
        try:
            assert process.stdout
            yield Abroad(process.stdout.readline().strip(), process.stdout.readline().strip(), process.pid)
        finally:
            process.terminate()
            process.wait(10)
