"""How processes of one server hand connections to each other: the client's socket itself, and the bytes read from it.

A message is one byte that says what it is, and what belongs to that:
    C   a connection, as a descriptor; the bytes that were read from it and not answered. Where they are many, they are
        in a file in memory, as a second descriptor, because a message has to be sent whole or not at all.
    U   blobs that were used: JSON, {blob: [wall clock in seconds, hits]}
    L   from the holder, in a file in memory: a configuration (operations/reloading.py `Loaded`, pickled: both ends are
        of one program, which nobody else can write to); back, its number in digits: it is in force there
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

log = logging.getLogger("mirror.server")

Used = Mapping[str, tuple[float, int]]
"""Blobs, when they were used last, and how often since it was told before."""

MOST = 16 * 1024
"""Bytes of a message."""

USED_AT_ONCE = 256
AT_ONCE = 32
"""Messages that are taken before connections get their turn again."""

REST = 0.01
"""Seconds between looks whether there is room."""


class Channel:
    """One end of a socket pair whose other end is another process's, or its successor's: what is sent waits for it."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._turn = asyncio.Lock()
        self._loaded: Callable[[bytes], None] = lambda _: None

    def listen(
        self,
        taken: Callable[[socket.socket, bytes], None],
        used: Callable[[Used], None],
        loaded: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        """Call `taken` with each connection that comes, `used` with what others have used, and `loaded` with what is
        said of a configuration."""
        self._loaded = loaded
        asyncio.get_running_loop().add_reader(self._end.fileno(), self._receive, taken, used)

    def deafen(self) -> None:
        """Leave what comes to a successor; sending goes on."""
        asyncio.get_running_loop().remove_reader(self._end.fileno())

    def _receive(self, taken: Callable[[socket.socket, bytes], None], used: Callable[[Used], None]) -> None:
        for _ in range(AT_ONCE):
            try:
                # Without the flag a program that is started meanwhile would keep the client's connection open.
                message, fds, _, _ = socket.recv_fds(self._end, MOST + 1, 2, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError as exc:
                log.warning("what another process hands over cannot be taken: %s", exc)
                return
            if message[:1] == b"C" and fds:
                taken(socket.socket(fileno=fds[0]), _written(fds[1]) if len(fds) > 1 else message[1:])
            elif message[:1] == b"U":
                used(json.loads(message[1:]))
            elif message[:1] == b"L":
                self._loaded(_written(fds[0]) if fds else message[1:])

    async def hand_over(self, connection: int, data: bytes) -> None:
        """Send a descriptor, which stays the caller's, and what was read from it: in turn, when there is room."""
        async with self._turn:
            while not self.handed_over(connection, data):  # noqa: ASYNC110  the kernel tells of room too late
                await asyncio.sleep(REST)

    def handed_over(self, connection: int, data: bytes) -> bool:
        """As `hand_over`, if there is room now."""
        if len(data) < MOST:
            return self._sent(b"C" + data, connection)
        with in_memory(data) as file:
            return self._sent(b"C", connection, file)

    def tell_loaded(self, pickled: bytes) -> bool:
        """Tell which configuration is in force; False where there is no room for it now."""
        with in_memory(pickled) as file:
            return self._sent(b"L", file)

    def told_loaded(self, number: int) -> None:
        """Answer that: it is in force here."""
        self._sent(b"L%d" % number)

    def tell_used(self, blobs: Used) -> None:
        """Tell which blobs were used; what there is no room for is not told."""
        left = iter(blobs.items())
        while some := dict(islice(left, USED_AT_ONCE)):
            if not self._sent(b"U" + json.dumps(some).encode()):
                return

    def _sent(self, message: bytes, *fds: int) -> bool:
        try:
            socket.send_fds(self._end, [message], fds)
        except BlockingIOError:
            return False
        except OSError as exc:
            if exc.errno != errno.ETOOMANYREFS:  # too many descriptors are under way
                raise
            return False
        return True


@contextmanager
def in_memory(data: bytes) -> Iterator[int]:
    """A file in memory that holds this."""
    file = os.memfd_create("read", os.MFD_CLOEXEC)
    try:
        with os.fdopen(file, "wb", closefd=False) as written:
            written.write(data)
        yield file
    finally:
        os.close(file)


def _written(file: int) -> bytes:
    """What is in a file in memory, which is closed."""
    with os.fdopen(file, "rb") as opened:
        opened.seek(0)
        return opened.read()
