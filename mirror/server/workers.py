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
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from mirror.changes import SIZE, Changes
from mirror.operations.reloading import Loaded
from mirror.server import process
from mirror.server.beats import Beats
from mirror.server.listeners import listening
from mirror.server.systemd import Notify
from mirror.server.upward import told
from mirror.server.worker import READY, RETIRE, TOLD, Place, work

log = logging.getLogger("mirror.server")

WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, RETIRE, READY, TOLD)

LONG = 2.0
"""Seconds; who dies earlier than that has not lived long."""
LONGEST_PAUSE = 10.0
"""Seconds before another one takes the place of one that never lives long."""

LOOK_EVERY = 2.0
"""Seconds between looks whether the workers' event loops turn."""
HUNG = 15
"""Looks, one after the other, at one that does not, after which the worker is killed: half a minute."""

MakeApp = Callable[[Loaded, Changes, int, bool], Any]
"""The application, with the configuration in force, marks that all processes share, and the number of its rows of
counters, which it alone writes (of GENERATIONS for each worker); of the holder (True), or a front."""

GENERATIONS = 4
"""Processes that may be at one place at the same time: those that drain, and their successor."""


def supervise(
    loaded: Loaded,
    make: MakeApp,
    sockets: Sequence[socket.socket] = (),
    notify: Notify | None = None,
    learned: Callable[[Loaded], None] = lambda _: None,
) -> int:
    """Serve with as many processes as are configured until told to stop; the exit code. `sockets` listen already, and
    are shared by all. `learned` is called in this process with each configuration that is put in force."""
    process.prepare()
    server = loaded.config.server
    try:
        listeners = [tuple(sockets)] * server.workers if sockets else listening(server.listen, server.workers)
    except OSError as exc:
        log.error("cannot listen at %s: %s", server.listen, exc.strerror or exc)  # noqa: TRY400  no trace of ours
        return 1
    return Supervisor(loaded, make, listeners, notify or Notify(), learned).run()


@dataclass(slots=True)
class Child:
    """A process at a place."""

    pid: int
    place: Place
    row: int
    began: float
    ready: bool = False


class Supervisor:
    """See the module."""

    def __init__(
        self,
        loaded: Loaded,
        make: MakeApp,
        listeners: list[tuple[socket.socket, ...]],
        notify: Notify,
        learned: Callable[[Loaded], None],
    ) -> None:
        self._loaded = loaded
        self._learned = learned
        self._make = make
        self._notify = notify
        self._changes = Changes(mmap.mmap(-1, SIZE))
        self._beats = Beats(len(listeners) * GENERATIONS)
        self._told_end, up = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._told_end.setblocking(False)
        life, self._life = os.pipe()
        self._places = _places(listeners, life, up)
        self._children: dict[int, Child] = {}  # all, by process id
        self._at: dict[int, Child] = {}  # who serves at a place, or is about to
        self._before: dict[int, Child] = {}  # who goes on at a place until its successor is ready
        self._due: dict[int, float] = {}  # when another one is to be started at a place; monotonic
        self._short: dict[int, int] = {}  # how many at a place, one after the other, have not lived long
        self._generations = [0] * len(self._places)
        self._renewing: list[int] = []
        self._complete = False  # all have been ready once
        self._ending = False
        self._reloading = False  # the holder was told to read the configuration again, or is to be
        self._looked = 0.0
        self._code = 0
        self._mask: set[int] = set()

    def run(self) -> int:
        self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED))
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it waits for us from now on; one that is ignored would not
        self._due = {place.number: 0.0 for place in self._places}
        while self._children or self._due:
            self._start_due()
            heard = signal.sigtimedwait(WATCHED, self._patience())
            if heard is not None:
                self._heard(heard.si_signo, heard.si_pid)
            self._bury()
            self._renew()
            self._look()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        return self._code

    def _patience(self) -> float:
        look = min(LOOK_EVERY, self._notify.alive or LOOK_EVERY)
        return max(0.0, min(self._due.values(), default=time.monotonic() + look) - time.monotonic())

    def _heard(self, number: int, pid: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._end(0)
        elif number == signal.SIGHUP and not self._ending:
            self._reloading = True
            self._notify.reloading()
            self._reload()
        elif number == RETIRE and not self._ending:
            log.info("all workers are renewed, one after the other")
            self._renewing = [place.number for place in (*self._places[1:], self._places[0])]
        elif number == TOLD:
            self._learn()
        elif number == READY and (child := self._children.get(pid)):
            self._is_ready(child)

    def _is_ready(self, child: Child) -> None:
        child.ready = True
        if not self._complete and self._all_ready():
            self._complete = True
            self._notify.ready("serves")
        if (before := self._before.pop(child.place.number, None)) is not None:
            self._signal(before, RETIRE)
        if child.place.holder and self._reloading:
            self._reload()

    def _reload(self) -> None:
        """Have the holder read the configuration again: it tells all others, and us. One that does not serve yet is
        told when it does; the successor of one that dies is told anew."""
        holder = self._at.get(0)
        if holder is not None and holder.ready:
            self._signal(holder, signal.SIGHUP)

    def _learn(self) -> None:
        for news in told(self._told_end):
            if isinstance(news, Loaded):
                self._loaded = news
                self._learned(news)
            if self._reloading:
                self._reloading = False
                self._notify.ready(f"serves by the configuration before: {news}" if isinstance(news, str) else "serves")

    def _look(self) -> None:
        """Whether event loops turn: a worker whose does not is killed, and another one takes its place."""
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY and not self._ending:
            self._looked = now
            for child in self._at.values():
                if child.ready and self._beats.missed(child.row) == HUNG:
                    log.error("worker %d (process %d) hangs; it is killed", child.place.number, child.pid)
                    self._signal(child, signal.SIGKILL)
        if (holder := self._at.get(0)) is not None and holder.ready:
            self._notify.lives()

    def _end(self, code: int) -> None:
        """Have all end; those that are told so twice do not wait for downloads."""
        self._notify.stopping()
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
        self._learn()  # what the others know, the new one has to know too
        self._generations[place.number] += 1
        row = place.number * GENERATIONS + self._generations[place.number] % GENERATIONS
        self._beats.forget(row)
        pid = os.fork()
        if pid == 0:
            self._become(place, row)
        self._children[pid] = self._at[place.number] = Child(pid, place, row, time.monotonic())

    def _become(self, place: Place, row: int) -> NoReturn:
        """The child's whole life. What the supervisor's callers would do after it is not the child's to do."""
        code = 1
        try:
            os.setpgid(0, 0)  # an interrupt from the keyboard is for the supervisor, which tells the others
            os.close(self._life)
            process.wait_for_a_reload()
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            app = self._make(self._loaded, self._changes, row, place.holder)
            code = work(app, self._loaded.config.server, place, self._beats.of(row))
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
            self._signal(before, RETIRE)
        else:
            self._before[number] = before


def _places(listeners: list[tuple[socket.socket, ...]], life: int, up: socket.socket) -> list[Place]:
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in listeners[1:]]
    ends = [tuple(ours for ours, _ in pairs), *((theirs,) for _, theirs in pairs)]
    places = zip(listeners, ends, strict=True)
    return [Place(number, some, end, life, os.getpid(), up) for number, (some, end) in enumerate(places)]
