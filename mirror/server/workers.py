"""Several processes that serve as one: starts them, and others in the place of those that die or are to be renewed.

The supervisor opens the sockets and keeps them open itself, listeners and channels alike: what is queued in them waits
for whoever takes the place. Worker 0 holds the cache's lease; the others are fronts.
"""

from __future__ import annotations

import logging
import mmap
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mirror.changes import SIZE, Changes
from mirror.server import process
from mirror.server.run import BACKLOG
from mirror.server.worker import READY, Place, work
from mirror.settings import ServerSettings
from mirror.values import Address

log = logging.getLogger("mirror.server")

WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, READY)

LONG = 2.0
"""Seconds; who dies earlier than that has not lived long."""
LONGEST_PAUSE = 10.0
"""Seconds before another one takes the place of one that never lives long."""

MakeApp = Callable[[Changes, int, bool], Any]
"""The application, with marks that all processes share, and the number of its rows of counters, which it alone writes
(of GENERATIONS for each worker); of the holder (True), or a front."""

GENERATIONS = 4
"""Processes that may be at one place at the same time: those that drain, and their successor."""


def supervise(settings: ServerSettings, make: MakeApp) -> int:
    """Serve with `settings.workers` processes until told to stop; the exit code."""
    process.prepare()
    try:
        listeners = listening(settings.listen, settings.workers)
    except OSError as exc:
        log.error("cannot listen at %s: %s", settings.listen, exc.strerror or exc)  # noqa: TRY400  no trace of ours
        return 1
    return Supervisor(settings, make, listeners).run()


@dataclass(slots=True)
class Child:
    """A process at a place."""

    pid: int
    place: Place
    began: float
    ready: bool = False


class Supervisor:
    """See the module."""

    def __init__(self, settings: ServerSettings, make: MakeApp, listeners: list[tuple[socket.socket, ...]]) -> None:
        self._settings = settings
        self._make = make
        self._changes = Changes(mmap.mmap(-1, SIZE))
        life, self._life = os.pipe()
        self._places = _places(listeners, life)
        self._children: dict[int, Child] = {}  # all, by process id
        self._at: dict[int, Child] = {}  # who serves at a place, or is about to
        self._before: dict[int, Child] = {}  # who goes on at a place until its successor is ready
        self._due: dict[int, float] = {}  # when another one is to be started at a place; monotonic
        self._short: dict[int, int] = {}  # how many at a place, one after the other, have not lived long
        self._generations = [0] * len(self._places)
        self._renewing: list[int] = []
        self._complete = False  # all have been ready once
        self._ending = False
        self._code = 0
        self._mask: set[int] = set()

    def run(self) -> int:
        self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED))
        self._due = {place.number: 0.0 for place in self._places}
        while self._children or self._due:
            self._start_due()
            told = signal.sigtimedwait(WATCHED, self._patience())
            if told is not None:
                self._told(told.si_signo, told.si_pid)
            self._bury()
            self._renew()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        return self._code

    def _patience(self) -> float:
        return max(0.0, min(self._due.values(), default=time.monotonic() + 3600) - time.monotonic())

    def _told(self, number: int, pid: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._end(0)
        elif number == signal.SIGHUP and not self._ending:
            log.info("all workers are renewed, one after the other")
            self._renewing = [place.number for place in (*self._places[1:], self._places[0])]
        elif number == READY and (child := self._children.get(pid)):
            child.ready = True
            self._complete = self._complete or self._all_ready()
            if (before := self._before.pop(child.place.number, None)) is not None:
                self._signal(before, signal.SIGHUP)

    def _end(self, code: int) -> None:
        """Have all end; those that are told so twice do not wait for downloads."""
        self._code = self._code or code
        self._ending = True
        self._due, self._renewing = {}, []
        for child in self._children.values():
            self._signal(child, signal.SIGTERM)

    def _signal(self, child: Child, number: signal.Signals) -> None:
        if child.pid in self._children:  # else its number may be another's by now
            os.kill(child.pid, number)

    def _start_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            self._start(self._places[number])

    def _start(self, place: Place) -> None:
        self._generations[place.number] += 1
        pid = os.fork()
        if pid == 0:
            self._become(place)
        self._children[pid] = self._at[place.number] = Child(pid, place, time.monotonic())

    def _become(self, place: Place) -> NoReturn:
        """The child's whole life. What the supervisor's callers would do after it is not the child's to do."""
        code = 1
        try:
            os.setpgid(0, 0)  # an interrupt from the keyboard is for the supervisor, which tells the others
            os.close(self._life)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            row = place.number * GENERATIONS + self._generations[place.number] % GENERATIONS
            code = work(self._make(self._changes, row, place.holder), self._settings, place)
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else 1
        except BaseException:
            log.exception("worker %d fails", place.number)
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _bury(self) -> None:
        """Notice who has died, and when another one is to take the place."""
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            child = self._children.pop(pid)
            number = child.place.number
            if self._before.get(number) is child:
                del self._before[number]
            if self._at.get(number) is not child:
                continue
            del self._at[number]
            if not self._ending:
                self._replace(child, os.waitstatus_to_exitcode(status))

    def _replace(self, child: Child, code: int) -> None:
        number, now = child.place.number, time.monotonic()
        if not self._complete and not child.ready:  # it cannot start: its configuration, its cache
            self._end(code if code > 0 else 1)
            return
        short = self._short[number] = self._short.get(number, 0) + 1 if now - child.began < LONG else 0
        pause = min(LONGEST_PAUSE, 2.0 ** (short - 4)) if short > 1 else 0.0
        log.warning("worker %d (process %d) has ended with %d; another one takes its place", number, child.pid, code)
        self._due[number] = now + pause

    def _all_ready(self) -> bool:
        return len(self._at) == len(self._places) and all(child.ready for child in self._at.values())

    def _renew(self) -> None:
        """Start the next successor, if the last one is ready."""
        if not self._renewing or not self._all_ready():
            return
        number = self._renewing.pop(0)
        before = self._at[number]
        self._start(self._places[number])
        if number == 0:  # which cannot be ready before the lease is let go
            self._signal(before, signal.SIGHUP)
        else:
            self._before[number] = before


def _places(listeners: list[tuple[socket.socket, ...]], life: int) -> list[Place]:
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in listeners[1:]]
    holder = Place(0, listeners[0], tuple(ours for ours, _ in pairs), life)
    fronts = zip(listeners[1:], pairs, strict=True)
    return [holder, *(Place(number, some, (end,), life) for number, (some, (_, end)) in enumerate(fronts, 1))]


def listening(listen: Address, count: int) -> list[tuple[socket.socket, ...]]:
    """Listening sockets for so many workers: of their own, among which the kernel divides connections; of a path, one
    that they share. OSError where there can be none."""
    if listen.path:
        return [(_at_path(listen.path),)] * count
    known = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found = list(dict.fromkeys((family, address) for family, _, _, _, address in known))
    for family, address in found:
        _bound(family, address, shared=False).close()  # a port that may be shared would be shared with others, too
    return [tuple(_listening(_bound(*where, shared=True)) for where in found) for _ in range(count)]


def _bound(family: int, address: Any, *, shared: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
    except BaseException:
        opened.close()
        raise
    return opened


def _at_path(path: Path) -> socket.socket:
    mode = 0o666
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.unlink()
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened.bind(str(path))
    path.chmod(mode)
    return _listening(opened)


def _listening(opened: socket.socket) -> socket.socket:
    opened.setblocking(False)
    opened.listen(BACKLOG)
    return opened
