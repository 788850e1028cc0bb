"""Clients that ask all the time, on connections that they keep, and note whatever is not as it should be."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException


class Load:
    """`wanted`: (target, bytes of its body); `{n}` in a target is another number each time."""

    def __init__(self, port: int, wanted: Sequence[tuple[str, int]]) -> None:
        self.count = 0
        self.failures: list[str] = []
        self._port = port
        self._wanted = wanted
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._number = 0

    def _next(self) -> int:
        with self._lock:
            self._number += 1
            return self._number

    def ask(self) -> None:
        """One client, to the end."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=20)
        connection.connect()
        try:
            while not self._over.is_set():
                number = self._next()
                target, size = self._wanted[number % len(self._wanted)]
                connection.request("GET", target.replace("{n}", str(number)))
                answer = connection.getresponse()
                body = answer.read()
                if (answer.status, len(body)) != (200, size):
                    self.failures.append(f"{target}: {answer.status}, {len(body)} bytes: {body[:200]!r}")
                if answer.will_close:
                    self.failures.append(f"{target}: the connection does not stay")
                    return
                self.count += 1
        except (OSError, HTTPException) as exc:
            self.failures.append(f"{type(exc).__name__}: {exc}")
        finally:
            with suppress(OSError):
                connection.close()

    def stop(self) -> None:
        self._over.set()

    def some(self, more: int = 200) -> None:
        """Wait until so many more requests were answered."""
        enough = self.count + more
        while self.count < enough and not self.failures:
            self._over.wait(0.01)


@contextmanager
def load(port: int, wanted: Sequence[tuple[str, int]], clients: int = 8) -> Iterator[Load]:
    """So many clients at a port of this machine, until the end; AssertionError where one request failed."""
    asking = Load(port, wanted)
    threads = [threading.Thread(target=asking.ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield asking
    finally:
        asking.stop()
        for thread in threads:
            thread.join(30)
    assert asking.failures == []
    assert asking.count
