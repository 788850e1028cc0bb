"""The event loop: uvloop's, whose turns stay short however much there is to be done.

uvloop runs all that is ready before it looks at its sockets again. What misses have to do makes that milliseconds, in
which a hit waits that would take a tenth of one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

import uvloop

Ts = TypeVarTuple("Ts")

TURN = 0.0005
"""Seconds that callbacks have before sockets are looked at again; the one that runs then comes to its end. Where
sockets took more of the processor, callbacks have as much: neither starves the other."""


class Loop(uvloop.Loop):
    """Runs what was called soon in the order in which it was. `clock` and `spent`: seconds, and those of them in which
    this thread had the processor."""

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, spent: Callable[[], float] = time.thread_time
    ) -> None:
        super().__init__()
        self._clock = clock
        self._spent = spent
        self._soon: deque[asyncio.Handle] = deque()
        self._ended = 0.0  # `spent` when the last turn was over that had not come to the end of it
        self._called = False

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As any event loop's."""
        handle = asyncio.Handle(callback, args, self, context)
        if not self._called:
            super().call_soon(self._turn)
            self._called = True
        self._soon.append(handle)
        return handle

    async def create_connection(self, protocol_factory: Callable[[], Any], *args: Any, **options: Any) -> Any:
        """As any event loop's; the descriptor of a `sock` belongs to the connection from now on, and to it alone.

        uvloop has the socket know that when the connection is handed over; one that ends before has closed the
        descriptor. Then the socket would close it once more: that of a file or a client which has got its number.
        """
        made: list[Any] = []

        def factory() -> Any:
            made.append(protocol_factory())
            return made[0]

        try:
            return await super().create_connection(factory, *args, **options)
        finally:
            if made and options.get("sock") is not None:
                options["sock"].detach()

    def close(self) -> None:
        """As any event loop's: what is left to do is forgotten."""
        super().close()
        self._soon.clear()
        self._called = False

    def _turn(self) -> None:
        """Run what there is, or as much of it as there is time for."""
        soon, clock = self._soon, self._clock
        end = clock() + (max(TURN, self._spent() - self._ended) if self._ended else TURN)
        try:
            for _ in range(len(soon)):  # what these call comes in the next turn
                handle = soon.popleft()
                if not handle.cancelled():
                    handle._run()  # what a loop is there for; it tells of what is raised
                if clock() >= end:
                    break
        finally:  # SystemExit comes through, and the loop may be run again after it
            self._called = bool(soon)
            self._ended = self._spent() if soon else 0.0
            if soon:
                super().call_soon(self._turn)


def new() -> Loop:
    """As uvicorn wants it."""
    return Loop()
