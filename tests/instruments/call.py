"""One request on a bare blocking socket, and its answer as it came: every line in order, every interim response."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from typing import Self

from mirror.model import Headers


@dataclass
class Heard:
    """An answer. `whole` is False where the body ended before its framing said so; `close`: only the end ended it."""

    status: int
    reason: str
    lines: tuple[tuple[str, str], ...]
    body: bytes = b""
    whole: bool = True
    reset: bool = False
    close: bool = False
    behind: bytes = b""
    interim: list[Heard] = field(default_factory=list)

    @property
    def fields(self) -> Headers:
        return Headers.of(self.lines)


class Call:
    """`with Call(port, request) as call:` sends; `head()` waits for the answer's head, `rest()` for its end.

    The request has to ask for the end of the connection.
    """

    def __init__(self, port: int, request: bytes) -> None:
        self._method = request.split(b" ")[0]
        self._got = b""
        self._reset = False
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._interim: list[Heard] = []
        try:
            self._socket.sendall(request)
        except ConnectionError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def head(self) -> Heard:
        """The final head (RFC 9110 §15.2: interim ones go before); no body yet. ConnectionError without one."""
        while True:
            while b"\r\n\r\n" not in self._got:
                if not self._more():
                    raise ConnectionError(f"no answer, only {self._got!r}")
            head, _, self._got = self._got.partition(b"\r\n\r\n")
            heard = _parsed(head)
            if heard.status >= 200:
                heard.interim = self._interim
                return heard
            self._interim.append(heard)

    def until(self, count: int) -> bytes:
        """At least so many bytes of what follows the head."""
        while len(self._got) < count and self._more():
            pass
        return self._got

    def rest(self, heard: Heard) -> Heard:
        """The same answer with its body, once the connection has ended."""
        self._got = b"".join((self._got, *iter(self._piece, b"")))  # once: a large body grows by many pieces
        heard.reset = self._reset
        length, body = heard.fields.get("content-length"), self._got
        if self._method == b"HEAD" or heard.status in (204, 304):
            heard.body, heard.behind = b"", body
        elif heard.fields.get("transfer-encoding") == "chunked":
            heard.body, heard.whole, heard.behind = _unchunked(body)
        elif length is not None:
            size = int(length)
            heard.body, heard.whole, heard.behind = body[:size], len(body) >= size, body[size:]
        else:
            heard.body, heard.whole, heard.close = body, not self._reset, True
        return heard

    def _more(self) -> bool:
        piece = self._piece()
        self._got += piece
        return bool(piece)

    def _piece(self) -> bytes:
        """The next bytes, none at the end."""
        try:
            return self._socket.recv(65536)
        except ConnectionResetError:
            self._reset = True
            return b""


def _parsed(head: bytes) -> Heard:
    first, *lines = head.decode("latin-1").split("\r\n")
    found = re.fullmatch(r"HTTP/1\.1 ([0-9]{3}) (.*)", first)
    assert found, f"{first!r} is no status line"
    pairs = (line.partition(":") for line in lines)
    return Heard(int(found[1]), found[2], tuple((name, value.strip(" \t")) for name, _, value in pairs))


def _unchunked(data: bytes) -> tuple[bytes, bool, bytes]:
    """Body, whether it was whole, and what followed (RFC 9112 §7.1); no trailers."""
    body = b""
    while True:
        size, found, data = data.partition(b"\r\n")
        count = int(size or b"0", 16)
        if not found or len(data) < count + 2:
            return body + data[:count], False, b""
        if not count:
            return body, True, data.removeprefix(b"\r\n")
        body, data = body + data[:count], data[count + 2 :]
