"""The part of a connection that does not wait for its client for ever.

Nothing here happens when bytes come or go: once a second somebody looks at each connection (`sweep`), at what it waits
for and at a mark that changes when the client does some of it. A mark that stays for too long ends the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from enum import Enum
from typing import Any

from mirror.server.crowd import Crowd
from mirror.server.cycle import Cycle, reset
from mirror.server.reading import ReadingProtocol
from mirror.server.refusals import refusal


class Wait(Enum):
    """What a client is waited for, and for how long: the name of one of the `Limits`."""

    HEAD = "head_time"  # to begin its first request, or to say the head of one to its end
    BODY = "body_time"  # to send more of a request's body
    ROOM = "take_time"  # to take more of what it is sent
    NEXT = "rest_time"  # to ask again
    LEAVE = "leave_time"  # to hear that it was refused


class PatientProtocol(ReadingProtocol):
    """See the module. `_current`: the request whose response is on its way; the parent knows the newest only."""

    _current: Cycle | None = None
    _refused = False  # the last thing was said
    _waited: tuple[Wait, object] | None = None
    _since = 0.0
    _counted: str | None = None  # as whose it is counted

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._counted = self._crowd.come(self._client)
        if self._counted is None and not self._continued:
            self._over = self._refused = True
            transport.write(refusal(503, "too many connections from this address"))
            transport.close()  # without waiting for it to be heard: it is one of many

    def connection_lost(self, exc: Exception | None) -> None:
        if self._counted is not None:
            self._crowd.left(self._counted)
            self._counted = None
        super().connection_lost(exc)

    @property
    def _continued(self) -> bool:
        """It was begun in another process, which has counted it."""
        return False

    @property
    def _crowd(self) -> Crowd:
        crowd: Crowd = self.config.crowd  # type: ignore[attr-defined]
        return crowd

    @property
    def answering(self) -> bool:
        """True while a request, or what may be one, has not got its whole response."""
        if self._refused:
            return False
        if self._in_line or self._direct is not None:
            return True
        return self._current is not None and not self._current.response_complete

    def look(self, now: float) -> None:
        """End the connection if its client has been waited for too long. `now`: seconds of a clock that never jumps."""
        wait = self._wait()
        if wait != self._waited:
            self._waited, self._since = wait, now
        elif wait is not None and now - self._since >= (patience := getattr(self.limits, wait[0].value)):
            self._give_up(wait[0], patience)

    def _wait(self) -> tuple[Wait, object] | None:
        """What the client is waited for, and the mark; None while it waits for us."""
        buffered = self.transport.get_write_buffer_size()
        sender = self._file_sender
        if buffered or (sender is not None and sender.waiting):
            return Wait.ROOM, (buffered, sender.count if sender is not None else 0)
        if self._refused:
            return Wait.LEAVE, None
        if self.answering:
            return self._wait_for_body()
        if self._in_head or not self._count:
            return Wait.HEAD, self._count
        return Wait.NEXT, self._count

    def _wait_for_body(self) -> tuple[Wait, object] | None:
        cycle = self.cycle
        if cycle is None or cycle is not self._current or not cycle.more_body or cycle.response_started:
            return None
        if self.flow.read_paused or cycle.waiting_for_100_continue:
            return None
        return Wait.BODY, (self._count, self._received // self.limits.body_least)

    def _give_up(self, wait: Wait, patience: float) -> None:
        if wait is Wait.BODY or (wait is Wait.HEAD and self._in_head):
            self._refuse(408, f"no whole request within {patience:g} seconds")
        elif wait is Wait.ROOM or self._refused:
            reset(self.transport)
        else:
            self.transport.close()

    def _say_last(self, last: bytes) -> None:
        """Say this, and go when the client has heard it: what it still sends would make the system end the connection
        with a reset, which can overtake it (RFC 9112 §9.6)."""
        self._refused = True
        self.transport.write(last)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        if self._refused:
            self.transport.close()
        else:
            super().shutdown()


def sweep(connections: Iterable[Any], now: float) -> None:
    """Look at every connection."""
    for connection in list(connections):
        connection.look(now)
