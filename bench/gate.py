"""What a policy costs the hits: CPU of the server for each, with one and without one, in rounds that are interleaved.

Two servers with the same content, one of which has a `[policy]`: a minimum age, denies, allowances for what is exempt.
`again` hits are written alike, so that a prepared reply answers them; `anew` ones each have a field of their own, so
that every part of the server has to look at them. The servers run on the last core, the one who asks on the others.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.hit.ask import Asker
from tests.instruments.origin import Origin
from tests.instruments.server import Served, served

VERSIONS = [f"1.{n}.0" for n in range(40)]
SIMPLE = "application/vnd.pypi.simple.v1+json"
BODY = b"PK\x03\x04" + bytes(100_000)
JSON = [("content-type", "application/json")]

POLICY = """
[policy]
min_age = "7d"
allow = [{ packages = ["*"] }]
deny = [{ packages = ["left-pad", "evil-*"] }, { packages = ["pkg:pypi/six@0.1"] }, { licenses = ["AGPL-*"] }]
exempt = [{ packages = ["acme-*"], owner = "ops", reason = "our own", until = 2099-01-01 }]
"""

WORKS = {
    "simple page": ("/p/simple/six/", f"Accept: {SIMPLE}\r\n"),
    "wheel": (f"/p/files/p/six-{VERSIONS[7]}-py3-none-any.whl", ""),
    "packument": ("/n/six", "Accept: application/vnd.npm.install-v1+json\r\n"),
    "tarball": (f"/n/six/-/six-{VERSIONS[7]}.tgz", ""),
}


def publish(origin: Origin) -> None:
    """One package for Python and one for npm; all of it is years old."""
    when, files, versions = "2020-01-01T00:00:00.000Z", [], {}
    for version in VERSIONS:
        name = f"six-{version}-py3-none-any.whl"
        hashes = {"sha256": hashlib.sha256(BODY).hexdigest()}
        files.append({"filename": name, "url": origin.url(f"/p/{name}"), "hashes": hashes, "upload-time": when})
        dist = {"tarball": origin.url(f"/six/-/six-{version}.tgz")}
        dist["shasum"] = hashlib.sha1(BODY, usedforsecurity=False).hexdigest()
        versions[version] = {"name": "six", "version": version, "dist": dist, "license": "MIT"}
        origin.route(f"/p/{name}", body=BODY)
        origin.route(f"/six/-/six-{version}.tgz", body=BODY)
    page = {"meta": {"api-version": "1.4"}, "name": "six", "files": files, "versions": VERSIONS}
    origin.route("/simple/six/", headers=[("content-type", SIMPLE)], body=json.dumps(page).encode())
    packument = {"name": "six", "dist-tags": {"latest": VERSIONS[-1]}, "versions": versions}
    packument["time"] = dict.fromkeys(VERSIONS, when)
    origin.route("/six", headers=JSON, body=json.dumps(packument).encode())


@contextmanager
def upstream() -> Iterator[Origin]:
    """An origin on a thread of its own: it is asked at the beginning only."""
    loop, known = asyncio.new_event_loop(), threading.Event()
    origin, over = Origin(), asyncio.Event()

    async def run() -> None:
        async with origin:
            publish(origin)
            known.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    known.wait()
    try:
        yield origin
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


class Place(NamedTuple):
    """A server to be asked, as `Asker` wants one."""

    name: str
    port: int


class Side:
    """One of the servers, and a connection to it."""

    def __init__(self, name: str, server: Served) -> None:
        self._server, self._count = server, 0
        self._asker = Asker(Place(name, server.port))  # type: ignore[arg-type]

    def cost(self, target: str, fields: str, count: int, *, anew: bool) -> float:
        """Microseconds of the server's CPU for each; `anew`: each has a field of its own."""
        before = spent(self._server.pid)
        for _ in range(count):
            self._count += 1
            self._asker.ask(target, fields + (f"X-Own: {self._count}\r\n" if anew else ""))
        return 1e6 * (spent(self._server.pid) - before) / count


def spent(pid: int) -> float:
    """Seconds that the threads of a process have had a core, to the nanosecond."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=4000, help="requests of each kind in a round")
    asked, cores = parser.parse_args(), sorted(os.sched_getaffinity(0))
    with upstream() as origin, ExitStack() as stack:
        askers = {}
        for name, policy in (("without", ""), ("with", POLICY)):
            config = f'[cache]\nmin_free = "1MB"\n{policy}[mirrors.p]\necosystem = "pypi"\n'
            config += f'upstream = "{origin.url("/simple")}"\n[mirrors.n]\necosystem = "npm"\n'
            config += f'upstream = "{origin.url("").rstrip("/")}"\n'
            server = stack.enter_context(served(Path(stack.enter_context(tempfile.TemporaryDirectory())), config))
            for task in os.listdir(f"/proc/{server.pid}/task"):
                os.sched_setaffinity(int(task), cores[-1:])
            askers[name] = Side(name, server)
        os.sched_setaffinity(0, cores[:-1] or cores)
        print("| hit | without, us | with, us | more (median of rounds) |\n|---|---|---|---|")
        for work, (target, fields) in WORKS.items():
            for anew in (False, True):
                count = asked.count if not anew else asked.count // 8
                for asker in askers.values():
                    asker.cost(target, fields, 20, anew=anew)
                rounds = [[each.cost(target, fields, count, anew=anew) for each in askers.values()]
                          for _ in range(asked.rounds)]  # fmt: skip
                less, more = (statistics.median(each) for each in zip(*rounds, strict=True))
                ratio = statistics.median(b / a for a, b in rounds) - 1
                print(f"| {work}, {'anew' if anew else 'again'} | {less:.1f} | {more:.1f} | {ratio:+.1%} |", flush=True)


if __name__ == "__main__":
    main()
