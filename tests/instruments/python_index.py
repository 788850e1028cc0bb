"""An index of Python packages, "real" or "poor", with its file host and one host more, each on a port of its own.

They run in a thread of their own, so that blocking clients can be asked from a test.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Literal, TypeVar

from mirror.model import Request

from .answers import Response
from .log import Log, Record
from .origin import Origin
from .python_answers import Poor, Real, file_path, spellings
from .python_faults import FAULTS, Fault, elsewhere
from .python_packages import File, Project, wheel, world

Kind = Literal["real", "poor"]
Respond = Callable[[Request], Response]
T = TypeVar("T")


class PythonIndex:
    """`index` has the pages, `files` the files; `beyond` is a host that answers what `astray` sent there."""

    def __init__(self, kind: Kind, hosts: tuple[Origin, Origin, Origin], loop: asyncio.AbstractEventLoop) -> None:
        self.kind = kind
        self.index, self.files, self.beyond = hosts
        self.projects: dict[str, Project] = {}
        self._loop = loop
        self._healthy: dict[str, Respond] = {}
        self._flavour = (Real if kind == "real" else Poor)(self.files.url())
        for path in ("/simple/", "/simple"):
            self._offer(self.index, path, lambda request: self._flavour.root(request, list(self.projects)))

    @property
    def simple(self) -> str:
        """What a client, or a mirror, is set to."""
        return self.index.url("/simple")

    def publish(self, project: Project) -> Project:
        """The project's pages, and its files beside those that were published before."""
        self.projects[project.name] = project
        for path in spellings(project.name):
            self._offer(self.index, path, lambda request: self._flavour.page(request, project))
        for version in ("", *project.versions):
            path = f"/pypi/{project.name}{version and '/'}{version}/json"
            self._offer(self.index, path, lambda request, shown=version: self._flavour.legacy(request, project, shown))
        for file in project.files:
            self._offer(self.files, file.path, lambda request, shown=file: self._file(request, shown))
            if file.metadata is not None:
                path = f"{file.path}.metadata"
                self._offer(self.files, path, lambda request, shown=file: self._flavour.metadata(request, shown))
        return project

    def single(self, name: str, size: int = 2000, version: str = "1.0") -> tuple[Project, File]:
        """A new project with one wheel, so that a test has a cold file of its own."""
        file = wheel(name, version, size=size)
        return self.publish(Project(name, (file,))), file

    def fault(self, path: str, name: str, times: int = -1) -> threading.Event:
        """The fault of that name (python_faults.py) at `path`, now on or for the next `times` requests; what is
        returned is set when it has struck."""
        return self._afflict(path, FAULTS[name], times)

    def astray(self, path: str) -> None:
        """From now on what is at `path` is at the host `beyond`, to which its own host redirects."""
        self.beyond.route(path, body=self._healthy[path])
        self._afflict(path, elsewhere(self.beyond.url(path)), -1)

    def mend(self, path: str) -> None:
        """`path` is as it was published."""
        self._host(path).route(path, body=self._healthy[path])

    def down(self) -> None:
        """Nothing can be reached."""
        self._in_loop(self.index.down, self.files.down)

    def up(self) -> None:
        self._in_loop(self.index.up, self.files.up)

    def release(self, path: str) -> None:
        """Lets go what is `held` at `path`."""
        self._in_loop(lambda: self._host(path).release(path))

    def forget(self) -> None:
        """Empties the logs."""
        for host in (self.index, self.files, self.beyond):
            host.forget()

    @property
    def log(self) -> Log:
        """What the index and the file host were asked, oldest first."""
        return Log(sorted([*self.index.log, *self.files.log], key=lambda record: record.at))

    def gets(self, path: str) -> list[Record]:
        """The GETs of a path."""
        return [record for record in self.log.of(path) if record.method == "GET"]

    def _offer(self, host: Origin, path: str, respond: Respond) -> None:
        self._healthy[path] = respond
        host.route(path, body=respond)

    def _host(self, path: str) -> Origin:
        return self.files if path.startswith("/packages/") else self.index

    def _file(self, request: Request, file: File) -> Response:
        """404 for a `+` in the path that is not encoded: it means a space there."""
        return self._flavour.file(request, file) if " " not in file_path(request) else Response(404)

    def _afflict(self, path: str, fault: Fault, times: int) -> threading.Event:
        host, healthy, turn, struck = self._host(path), self._healthy[path], 0, threading.Event()

        def respond(request: Request) -> Response:
            nonlocal turn
            turn += 1
            struck.set()
            if turn == times:
                self.mend(path)
            return fault.change(healthy(request), turn)

        host.route(path, body=respond, shape=fault.shape)
        return struck

    def _in_loop(self, *acts: Callable[[], None]) -> None:
        async def run() -> None:
            for act in acts:
                act()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)


@contextmanager
def python_index(kind: Kind, *, filled: bool = True) -> Iterator[PythonIndex]:
    """A running index with the world of python_packages.py, or an empty one."""
    loop, stack = asyncio.new_event_loop(), AsyncExitStack()
    thread = threading.Thread(target=loop.run_forever, name="python-index")
    thread.start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    try:
        one, two, three = [run(stack.enter_async_context(Origin())) for _ in range(3)]
        index = PythonIndex(kind, (one, two, three), loop)
        for project in world().values() if filled else ():
            index.publish(project)
        try:
            yield index
        finally:
            run(stack.aclose())  # raises what went wrong in an origin
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
