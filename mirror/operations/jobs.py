"""Work of an operator's that takes longer than a request: begun, looked at, stopped, remembered for a while."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial as bind
from typing import Any, Literal

from mirror.errors import MirrorError, NotFound, Unavailable
from mirror.ports import Clock

log = logging.getLogger("mirror.jobs")

AT_ONCE = 4
"""Jobs that run at the same time; the others wait for their turn."""

WAITING = 64
"""Jobs that wait at most."""

ENDED = 50
"""Ended jobs that are remembered."""

FAILURES = 100
"""Failures that a job names."""

WAITS = "waits for its turn"

Kind = Literal["purge", "warm", "refresh"]
State = Literal["running", "done", "failed", "stopped"]


@dataclass(eq=False, slots=True)
class Job:
    """`done` of `total` (None: not known) so far, of which `failed`; `bytes` as its kind counts them; `current`: what
    it is at. Times in POSIX seconds. A job that waits for its turn is running, and says so in `current`."""

    id: str
    kind: Kind
    began: float
    total: int | None = None
    state: State = "running"
    ended: float | None = None
    done: int = 0
    bytes: int = 0
    failed: int = 0
    current: str = WAITS
    error: str = ""
    result: dict[str, Any] | None = None
    failures: list[tuple[str, str]] = field(default_factory=list)

    def fail(self, url: str, reason: str) -> None:
        """One of its parts failed; the first FAILURES are named."""
        self.failed += 1
        if len(self.failures) < FAILURES:
            self.failures.append((url, reason))


Work = Callable[[Job], Awaitable[dict[str, Any]]]
"""Does the job, updating it; gives its result. A MirrorError says why it failed. Cancelled where the job is stopped."""


class Jobs:
    """All jobs of a server, bounded in number. `wall`: POSIX seconds."""

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._running: dict[str, tuple[Job, asyncio.Task[None]]] = {}
        self._waiting: dict[str, tuple[Job, Work]] = {}
        self._ended: deque[Job] = deque(maxlen=ENDED)
        self._closed = False

    def start(self, kind: Kind, work: Work, total: int | None = None) -> Job:
        """A job that runs now, or waits for its turn. Unavailable when too many wait."""
        if self._closed:
            raise Unavailable("this server is about to end")
        if len(self._waiting) >= WAITING:
            raise Unavailable(f"{WAITING} jobs wait for their turn already; stop some, or ask again later")
        job = Job(secrets.token_hex(4), kind, self._wall(), total)
        self._waiting[job.id] = (job, work)
        self._go_on()
        return job

    def get(self, name: str) -> Job:
        """The job of that id; NotFound where there is none, or it ended too long ago."""
        for job in self.list():
            if job.id == name:
                return job
        raise NotFound(f"there is no job {name!r}; of those that ended, the last {ENDED} are remembered")

    def list(self) -> list[Job]:
        """Those that run, those that wait, and those that ended, the last one first."""
        running = [job for job, _ in self._running.values()]
        return [*running, *(job for job, _ in self._waiting.values()), *reversed(self._ended)]

    async def stop(self, name: str) -> Job:
        """Stop it, where it has not ended, and wait for that; the job. NotFound as `get`."""
        job = self.get(name)
        if name in self._waiting:
            del self._waiting[name]
            self._over(job, "stopped")
        elif name in self._running:
            _, task = self._running[name]
            task.cancel()
            await asyncio.wait([task])
        return job

    async def close(self) -> None:
        """Stop all; idempotent. No other is begun after that."""
        self._closed = True
        for job in self.list():
            if job.state == "running":
                await self.stop(job.id)

    def _go_on(self) -> None:
        while self._waiting and len(self._running) < AT_ONCE:
            name = next(iter(self._waiting))
            job, work = self._waiting.pop(name)
            job.began, job.current = self._wall(), ""
            task = asyncio.get_running_loop().create_task(self._run(job, work))
            self._running[name] = (job, task)
            task.add_done_callback(bind(self._ran, job))

    async def _run(self, job: Job, work: Work) -> None:
        try:
            job.result = await work(job)
        except MirrorError as exc:
            job.state, job.error = "failed", str(exc)
        except Exception:
            log.exception("job %s (%s): an error of the mirror's own", job.id, job.kind)
            job.state, job.error = "failed", "an error of the mirror's own; the log has it"
        else:
            job.state = "done"

    def _ran(self, job: Job, _task: asyncio.Task[None]) -> None:
        # Here and not at the end of the task: one that is cancelled before its first step never gets there.
        del self._running[job.id]
        self._over(job, "stopped" if job.state == "running" else job.state)
        if not self._closed:
            self._go_on()

    def _over(self, job: Job, state: State) -> None:
        job.state, job.ended, job.current = state, self._wall(), ""
        self._ended.append(job)
