"""Asks a cache one request at a time over one connection, and can look at every byte of the answer."""

from __future__ import annotations

import re
import socket
import time
from typing import Self

from bench.hit.cache import Cache
from tests.instruments import bodies

_ROOM = 1 << 20


class Asker:
    """A keep-alive connection to one cache; a body is read and thrown away."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._socket = socket.create_connection(("127.0.0.1", cache.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._room = bytearray(_ROOM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, target: str, fields: str = "", seed: str = "") -> bytes:
        """The head of the answer, which is 200 or 304, and whose body came whole; with `seed`: as that object is."""
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got:
            chunk = self._socket.recv(65536)
            assert chunk, (self._cache.name, target)
            got += chunk
        head, _, rest = got.partition(b"\r\n\r\n")
        assert head[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 304"), (self._cache.name, target, head)
        if head[9:12] == b"200":
            if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
                self._chunked(rest)
            else:
                self._counted(head, rest, seed)
        return head

    def timed(self, targets: list[str], fields: str = "") -> float:
        """Seconds that all these took, one after the other."""
        began = time.perf_counter()
        for target in targets:
            self.ask(target, fields)
        return time.perf_counter() - began

    def _counted(self, head: bytes, rest: bytes, seed: str) -> None:
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        assert length is not None, head
        self._check(seed, 0, rest)
        done, size = len(rest), int(length[1])
        while done < size:
            count = self._socket.recv_into(self._room, min(size - done, _ROOM))
            assert count, (self._cache.name, head)
            self._check(seed, done, memoryview(self._room)[:count])
            done += count

    def _chunked(self, rest: bytes) -> None:
        """To the end of the last chunk, which no other byte follows: nothing else was asked for."""
        while not rest.endswith(b"\r\n0\r\n\r\n"):
            chunk = self._socket.recv(_ROOM)
            assert chunk, self._cache.name
            rest = rest[-7:] + chunk

    def _check(self, seed: str, offset: int, got: bytes | memoryview) -> None:
        wrong = bodies.check(seed, offset, got) if seed else None
        assert wrong is None, (self._cache.name, seed, wrong)
