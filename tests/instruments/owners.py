"""Which process has a connection: as the kernel tells it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Self


class Kept:
    """A keep-alive connection to a server on loopback; `owner` is one of the given processes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.connect()

    def ask(self, target: str, method: str = "GET", body: bytes | None = None, **fields: str) -> tuple[str, bytes]:
        """X-Cache ("" without one) and the body."""
        answer = self.answer(target, method, body, **fields)
        return answer.getheader("x-cache", ""), answer.read()

    def answer(self, target: str, method: str = "GET", body: bytes | None = None, **fields: str) -> HTTPResponse:
        self._connection.request(method, target, body=body, headers=fields)
        return self._connection.getresponse()

    def send(self, data: bytes) -> None:
        self._connection.sock.sendall(data)

    def receive(self, count: int) -> bytes:
        """So many bytes, fewer at the end of the connection."""
        got = b""
        while len(got) < count and (more := self._connection.sock.recv(count - len(got))):
            got += more
        return got

    def owner(self, pids: Sequence[int]) -> int | None:
        """The process that has the other end, None while none of them has."""
        mine = self._connection.sock.getsockname()[1]
        inode = _inode(self._port, mine)
        return next((pid for pid in pids if inode and _has(pid, inode)), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _inode(local: int, remote: int) -> str:
    """Of the socket on loopback with these ports; "" where nobody has it."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ports = [int(end.rpartition(":")[2], 16) for end in fields[1:3]]
        if ports == [local, remote]:
            return fields[9] if fields[9] != "0" else ""
    return ""


def _has(pid: int, inode: str) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        return any(_points_at(f"{folder}/{name}", inode) for name in os.listdir(folder))
    except OSError:
        return False


def _points_at(path: str, inode: str) -> bool:
    try:
        return os.readlink(path) == f"socket:[{inode}]"
    except OSError:
        return False
