"""A mirror between apt-get and an archive."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

from tests.instruments.apt import Apt
from tests.instruments.archive import Archive
from tests.instruments.generation import COMMON, Layout
from tests.instruments.origin import Origin
from tests.instruments.pipeline import Told, ask
from tests.instruments.server import Served, served
from tests.instruments.signer import Signer
from tests.instruments.wire import bound

HEAD = """
[cache]
min_free = "1MB"
durability = "none"
[upstream]
retries = {retries}
{upstream}
"""
MIRROR = """
[mirrors.{name}]
ecosystem = "apt"
upstream = "http://127.0.0.1:{port}/debian"
allow_private = true
{settings}
"""
AT_ONCE = 'ttl = "0s"\ngrace = "0s"'
"""A release is never fresh: each `apt-get update` has it asked for at the archive."""


class Mounts:
    """One server for many tests, because starting it takes longer than most of them: each takes a mirror of its own,
    and opens the archive at the port that is its upstream."""

    def __init__(self, folder: Path, total: int = 100) -> None:
        with ExitStack() as stack:
            ports = [stack.enter_context(bound(0)).getsockname()[1] for _ in range(total)]
        mirrors = (MIRROR.format(name=f"m{port}", port=port, settings=AT_ONCE) for port in ports)
        self._ports = iter(ports)
        self.server = Served(folder, HEAD.format(retries=0, upstream="") + "".join(mirrors))
        self.server.start()

    def take(self) -> tuple[str, int]:
        """Name and upstream port of a mirror that no test has had."""
        port = next(self._ports)
        return f"m{port}", port


class Rig:
    """The mirror is `name` of `server`; `archive` is its upstream, in this process."""

    def __init__(self, folder: Path, archive: Archive, server: Served, name: str) -> None:
        self.folder = folder
        self.archive = archive
        self.server = server
        self.name = name
        self._fresh = count()

    @property
    def origin(self) -> Origin:
        return self.archive.origin

    @property
    def url(self) -> str:
        return self.server.url(f"/{self.name}")

    def client(self, name: str = "apt", url: str = "", *, lines: tuple[str, ...] = (), settings: str = "") -> Apt:
        """A new client of the mirror, or of the archive at `url`."""
        place = "./" if self.archive.layout.flat else "stable main"
        lines = lines or (f"deb [{{key}}] {url or self.url} {place}",)
        return Apt(self.folder / name, self.archive.signer.keyring, *lines, settings=settings)

    def fresh(self) -> Apt:
        """A client of the mirror that was never here."""
        return self.client(f"fresh{next(self._fresh)}")

    async def get(self, name: str, *fields: str, method: str = "GET") -> Told:
        """What the mirror answers for that file of the archive, to a client such as apt."""
        return (await ask(self.server.port, self.target(name), method=method, fields=fields))[0]

    def target(self, name: str) -> str:
        """The path at the mirror of that file of the archive."""
        return self.archive.path(name).replace(self.archive.root, f"/{self.name}", 1)

    async def release(self, file: str = "InRelease") -> int:
        """The number of the generation whose release the mirror serves."""
        told = await self.get(self.archive.suite(file), "Cache-Control: max-age=0")
        assert told.status == 200, told
        return number(told.body)

    async def caught_up(self, apt: Apt, within: float = 30.0) -> None:
        """Update until the newest generation is there. Each time has to be fine."""
        deadline = time.monotonic() + within
        while await apt.updated() != self.archive.newest.number:
            assert time.monotonic() < deadline, self.server.log()[-4000:]
            await asyncio.sleep(0.5)  # another process: it tells nobody when it takes a new release

    def answers(self, part: str = "") -> list[tuple[int, str]]:
        """Status and outcome of the mirror's answers, in order, for paths that have `part` in them."""
        line = re.compile(r'mirror\.access.* "\S+ (\S+)" (\d+) .*\[(.*)\]')
        found = (line.search(each) for each in self.server.log().splitlines())
        return [
            (int(each[2]), each[3])
            for each in found
            if each and each[1].startswith(f"/{self.name}/") and part in each[1]
        ]


def number(release: bytes) -> int:
    """The number of the generation that a release is of."""
    found = re.search(rb"^Version: (\d+)$", release, re.MULTILINE)
    assert found, release[:500]
    return int(found[1])


class Labs:
    """Makes rigs in a test's folder: with a mirror of the server for all tests, or with one that has these settings."""

    def __init__(self, folder: Path, signer: Signer, mounts: Mounts) -> None:
        self.folder = folder
        self.signer = signer
        self._mounts = mounts

    @asynccontextmanager
    async def __call__(
        self, *, poor: bool = False, layout: Layout = COMMON, mirror: str = "", retries: int = 0, upstream: str = ""
    ) -> AsyncIterator[Rig]:
        """A mirror and its archive, until the end of the block. The mirror has had no error of its own."""
        name, port = self._mounts.take()
        with ExitStack() as stack:
            server = self._mounts.server
            if mirror:
                config = HEAD.format(retries=retries, upstream=upstream) + MIRROR.format(
                    name=name, port=port, settings=mirror
                )
                server = stack.enter_context(served(self.folder / "mirror", config))
            before = len(server.log())
            async with Origin(port) as origin:
                archive = Archive(origin, self.signer, poor=poor, layout=layout)
                yield Rig(self.folder, archive, server, name)
                assert "Traceback" not in server.log()[before:], server.log()[before:]
