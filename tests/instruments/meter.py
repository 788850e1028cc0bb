"""How long hits take, measured from a process of its own: `python -m tests.instruments.meter PORT TARGET`.

It says `begun`, asks again and again on one connection until its standard input ends, and prints count, median and
99th percentile (seconds).
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LEAST = 1000
"""Hits of which there are always so many."""

REST = 0.005
"""Seconds between two hits."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds."""

    count: int
    median: float
    p99: float


class Meter:
    """The other process, from its start to `end`. It comes before all others where this process may order that."""

    def __init__(self, port: int, target: str) -> None:
        command = [sys.executable, "-m", "tests.instruments.meter", str(port), target]
        pipe, root = subprocess.PIPE, Path(__file__).parents[2]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root)
        assert self._process.stdout
        assert self._process.stdout.readline() == "begun\n"

    def end(self) -> Figures:
        """What it has measured. AssertionError where a hit was none."""
        told, _ = self._process.communicate(timeout=120)
        assert self._process.returncode == 0, told
        count, median, p99 = told.split()
        return Figures(int(count), float(median), float(p99))


def _hit(connection: socket.socket, asked: bytes) -> float:
    """Seconds that one takes."""
    began, got = time.perf_counter(), b""
    connection.sendall(asked)
    while b"\r\n\r\n" not in got:
        got += _some(connection, 1 << 16)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    left = length - len(body)
    while left > 0:
        left -= len(_some(connection, left))
    return time.perf_counter() - began


def _some(connection: socket.socket, most: int) -> bytes:
    chunk = connection.recv(most)
    assert chunk, "the connection was ended"
    return chunk


def main() -> None:
    """See the module."""
    port, target = int(sys.argv[1]), sys.argv[2]
    with suppress(PermissionError):  # else what makes the load would be measured, too
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    asked, took = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        _hit(connection, asked)
        print("begun", flush=True)
        while len(took) < LEAST or not select.select([sys.stdin], [], [], 0)[0]:
            took.append(_hit(connection, asked))
            time.sleep(REST)
    took.sort()
    print(len(took), took[len(took) // 2], took[len(took) * 99 // 100])


if __name__ == "__main__":
    main()
