"""What the origin writes down of each request."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mirror.segment import NARROW

IN_FLIGHT = NARROW + (4 << 20)
"""What sockets hold of a connection that is ended early, at most: the window that it is given, and what Linux takes
from the origin ahead of that (tcp_wmem)."""


@dataclass(slots=True)
class Record:
    """One request in the log. Times are `time.monotonic()`; `sent` counts body bytes that the kernel took, no framing;
    `received` those of the request.

    `left` is True where the client was gone before the answer was through. After an abort, `sent` is ahead of what the
    client read by no more than the two socket buffers hold.
    """

    at: float
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    range: str = ""
    status: int = 0
    sent: int = 0
    received: int = 0
    left: bool = False
    first_byte: float | None = None
    finished: float | None = None

    def took(self, count: int) -> None:
        """`count` more body bytes are in the kernel."""
        if self.first_byte is None:
            self.first_byte = time.monotonic()
        self.sent += count


class Log(list[Record]):
    """The records, oldest first."""

    def requests(self, path: str | None = None) -> int:
        """How many requests came for `path` (without query), or in all."""
        return len(self.of(path))

    def sent(self, path: str | None = None) -> int:
        """How many body bytes the kernel took for `path`, or in all."""
        return sum(record.sent for record in self.of(path))

    def of(self, path: str | None = None) -> list[Record]:
        """The records of `path`, or all."""
        return [record for record in self if path in (None, record.path)]
