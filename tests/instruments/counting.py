"""A client that counts to the last byte what it gets: on blocking sockets, which keep what came before a reset."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

BROKEN = "ERROR"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; `counts` False: it must not be counted."""

    target: str
    method: str = "GET"
    fields: tuple[str, ...] = ()
    body: bytes = b""
    counts: bool = True

    @property
    def text(self) -> bytes:
        length = (f"Content-Length: {len(self.body)}",) if self.body else ()
        lines = (f"{self.method} {self.target} HTTP/1.1", "Host: localhost", *self.fields, *length, "", "")
        return "\r\n".join(lines).encode() + self.body


@dataclass
class Sums:
    """By mirror and outcome: how many answers; by mirror: bytes of bodies, and of these the ones from the store."""

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    saved: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)

    def add(self, mirror: str, status: int, word: str, count: int) -> None:
        self.requests[mirror, word] += 1
        self.served[mirror] += count
        self.saved[mirror] += count if word in ("HIT", "STALE", "REVALIDATED") else 0
        self.statuses[status] += 1

    def __add__(self, other: Sums) -> Sums:
        pairs = ("requests", "served", "saved", "statuses")
        return Sums(*(getattr(self, name) + getattr(other, name) for name in pairs))


class Connection:
    """A keep-alive connection, made again when the server has ended it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._held = b""

    def ask(self, ask: Ask) -> tuple[int, str, int]:
        """Status, outcome and bytes of the body. An outcome of BROKEN: it broke off."""
        if self._socket is None:
            self._socket, self._held = socket.create_connection(("127.0.0.1", self._port), timeout=30), b""
        self._socket.sendall(ask.text)
        while b"\r\n\r\n" not in self._held:
            assert self._more(), ask
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        status = int(lines[0].split()[1])
        bodiless = ask.method == "HEAD" or status in (204, 304)
        count, whole = (0, True) if bodiless else self._body(fields)
        if not whole or fields.get("connection", "") == "close":
            self.close()
        return status, fields["x-cache"] if whole else BROKEN, count

    def _body(self, fields: dict[str, str]) -> tuple[int, bool]:
        if "chunked" in fields.get("transfer-encoding", ""):
            return self._chunks()
        left = int(fields["content-length"])
        count = self._take(left)
        return count, count == left

    def _chunks(self) -> tuple[int, bool]:
        count = 0
        while True:
            while b"\r\n" not in self._held:
                if not self._more():
                    return count, False
            line, _, self._held = self._held.partition(b"\r\n")
            size = int(line, 16)
            got = self._take(size)
            count += got
            if got < size or self._take(2) < 2:
                return count, False
            if not size:
                return count, True

    def _take(self, count: int) -> int:
        """Read so many bytes; how many came."""
        left = count
        while left:
            if not self._held and not self._more():
                break
            taken = self._held[:left]
            self._held = self._held[len(taken) :]
            left -= len(taken)
        return count - left

    def _more(self) -> bool:
        assert self._socket is not None
        piece = b""
        with suppress(ConnectionResetError):
            piece = self._socket.recv(1 << 18)
        self._held += piece
        return bool(piece)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def count(port: int, plan: Sequence[Ask], connections: int) -> Sums:
    """Ask for all of the plan, over so many connections at once."""

    def one(part: Iterable[Ask]) -> Sums:
        sums, connection = Sums(), Connection(port)
        try:
            for ask in part:
                status, word, got = connection.ask(ask)
                if ask.counts:
                    name = ask.target.split("/")[1]
                    sums.add(name if name in ("o", "dead") else "-", status, word, got)
        finally:
            connection.close()
        return sums

    with ThreadPoolExecutor(connections) as pool:
        return sum(pool.map(one, [plan[at::connections] for at in range(connections)]), Sums())
