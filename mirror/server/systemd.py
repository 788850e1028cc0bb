"""What a service's supervisor (systemd) and this server tell each other: sd_notify(3), sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from pathlib import Path

from mirror.values import Address

FIRST = 3
"""The descriptor of the first socket that is passed on (SD_LISTEN_FDS_START)."""


class Notify:
    """Tells how the server does, at the socket `address` ("": to nobody); each `alive` seconds that it lives, where
    that is wanted (0: it is not)."""

    def __init__(self, address: str = "", alive: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.alive = alive
        self._clock = clock
        self._due = 0.0
        self._to = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """It serves, by the configuration that it has now."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """It reads its configuration again; `ready` says when it has."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """It is about to end."""
        self._tell("STOPPING=1", "STATUS=waits for the downloads that run")

    def lives(self) -> None:
        """Call it while all is well: it is told when it is time."""
        if self.alive and self._clock() >= self._due:
            self._due = self._clock() + self.alive
            self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if self._socket is not None:
            with suppress(OSError):  # nobody listens any more, or not fast enough: serving goes on
                self._socket.sendto("\n".join(line.replace("\n", "; ")[:2000] for line in lines).encode(), self._to)


def notify(environment: MutableMapping[str, str]) -> Notify:
    """Whom to tell, and how often. Taken out of the environment: programs that are started are none of its affair."""
    address, usec = environment.pop("NOTIFY_SOCKET", ""), environment.pop("WATCHDOG_USEC", "")
    pid = environment.pop("WATCHDOG_PID", "")
    mine = usec.isdigit() and pid in ("", str(os.getpid()))
    return Notify(address if address[:1] in ("/", "@") else "", int(usec) / 2e6 if mine else 0.0)


def inherited(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """The listening sockets that were opened for this process. Taken out of the environment, as `notify`."""
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", "")
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    found = []
    for number in range(FIRST, FIRST + int(count)):
        os.set_inheritable(number, False)
        found.append(socket.socket(fileno=number))
        found[-1].setblocking(False)
    return found


def address(listening: socket.socket) -> Address:
    """Where that socket listens."""
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return Address(path=Path(os.fsdecode(name)))
    return Address(name[0], name[1])
