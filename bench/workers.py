"""Hits of 1 KiB over 64 connections with one worker and with several: requests per second, the mirror beside nginx.

Servers and wrk share all cores. On a machine with two, wrk takes from the second worker what it needs itself: what
nginx gains there by its second worker is what can be gained, and CPU per request tells what a core of its own would
give.
`--write` keeps what was found in bench/results/workers.json, and makes docs/performance.md anew.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from bench.hit.ask import Asker
from bench.hit.cache import Cache
from bench.hit.caches import folders, mirror, nginx
from bench.hit.load import wrk
from bench.hit.works import KIB, Work
from bench.report import capacity, page, results
from tests.instruments.origin import origin_process

WORK = Work("hit 1 KiB, 64 connections", KIB, connections=64)
MAKERS = {"mirror": mirror, "nginx": nginx}
Sample = tuple[float, float]  # microseconds of CPU for each request, requests per second


@contextmanager
def running(counts: list[int], origin: int) -> Iterator[dict[str, Cache]]:
    """Both with each number of workers; a server that does not start so is named and left out."""
    with ExitStack() as stack:
        root, found = stack.enter_context(folders()), {}
        for name, maker in MAKERS.items():
            for count in counts:
                folder = root / f"{name}{count}"
                folder.mkdir()
                try:
                    found[f"{name}, {count}"] = stack.enter_context(maker(folder, origin, count))
                except AssertionError as refusal:
                    print(f"{name} with {count} workers: left out: {str(refusal).strip()[-300:]}")
        yield found


def measured(cache: Cache, seconds: float) -> Sample:
    target = WORK.target(cache, "workers")
    with Asker(cache) as asker:
        for _ in range(8):
            asker.ask(target)
    before = cache.cpu()
    count, wall = wrk(cache, target, WORK.connections, seconds)
    return 1e6 * (cache.cpu() - before) / count, count / wall


def rounds(caches: dict[str, Cache], options: argparse.Namespace) -> dict[str, list[Sample]]:
    """Server and workers -> a sample of each round. Their order turns round with each."""
    found: dict[str, list[Sample]] = {}
    for turn in range(options.rounds):
        for name, cache in caches.items() if turn % 2 == 0 else reversed(caches.items()):
            cpu, speed = sample = measured(cache, options.seconds)
            found.setdefault(name, []).append(sample)
            print(f"{turn + 1} {name:12} {cpu:8.1f} us CPU {speed:10,.0f} /s", flush=True)
    return {name: found[name] for name in caches}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--workers", default=",".join(map(str, sorted({1, 2, cores}))))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--write", action="store_true", help=f"keep the results, write {page.PAGE}")
    options = parser.parse_args()
    counts = [int(count) for count in options.workers.split(",")]
    with origin_process() as origin, running(counts, urlsplit(origin.address).port or 80) as caches:
        samples = rounds(caches, options)
        memory = {name: cache.memory() for name, cache in caches.items()}
    found = {"rounds": options.rounds, "cores": cores, "samples": samples, "memory": memory}
    print("", *capacity.workers(found), sep="\n")
    if options.write:
        results.save("workers", found)
        page.write()


if __name__ == "__main__":
    main()
