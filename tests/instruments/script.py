"""An origin that answers by a script, on raw sockets in threads: the next reply of each path, and what it was asked.

The first segment of a path names the script (`/a-case/more?x`), so that many tests can share one origin.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Self

from mirror.model import Headers

BODILESS = (204, 304)
_UNEXPECTED = b"HTTP/1.1 418 Not In The Script\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the origin sends: status, field lines and body, or the bytes of `raw` in place of it all.

    `framing` is length, chunked or close; `length` a Content-Length that is not the body's. `before` is sent in front
    (interim responses), `behind` after the body. `hold`: bytes of the body after which it waits for `Script.release`.
    `end` is what happens to the connection then: "" (kept), close or reset. `again`: for every further request, too.
    """

    status: int = 200
    fields: tuple[str, ...] = ()
    body: bytes = b"hello"
    reason: str = "Some Reason"
    framing: str = "length"
    length: int | None = None
    before: bytes = b""
    behind: bytes = b""
    hold: int | None = None
    end: str = ""
    raw: bytes | None = None
    again: bool = False

    def parts(self, method: str) -> tuple[bytes, bytes]:
        """The bytes to send to such a request: those before the hold, and those behind it."""
        if self.raw is not None:
            return self.raw, b""
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *self.fields]
        if self.framing == "length" and self.status not in BODILESS:
            lines.append(f"Content-Length: {len(self.body) if self.length is None else self.length}")
        lines += ["Transfer-Encoding: chunked"] if self.framing == "chunked" else []
        head = self.before + "\r\n".join((*lines, "", "")).encode("latin-1")
        body = b"" if method == "HEAD" or self.status in BODILESS else self.body
        if self.framing == "chunked" and method != "HEAD":
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        first = len(body) if self.hold is None else self.hold
        return head + body[:first], body[first:] + self.behind


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came: its head byte for byte, and its body without the framing."""

    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ")[0].decode()

    @property
    def target(self) -> str:
        return self.head.split(b" ")[1].decode()

    @property
    def fields(self) -> Headers:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return Headers.of((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))


class Script:
    """`with Script() as origin:` listens on a loopback port until the end of the block."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._replies: defaultdict[str, deque[Reply]] = defaultdict(deque)
        self._asked: defaultdict[str, list[Asked]] = defaultdict(list)
        self._gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for gate in self._gates.values():
            gate.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(10)
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(10)

    def answer(self, name: str, replies: Iterable[Reply]) -> None:
        """From now on these are the replies of the script, in order, and it was asked nothing yet."""
        with self._changed:
            self._replies[name] = deque(replies)
            self._asked[name] = []
            self._gates[name] = threading.Event()

    def asked(self, name: str, least: int = 0) -> list[Asked]:
        """What came since `answer`; waits until there were at least so many requests."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._asked[name]) >= least, timeout=30)
            return list(self._asked[name])

    def release(self, name: str) -> None:
        """Lets a reply with `hold` go on."""
        self._gates[name].set()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # Else what follows an answer would wait for an acknowledgement, and come with the next request.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._changed:
                self._connections.add(connection)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as source, suppress(OSError, ValueError):
                while self._reply(connection, source):
                    pass
        finally:
            with self._changed:
                self._connections.discard(connection)

    def _reply(self, connection: socket.socket, source: BinaryIO) -> bool:
        """Answers the next request; False where the connection ends with that."""
        asked = _request(connection, source)
        if asked is None:
            return False
        name = asked.target.split("?")[0].split("/")[1]
        with self._changed:
            queue = self._replies[name]
            reply = (queue[0] if queue[0].again else queue.popleft()) if queue else Reply(raw=_UNEXPECTED)
            gate = self._gates[name]
            self._asked[name].append(asked)
            self._changed.notify_all()
        first, rest = reply.parts(asked.method)
        connection.sendall(first)
        if reply.hold is not None:
            gate.wait(30)
        connection.sendall(rest)
        if reply.end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return not reply.end and reply.framing != "close"


def _request(connection: socket.socket, source: BinaryIO) -> Asked | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = source.readline()
        if not line:
            return None
        head += line
    fields = Asked(head, b"").fields
    if fields.get("expect") == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "transfer-encoding" not in fields:
        return Asked(head, source.read(int(fields.get("content-length") or 0)))
    body = b""
    while size := int(source.readline(), 16):
        body += source.read(size)
        source.readline()
    while source.readline().strip():
        pass
    return Asked(head, body)
