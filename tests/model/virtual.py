"""Virtual time: an event loop that never waits, and runs what blocks in its own thread: a run can be repeated."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")
FAR = 100_000.0
"""Virtual seconds after which who still waits is taken to wait for ever."""


class _Never(selectors.SelectSelector):
    """Waits for nothing: what it was to wait for has passed at once."""

    passed: Callable[[float | None], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout != 0:
            self.passed(timeout)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` goes on when nothing is left to do now, to when something is due. `start` is its first second."""

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        selector = _Never()
        selector.passed = self._pass
        super().__init__(selector)
        self.troubles: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, trouble: self.troubles.append(trouble))

    def time(self) -> float:
        return self._now

    def _pass(self, timeout: float | None) -> None:
        if timeout is None:
            raise AssertionError("everybody waits, and nothing will ever happen")
        self._now += timeout

    def run_in_executor(self, executor: Executor | None, call: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """In a later turn of the loop: others go between, as they do with threads, and always the same ones."""
        done: asyncio.Future[T] = self.create_future()

        def run() -> None:
            if done.cancelled():  # it was taken out of the queue
                return
            try:
                done.set_result(call(*args))
            except Exception as exc:
                done.set_exception(exc)

        self.call_soon(run)
        return done

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end; AssertionError where that would never come."""

        async def bounded() -> T:
            async with asyncio.timeout(FAR):
                return await work

        return self.run_until_complete(bounded())
