"""Prepared replies by the bytes of the request: who writes the same request again is answered before it is parsed.

Equal bytes on a connection to the same address mean the same request, so nothing has to be understood to know that a
reply is the right one; whether it still is, the reply itself knows.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from mirror.ports import Blob, Source
from mirror.server.cycle import field_lines, status_line

LONGEST = 4096
"""Bytes of a request that can be known by them."""

Known = tuple[object, bytes]
"""Where a request came in (scheme, address), and its bytes."""

END = b"\r\n\r\n"
_HEADS = (b"GET ", b"HEAD ")


class Reply(Protocol):
    """A prepared reply; see `mirror.web.prepared`."""

    body: bytes | None

    def lasts(self, now: float) -> bool: ...
    def shape(self, now: float) -> tuple[Any, str, float]: ...
    def at_hand(self) -> Blob | None: ...
    async def again(self) -> Source | None: ...
    def line(
        self, client: str, status: int, count: int, outcome: str, spent: float = 0.0, whole: bool = True
    ) -> Any: ...
    def sent(self, now: float, line: Any, count: int) -> None: ...


class Kept:
    """A reply and its bytes on the wire for as long as they are the same. `part`: the bytes `[start, end)` of its file
    that follow them; None where there are none, or the body is kept."""

    __slots__ = ("_client", "_line", "_told", "_until", "part", "reply", "size", "used", "wire")

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.size = 2 * len(reply.body or b"") + 4096
        self.used = False
        self.wire = b""
        self.part: tuple[int, int] | None = None
        self._until = 0.0
        self._told: tuple[int, int, str] = (0, 0, "")
        self._client: str = ""
        self._line: Any = None

    def ready(self, now: float) -> bool:
        """`wire` and `part` are right at `now` (wall clock); False where the reply is right no more."""
        if not self.reply.lasts(now):
            return False
        if now >= self._until:
            self._encode(now)
        self.used = True
        return True

    def sent(self, client: str, now: float) -> None:
        """All that is in `wire` went out to that client."""
        if client != self._client:
            self._client, self._line = client, self.reply.line(client, *self._told)
        self.reply.sent(now, self._line, self._told[1])

    def sent_part(self, client: str, now: float, count: int, spent: float, *, whole: bool) -> None:
        """So many bytes of `part` went out to that client, too."""
        status, _, outcome = self._told
        line = self.reply.line(client, status, count, outcome, spent, whole)
        self.reply.sent(now, line, count)

    def _encode(self, now: float) -> None:
        shape, outcome, self._until = self.reply.shape(now)
        whole, body = self.reply.body, b""
        for piece in shape.pieces:
            if isinstance(piece, bytes):
                body += piece
            elif whole is not None:
                body += whole[slice(*piece)]
            else:
                self.part = piece
        self.wire = b"".join((*status_line(shape.status, shape.reason), *field_lines(shape.fields), b"\r\n", body))
        self._told, self._client = (shape.status, len(body), outcome), ""


class Hot:
    """At most `limit` bytes of replies; those that were kept first go first, unless they were used since. A request is
    known from its second time on, so that a scan of what is asked for once keeps nothing."""

    def __init__(self, limit: int = 64 << 20, seen: int = 20_000, wall: Callable[[], float] = time.time) -> None:
        self.wall = wall
        self._limit = limit
        self._most_seen = seen
        self._size = 0
        self._tables: dict[object, dict[bytes, Kept]] = {}
        self._order: OrderedDict[Known, Kept] = OrderedDict()
        self._seen: OrderedDict[Known, None] = OrderedDict()
        self._closed = False

    def table(self, place: object) -> dict[bytes, Kept]:
        """What is kept for requests that come in at a place, by their bytes: to be looked at, not to be changed."""
        return self._tables.setdefault(place, {})

    def taker(self, known: Known) -> Callable[[Reply], None] | None:
        """What takes the reply to a request that was seen before; None for one that is new."""
        if self._closed or len(known[1]) > LONGEST:
            return None
        if known in self._seen:
            return partial(self._keep, known)
        self._seen[known] = None
        if len(self._seen) > self._most_seen:
            self._seen.popitem(last=False)
        return None

    def _keep(self, known: Known, reply: Reply) -> None:
        self.drop(known)
        kept = Kept(reply)
        if self._closed or kept.size > self._limit // 8:
            return
        self._order[known] = self.table(known[0])[known[1]] = kept
        self._size += kept.size
        while self._size > self._limit:
            oldest = next(iter(self._order))
            if self._order[oldest].used:  # a second chance
                self._order[oldest].used = False
                self._order.move_to_end(oldest)
            else:
                self.drop(oldest)

    def drop(self, known: Known) -> None:
        kept = self._order.pop(known, None)
        if kept is not None:
            self._size -= kept.size
            self._tables[known[0]].pop(known[1], None)

    def close(self) -> None:
        """From now on every request is looked at: the server is about to end."""
        self._closed = True
        for table in self._tables.values():
            table.clear()
        self._order.clear()
        self._size = 0


def head_of(data: bytes) -> bytes | None:
    """`data`, if that is the head of one request without a body and nothing else."""
    return data if data.startswith(_HEADS) and data.find(END) == len(data) - len(END) else None
