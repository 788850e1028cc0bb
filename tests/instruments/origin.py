"""A deterministic HTTP/1.1 origin with faults on a real socket; a process: `python -m tests.instruments.origin`.

`/obj/<seed>/<size>?<shape>` are objects (bodies.py, shapes.py); other paths are what `route` says. Paths that begin
with `/-` steer it: `/-log` (JSON), `/-bump?path=`, `/-release?path=`, `/-forget`, `/-down`, `/-up`. The process prints
its address on the first line, and on the second one that is reached while the first is down.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from inspect import isawaitable
from typing import Any, Self
from urllib.parse import parse_qs

from mirror.model import Request

from .answers import Answer, Response, answer, scripted
from .delivery import Delivery
from .log import Log, Record
from .ports import bound
from .process import origin_process
from .shapes import Shape, parse
from .wire import Wire

__all__ = ["Origin", "Record", "Response", "origin_process"]

_SEND_BUFFER = 262_144  # small, so that `sent` stays close to what the client was given
Body = bytes | Callable[[Request], Response | Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Route:
    respond: Callable[[Request], Response | Awaitable[Response]]
    shape: Shape
    target: str


class Origin:
    """`async with Origin() as origin:` listens on a loopback port; `origin.log` has all requests."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.log = Log()
        self.peak = 0
        self._born = time.time()
        self._listeners: list[socket.socket] = []
        self._connections: dict[asyncio.Task[None], Wire] = {}
        self._steering: dict[asyncio.Task[None], Wire] = {}
        self._failures: list[BaseException] = []
        self._routes: dict[str, _Route] = {}
        self._asked: Counter[str] = Counter()
        self._versions: Counter[str] = Counter()
        self._spent: defaultdict[str, set[int]] = defaultdict(set)
        self._gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def __aenter__(self) -> Self:
        self.port = self.listen(self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        connections = [*self._connections, *self._steering]
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        if self._failures:
            raise self._failures[0]

    @property
    def open(self) -> int:
        """Connections that are open now; `peak` is the most that there were."""
        return len(self._connections)

    def url(self, target: str = "") -> str:
        return f"http://127.0.0.1:{self.port}{target}"

    def route(
        self,
        path: str,
        status: int = 200,
        headers: Sequence[tuple[str, str]] = (),
        body: Body = b"",
        *,
        shape: str = "",
        target: str = "",
    ) -> None:
        """Answers `path` with a document (Content-Length is added), or with what `body(request)` returns.

        `shape` is a query string of faults for it; `target` an object to answer with (`/obj/a/100?cut=50%`).
        """
        fixed = Response(status, headers, body if isinstance(body, bytes) else b"")
        self._routes[path] = _Route((lambda _: fixed) if isinstance(body, bytes) else body, parse(shape), target)

    def requests(self, path: str | None = None) -> int:
        """How many requests came for `path` (without query), or in all."""
        return self.log.requests(path)

    def sent(self, path: str | None = None) -> int:
        """How many body bytes the kernel took for `path`, or in all."""
        return self.log.sent(path)

    def forget(self) -> None:
        """Empties the log; `times`, `after` and `cuts` count on."""
        self.log.clear()
        self.peak = self.open

    def bump(self, path: str) -> None:
        """Gives `path` other bytes (seed `bodies.versioned(seed, 1)`, then 2 ...), ETag and date from now on."""
        self._versions[path] += 1

    def release(self, path: str) -> None:
        """Lets all that `hold` at `path` go on, now and later."""
        self._gates[path].set()

    def down(self) -> None:
        """Refuses connections and resets the open ones; the port stays reserved, so that `up` finds it free."""
        asyncio.get_running_loop().remove_reader(self._listeners[0])
        self._listeners[0].close()
        self._listeners[0] = bound(self.port)
        for connection, wire in self._connections.items():
            wire.linger()
            connection.cancel()

    def up(self) -> None:
        """Accepts connections again, on the same port."""
        self._accept_on(self._listeners[0])

    def listen(self, port: int = 0) -> int:
        """One more port to be reached at; only the first one goes `down`."""
        self._listeners.append(bound(port))
        self._accept_on(self._listeners[-1])
        found: int = self._listeners[-1].getsockname()[1]
        return found

    def _accept_on(self, listener: socket.socket) -> None:
        listener.listen(4096)
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        wire = Wire(sock)
        group = self._connections if listener is self._listeners[0] else self._steering
        task = asyncio.get_running_loop().create_task(self._converse(wire))
        group[task] = wire
        self.peak = max(self.peak, self.open)
        task.add_done_callback(partial(self._closed, group))

    def _closed(self, group: dict[asyncio.Task[None], Wire], task: asyncio.Task[None]) -> None:
        group.pop(task).close()
        error = None if task.cancelled() else task.exception()
        if error and not isinstance(error, ConnectionError):
            self._failures.append(
                error
            )  # raised when the origin is left, so that its own fault is no fault of the wire

    async def _converse(self, wire: Wire) -> None:
        while (head := await wire.head()) is not None:
            (method, target, protocol), headers = head[0].split(" "), head[1]
            path, _, query = target.partition("?")
            sent = await wire.content(headers)
            keep = protocol == "HTTP/1.1" and headers.get("connection") != "close"
            if not await self._reply(wire, Request(method, path, query, headers), keep, sent):
                return

    async def _reply(self, wire: Wire, request: Request, keep: bool, sent: int) -> bool:
        address, wanted = f"{request.path}?{request.query}", request.headers.get("range") or ""
        record = Record(time.monotonic(), request.method, request.path, request.query, request.headers.pairs, wanted)
        record.received = sent
        if not request.path.startswith("/-"):
            self.log.append(record)
            self._asked[address] += 1
        given, shape = await self._answer(request, self._asked[address])
        record.status = given.status
        spent, gate = self._spent[address], self._gates[request.path]
        try:
            return await Delivery(wire, given, shape, record, keep, spent, gate).run()
        except (ConnectionError, asyncio.CancelledError):
            record.left = True
            raise
        finally:
            record.finished = time.monotonic()

    async def _answer(self, request: Request, nth: int) -> tuple[Answer, Shape]:
        if request.path.startswith("/-"):
            return scripted(self._steer(request), request), Shape()
        route = self._routes.get(request.path)
        path, _, query = route.target.partition("?") if route and route.target else (request.path, "", request.query)
        if path.startswith("/obj/"):
            return self._object(request, path, query, nth)
        if route is None:
            return scripted(Response(404), request), Shape()
        response = route.respond(request)
        shape = route.shape.at_request(nth)
        return scripted(await response if isawaitable(response) else response, request), shape

    def _object(self, request: Request, path: str, query: str, nth: int) -> tuple[Answer, Shape]:
        try:
            _, _, seed, size = path.split("/")
            shape = parse(query).at_request(nth)
            if bumped := self._versions[request.path]:
                shape = replace(shape, version=str(bumped))
            return answer(request, shape, seed, int(size), nth, self._born), shape
        except ValueError as error:  # a typing error in a test must not become an answer without the fault
            return scripted(Response(400, body=str(error).encode()), request), Shape()

    def _steer(self, request: Request) -> Response:
        path = parse_qs(request.query).get("path", [""])[0]
        acts = {"/-down": self.down, "/-up": self.up, "/-forget": self.forget}
        acts |= {"/-bump": partial(self.bump, path), "/-release": partial(self.release, path)}
        if request.path in acts:
            acts[request.path]()
        state: dict[str, Any] = {"open": self.open, "peak": self.peak, "cpu": time.process_time()}
        state["log"] = [asdict(record) for record in self.log] if request.path == "/-log" else []
        return Response(200, [("Content-Type", "application/json")], json.dumps(state).encode())


async def _run(port: int, stdin: bool) -> None:
    over, loop = asyncio.Event(), asyncio.get_running_loop()
    async with Origin(port) as origin:
        print(origin.url(), f"http://127.0.0.1:{origin.listen()}", sep="\n", flush=True)
        loop.add_signal_handler(signal.SIGTERM, over.set)
        if stdin:
            loop.add_reader(sys.stdin, over.set)
        await over.wait()


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--stdin", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    asyncio.run(_run(options.port, options.stdin))


if __name__ == "__main__":
    _main()
