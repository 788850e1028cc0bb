"""A mirror between apt-get and an archive."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, islice
from pathlib import Path

from tests.instruments.apt import Apt
from tests.instruments.archive import Archive
from tests.instruments.clock import eventually
from tests.instruments.generation import COMMON, Layout
from tests.instruments.origin import Origin
from tests.instruments.pipeline import Told, ask
from tests.instruments.ports import bound
from tests.instruments.server import Served, served
from tests.instruments.signer import Signer

HEAD = """
[cache]
min_free = "1MB"
durability = "none"
[upstream]
{upstream}
"""
MIRROR = """
[mirrors.m{port}]
ecosystem = "apt"
upstream = "http://127.0.0.1:{port}/debian"
allow_private = true
{settings}
"""
AT_ONCE = 'ttl = "0s"\ngrace = "0s"'
"""A release is never fresh: each `apt-get update` has it asked for at the archive."""
FOR_AN_HOUR = 'ttl = "1h"'
FOR_A_SECOND = 'ttl = "1s"\ngrace = "0s"'


class Mounts:
    """One server for many tests, because starting it takes longer than most of them: each takes a mirror of its own,
    and opens the archive at the port that is its upstream. Until the end nobody else gets one of these ports.
    `totals`: how many mirrors with which settings."""

    def __init__(self, folder: Path, totals: Mapping[str, int]) -> None:
        self._held = [bound() for _ in range(sum(totals.values()))]
        ports = (held.getsockname()[1] for held in self._held)
        self._ports = {settings: list(islice(ports, total)) for settings, total in totals.items()}
        mirrors = (mirror(port, settings) for settings, some in self._ports.items() for port in some)
        self.server = Served(folder, HEAD.format(upstream="retries = 0") + "".join(mirrors))
        self.server.start()

    def stop(self) -> None:
        """The server stops, and the ports are free."""
        self.server.stop()
        for held in self._held:
            held.close()

    def take(self, settings: str) -> int | None:
        """The upstream port of a mirror `m<port>` with these settings that no test has had; None: there are none."""
        if settings not in self._ports:
            return None
        assert self._ports[settings], f"give Mounts more mirrors with the settings {settings!r}"
        return self._ports[settings].pop()


def mirror(port: int, settings: str) -> str:
    """The table of the mirror `m<port>`."""
    return MIRROR.format(port=port, settings=settings)


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

    async def answers(self, part: str, after: int, least: int = 1) -> list[tuple[int, str]]:
        """Status and outcome of the mirror's answers for paths that have `part` in them, but for the first `after`.

        Waits until there are `least` of them: the mirror writes them down when clients have them already.
        """
        await eventually(lambda: len(self._answers(part)) >= after + least)
        return self._answers(part)[after:]

    def _answers(self, part: str) -> list[tuple[int, str]]:
        line = re.compile(rf'mirror\.access.* "\S+ (/{self.name}/\S+)" (\d+) .*\[(.*)\]')
        found = (line.search(each) for each in self.server.log().splitlines())
        return [(int(each[2]), each[3]) for each in found if each and part in each[1]]


def keyed(signer: Signer) -> str:
    """Settings: releases have to be signed by its key."""
    return f'{AT_ONCE}\nkeyring = "{signer.keyring}"'


def number(release: bytes) -> int:
    """The number of the generation that a release is of."""
    found = re.search(rb"^Version: (\d+)$", release, re.MULTILINE)
    assert found, release[:500]
    return int(found[1])


class Labs:
    """Makes rigs in a test's folder: with mirrors of the server for all tests, where it has some with these settings,
    else with one on a server of its own."""

    def __init__(self, folder: Path, signer: Signer, mounts: Mounts) -> None:
        self.folder = folder
        self.signer = signer
        self._mounts = mounts

    @asynccontextmanager
    async def __call__(
        self,
        *,
        poor: bool = False,
        layout: Layout = COMMON,
        settings: str = AT_ONCE,
        upstream: str = "",
    ) -> AsyncIterator[Rig]:
        """A mirror with these settings and its archive, until the end of the block; the mirror has had no error of its
        own. With settings for [upstream], too, it is on a server of its own."""
        port = None if upstream else self._mounts.take(settings)
        async with Origin(port or 0) as origin, AsyncExitStack() as stack:
            archive = Archive(origin, self.signer, poor=poor, layout=layout)
            server = (
                self._mounts.server if port else await stack.enter_async_context(self._own(origin, settings, upstream))
            )
            before = len(server.log())
            yield Rig(self.folder, archive, server, f"m{origin.port}")
            assert "Traceback" not in server.log()[before:], server.log()[before:]

    @asynccontextmanager
    async def _own(self, origin: Origin, settings: str, upstream: str) -> AsyncIterator[Served]:
        config = HEAD.format(upstream=upstream or "retries = 0") + mirror(origin.port, settings)
        with served(self.folder / "mirror", config) as server:
            yield server
