"""What a mirror costs that has 1,000 entries, and one that has a million: start, hits, memory, purges.

    scripts/bench entries [--counts 1000,1000000] [--folder DIR]

The entries are generated in a temporary folder: bodies of 1 KiB, about 5.6 GB for a million, on the disk of `--folder`;
they are removed at the end. Times of a start are from the process's beginning to the first hit (a 200 that the origin
had no part in). "behind": until the server has nothing to do any more. Hits are asked one after the other.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from bench.entry.made import GROUP, Made, check, stored
from tests.instruments.origin import origin_process
from tests.instruments.server import Served, http_mirror

LASTING = 'max_size = "1TB"\nmin_free = "1MB"'
MEANWHILE = 2.0
"""Seconds of hits while the server still has something to do behind them."""

Figures = dict[str, str]


class Begun(Served):
    """A server that counts as started when it has answered its first hit."""

    made: Made

    def _status(self) -> int:
        try:
            with asked(self) as get:
                return 200 if get(self.made.path(0)) else 0
        except OSError:
            return 0

    def begin(self) -> float:
        """Start it; seconds to the first hit."""
        began = time.perf_counter()
        self.start()
        return time.perf_counter() - began


@contextmanager
def asked(server: Served) -> Iterator[Callable[[str], bool]]:
    """What asks for a path over one connection: True where that was a hit."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)

    def get(path: str) -> bool:
        connection.request("GET", f"/o{path}")
        response = connection.getresponse()
        response.read()
        return response.status == 200 and response.headers["X-Cache"] == "HIT"

    try:
        yield get
    finally:
        connection.close()


def hits(server: Served, paths: Iterable[str]) -> tuple[float, list[float]]:
    """Microseconds of CPU for each hit, and the seconds that each took, sorted."""
    took = []
    cpu = server.cpu()
    with asked(server) as get:
        for path in paths:
            began = time.perf_counter()
            assert get(path), path
            took.append(time.perf_counter() - began)
    return 1e6 * (server.cpu() - cpu) / len(took), sorted(took)


def lasting(path: Callable[[], str], seconds: float) -> Iterator[str]:
    """A path after the other, for so long."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        yield path()


def times(took: list[float]) -> str:
    return f"{1e3 * statistics.median(took):.2f} / {1e3 * took[len(took) * 99 // 100]:.2f} ms"


def idle(server: Served) -> float:
    """Wait until the server has used no CPU worth the name for two seconds; seconds until then."""
    began = quiet = time.perf_counter()
    used = server.cpu()
    while time.perf_counter() - quiet < 2.0:
        time.sleep(0.1)
        now = server.cpu()
        if now - used > 0.02:
            used, quiet = now, time.perf_counter()
    return quiet - began


def mib(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB"


def started(server: Begun, how: str, figures: Figures) -> None:
    figures[f"{how}: first hit"] = f"{server.begin():.2f} s"
    began = time.perf_counter()
    dice = random.Random(how)
    cpu, used = server.cpu(), time.perf_counter()
    _, one = hits(server, lasting(lambda: server.made.path(0), MEANWHILE))
    _, cold = hits(server, lasting(lambda: server.made.path(dice.randrange(server.made.count)), MEANWHILE))
    figures[f"{how}: hot hits meanwhile, median / 99 %"] = times(one)
    figures[f"{how}: random hits meanwhile, median / 99 %"] = times(cold)
    figures[f"{how}: cores in use meanwhile"] = f"{(server.cpu() - cpu) / (time.perf_counter() - used):.2f}"
    with asked(server) as get:
        began_miss = time.perf_counter()
        get(f"/obj/{how.replace(' ', '-')}/1024?cc=max-age=86400")
        figures[f"{how}: a miss meanwhile"] = f"{time.perf_counter() - began_miss:.2f} s"
    idle_after = time.perf_counter() - began + idle(server)
    figures[f"{how}: behind"] = f"{idle_after:.1f} s"
    figures[f"{how}: memory, then / at most"] = f"{mib(server.memory())} / {mib(server.peak())}"
    _, one = hits(server, lasting(lambda: server.made.path(0), MEANWHILE))
    figures[f"{how}: hot hits afterwards, median / 99 %"] = times(one)


def purge(server: Served, matched: int, **what: list[str]) -> str:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=600)
    began = time.perf_counter()
    connection.request("POST", "/-/api/purge", json.dumps(what), {"content-type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    took = time.perf_counter() - began
    connection.close()
    assert answer["matched"] == answer["purged"] == matched, answer
    return f"{1e3 * took:.1f} ms"


def measured(server: Begun) -> Figures:
    """All that is measured of one cache; it has been stopped cleanly before."""
    figures: Figures = {}
    made = server.made
    started(server, "clean start", figures)
    server.kill()
    started(server, "unclean start", figures)
    figures["stop"] = seconds(server.stop)
    figures["second clean start: first hit"] = f"{server.begin():.2f} s"
    idle(server)
    chosen = random.Random(2).sample(range(1, made.count), min(5000, made.count - 1))
    cold, took = hits(server, map(made.path, chosen))
    figures["CPU of a hit, another entry each time"] = f"{cold:.0f} us"
    figures["time of such a hit, median / 99 %"] = times(took)
    figures["CPU of a hit, one entry"] = f"{hits(server, [made.path(0)] * 20_000)[0]:.0f} us"
    figures["memory after that"] = mib(server.memory())
    figures["purge of one URL"] = purge(server, 1, urls=[f"/o{made.path(made.count // 2)}"])
    prefix = made.path(made.count - 1).rpartition("/")[0]
    figures[f"purge of a prefix with {GROUP}"] = purge(server, GROUP, prefixes=[f"/o{prefix}/"])
    server.stop()
    return figures


def seconds(call: Callable[[], object]) -> str:
    began = time.perf_counter()
    call()
    return f"{time.perf_counter() - began:.2f} s"


def measure(count: int, folder: Path, upstream: str) -> Figures:
    server = Begun(folder, http_mirror(upstream, LASTING))
    plain = Served(folder / "first", http_mirror(upstream, LASTING))
    plain.start()
    with asked(plain) as get:
        get("/obj/template/1024?cc=max-age=86400")
    plain.stop()
    server.made = Made(server.cache, stored(plain.cache), count)
    plain.cache.rename(server.cache)
    print(f"{count:,} entries made in {seconds(server.made.make)}", flush=True)
    try:
        return measured(server)
    finally:
        server.stop()
        if lines := [line for line in server.log().splitlines() if "WARN" in line or "ERROR" in line]:
            print(*lines[:10], sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1000,1000000", help="of entries, each above 200")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where there is room for them")
    options = parser.parse_args()
    found: dict[int, Figures] = {}
    with origin_process() as origin:
        for count in map(int, options.counts.split(",")):
            check(options.folder, count)
            with tempfile.TemporaryDirectory(prefix="entries-", dir=options.folder) as name:
                found[count] = measure(count, Path(name), origin.url())
    print("\n| | " + " | ".join(f"{count:,} entries" for count in found) + " |\n|---|" + "---|" * len(found))
    for row in next(iter(found.values())):
        print(f"| {row} | " + " | ".join(figures[row] for figures in found.values()) + " |")


if __name__ == "__main__":
    main()
