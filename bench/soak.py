"""Mixed load with faults for some time: `python -m bench.soak [--minutes 60]`; memory, descriptors, fills and partials
are told every ten seconds, and compared at the end, at rest, with those after a warm start.

Clients ask for hot, new and large objects, leave in the middle, ask for ranges; the origin cuts, resets, is slow and
goes away; entries are purged and the configuration is read again. Every whole answer is compared with what the origin's
objects are. Exit code 1 where a byte was wrong, or something did not come back.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from tests.instruments import bodies
from tests.instruments.origin import origin_process
from tests.instruments.server import http_mirror, served
from tests.instruments.storms import LONG, Place, answer, asking

CONFIG = 'max_size = "60MB"\nmin_free = "1MB"'
CLIENTS = 12
KEPT = 60
"""Descriptors that a server has open at rest for what is asked for often, and for connections to origins."""
FAULTS = ("cut=50%", "reset=30%", "rate=200000", "wait=0.3", "drop=1", "status=503", "chunked=1")


@dataclass
class Soak:
    """What is asked of a place, and what came of it."""

    place: Place
    chance: random.Random
    over: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def target(self) -> tuple[str, int, str]:
        """Seed, size and address of the next one."""
        kind = self.chance.random()
        size = self.chance.choice([1000, 20_000, 300_000])
        if kind < 0.5:
            seed = f"hot{self.chance.randrange(30)}"
            return seed, 20_000, f"/o/obj/{seed}/20000?{LONG}"
        seed = f"new{self.chance.randrange(10**9)}"
        fault = f"&{self.chance.choice(FAULTS)}&times=2" if kind > 0.8 else ""
        return seed, size, f"/o/obj/{seed}/{size}?{LONG}{fault}"

    async def client(self) -> None:
        while not self.over:
            seed, _, target = self.target()
            reader = writer = None
            try:
                async with asyncio.timeout(30):
                    reader, writer = await self.place.connected()
                    writer.write(asking(target))
                    if self.chance.random() < 0.15:
                        await reader.read(100)
                        self.count("left")
                        continue
                    status, body = await answer(reader)
                self.count(str(status))
                if status == 200 and bodies.check(seed, 0, body) is not None:
                    self.wrong.append(target)
            except (OSError, EOFError, TimeoutError, KeyError) as exc:
                self.count(type(exc).__name__)
            finally:
                if writer is not None:
                    writer.transport.abort()

    async def trouble(self) -> None:
        """Purges, reloads, and the origin away for a moment."""
        while not self.over:
            await asyncio.sleep(3)
            what = self.chance.choice(["purge", "reload", "down"])
            self.count(what)
            if what == "purge":
                await asyncio.to_thread(self.purge)
            elif what == "reload":
                os.kill(self.place.server.pid, signal.SIGHUP)
            else:
                await asyncio.to_thread(self.place.origin.down)
                await asyncio.sleep(0.5)
                await asyncio.to_thread(self.place.origin.up)

    def purge(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.place.server.port, timeout=10)
        with suppress(OSError):
            connection.request("PURGE", f"/o/obj/hot{self.chance.randrange(30)}/20000?{LONG}")
            connection.getresponse().read()
        connection.close()

    async def figures(self) -> tuple[float, int, int, int]:
        """MiB, descriptors, partials, fills."""
        _, metrics = await self.place.ask("/-/api/fills")
        fills = metrics.count(b'"key"')
        server = self.place.server
        return (
            server.memory() / 2**20,
            self.place.descriptors(),
            len([*(server.cache / "partial").glob("*.part")]),
            fills,
        )


async def soaked(place: Place, minutes: float) -> int:
    soak = Soak(place, random.Random(1))
    _, before, _, _ = await soak.figures()
    end, began = time.monotonic() + 60 * minutes, time.monotonic()
    tasks = [asyncio.create_task(soak.client()) for _ in range(CLIENTS)]
    tasks.append(asyncio.create_task(soak.trouble()))
    warm = None
    while time.monotonic() < end:
        await asyncio.sleep(10)
        memory, fds, parts, fills = await soak.figures()
        warm = warm or memory
        if time.monotonic() - began > 60 * minutes / 3 and soak.counts.get("warm") is None:
            soak.counts["warm"], warm = 1, memory
        print(
            f"{time.monotonic() - began:5.0f} s {memory:.0f} MiB, {fds} fds, {parts} partials, {fills} fills",
            flush=True,
        )
    soak.over = True
    await asyncio.gather(*tasks)
    await asyncio.sleep(8)
    memory, fds, parts, fills = await soak.figures()
    hours = 60 * minutes * 2 / 3 / 3600
    print(f"at rest {memory:.0f} MiB, {fds} fds, {parts} partials, {fills} fills")
    print(f"slope {(memory - (warm or memory)) / hours:+.1f} MiB/h; {soak.counts}; wrong: {soak.wrong}")
    broken = {
        "wrong bytes": bool(soak.wrong),
        "nothing was asked": soak.counts.get("200", 0) < 100 * minutes,
        "downloads run on": fills > 0,
        "descriptors": fds > before + KEPT,
        "partials": parts > CLIENTS,
        "memory": memory > 1.25 * (warm or memory) + 16,
    }
    print("; ".join(name for name, is_so in broken.items() if is_so) or "all came back")
    return int(any(broken.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    minutes = parser.parse_args().minutes
    with (
        tempfile.TemporaryDirectory() as folder,
        origin_process() as origin,
        served(Path(folder), http_mirror(origin.url(), CONFIG)) as server,
    ):
        code = asyncio.run(soaked(Place(server, origin), minutes))
        if "Traceback" in server.log():
            print(server.log()[server.log().index("Traceback") - 500 :][:3000])
            code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
