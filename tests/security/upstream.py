"""An upstream in threads that says whatever bytes a test wants said, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Said = bytes | Callable[[socket.socket, bytes], None]
"""Bytes, after which the connection is closed, or what speaks on the connection itself, having heard this head."""


def answer(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    """A response with these fields; its length is added."""
    head = "\r\n".join((f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "Connection: close", "", ""))
    return head.encode("latin-1") + body


class Upstream:
    """Says what stands in `says` under a path (without query), else 404; `asked` are the heads of all requests."""

    def __init__(self, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self.says: dict[str, Said] = {}
        self.asked: list[bytes] = []
        self._listener = listener
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def url(self, target: str = "") -> str:
        return f"http://127.0.0.1:{self.port}{target}"

    def requests(self, path: str) -> int:
        return sum(head.split()[1].partition(b"?")[0].decode() == path for head in self.asked)

    def close(self) -> None:
        with suppress(OSError):  # who waits in accept() is woken up
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, call: Callable[[], None]) -> None:
        thread = threading.Thread(target=call, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(30)
            self._start(lambda connection=connection: self._serve(connection))  # type: ignore[misc]

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(1 << 16)
                if not piece:
                    return
                head += piece
            self.asked.append(head)
            said = self.says.get(head.split()[1].partition(b"?")[0].decode(), answer(b"", status="404 Not Found"))
            if isinstance(said, bytes):
                connection.sendall(said)
            else:
                said(connection, head)


def endless(begin: bytes, piece: bytes, most: int) -> Said:
    """`begin`, and then `piece` again and again until the client leaves, or `most` bytes were said."""

    def say(connection: socket.socket, _: bytes) -> None:
        connection.sendall(begin)
        for _ in range(most // len(piece)):
            connection.sendall(piece)

    return say


@contextmanager
def upstream() -> Iterator[Upstream]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    opened = Upstream(listener)
    try:
        yield opened
    finally:
        opened.close()
