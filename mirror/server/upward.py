"""What the holder tells the supervisor of the configuration: which one is in force, or why there is no new one.

A message is one byte that says what it is: `L`, with a file in memory that holds a pickled `Loaded` (both ends are of
one program, and nobody else has them); or `E`, and the reason.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Iterator

from mirror.operations.reloading import Loaded
from mirror.server.channel import in_memory

MOST = 2000
"""Bytes of a reason."""


class Upward:
    """The holder's end of a socket pair."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end

    def loaded(self, pickled: bytes) -> bool:
        """Tell which one is in force; False where there is no room now."""
        with in_memory(pickled) as file:
            return self._sent(b"L", file)

    def refused(self, reason: str) -> bool:
        """Tell why there is no new one; False where there is no room now."""
        return self._sent(b"E" + reason.encode()[:MOST])

    def _sent(self, message: bytes, *fds: int) -> bool:
        try:
            socket.send_fds(self._end, [message], fds)
        except BlockingIOError:
            return False
        return True


def told(end: socket.socket) -> Iterator[Loaded | str]:
    """All that has been told at the supervisor's end, which does not block."""
    while True:
        try:
            message, fds, _, _ = socket.recv_fds(end, MOST + 1, 1, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        if fds:
            with os.fdopen(fds[0], "rb") as file:
                file.seek(0)
                yield pickle.loads(file.read())  # noqa: S301 - see the module
        elif message:
            yield message[1:].decode(errors="replace")
        else:
            return  # the other end is gone for good
