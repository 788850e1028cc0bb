"""Hits, 304s and misses through the mirror, nginx, Squid and Varnish: CPU per request of whole process trees.

Rounds are interleaved: each cache does each work once in a round. The caches run on the first core, what asks them
and the origin on the last. An answer that is wrong, or missing, ends the run. Prints ratios, too. A whole run
takes some 10 minutes, 20 GB below the folder for temporary files, and 8 GB of memory. `--write` keeps what was found in
bench/results/hits.json, and makes docs/performance.md anew.
"""

from __future__ import annotations

import argparse
import re

from bench.hit.ask import Asker
from bench.hit.cache import Cache
from bench.hit.caches import MAKERS, pinned
from bench.hit.load import wrk
from bench.hit.works import WORKS, Work
from bench.report import costs, page, results

Sample = tuple[float, float]  # microseconds of CPU for each request, requests per second


def measured(cache: Cache, work: Work, turn: int) -> Sample:
    """One cache does one work."""
    seed = work.seed(turn)
    fields = {} if work.kind == "miss" else warmed(cache, work, seed, checked=turn == 0)
    before = cache.cpu()
    if work.count:
        names = [f"{seed}-{number}" if work.kind == "miss" else seed for number in range(work.count)]
        with Asker(cache) as asker:
            count, wall = work.count, asker.timed([work.target(cache, name) for name in names])
    else:
        target = work.target(cache, f"{seed}-%d" if work.kind == "miss" else seed)
        count, wall = wrk(cache, target, work.connections, work.seconds, fields)
    return 1e6 * (cache.cpu() - before) / count, count / wall


def warmed(cache: Cache, work: Work, seed: str, *, checked: bool) -> dict[str, str]:
    """Asks until it is stored, looking at each byte of the first answer if `checked`; the fields to ask with then."""
    fields = {"Accept-Encoding": "gzip"} if work.kind == "packument" else {}
    looked_at = seed if checked and work.kind != "packument" and cache.name != "floor" else ""
    with Asker(cache) as asker:
        target, written = work.target(cache, seed), lines(fields)
        head = asker.ask(target, written, looked_at)
        for _ in range(2):
            head = asker.ask(target, written)
        if work.kind == "304":
            tag = re.search(rb'(?i)\r\netag: *("[^"]*")', head)
            assert tag is not None, (cache.name, head)
            fields = {"If-None-Match": tag[1].decode()}
            for _ in range(3):
                assert asker.ask(target, lines(fields)).startswith(b"HTTP/1.1 304"), cache.name
        if work.kind == "packument":
            assert re.search(rb"(?i)\r\ncontent-encoding: *gzip", head), (cache.name, head)
    return fields


def lines(fields: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items())


def rounds(caches: list[Cache], works: list[Work], number: int) -> dict[str, dict[str, list[Sample]]]:
    """Work -> cache -> a sample of each round. The order of the caches turns round with each."""
    found: dict[str, dict[str, list[Sample]]] = {work.name: {} for work in works}
    for turn in range(number):
        for work in works:
            for cache in caches if turn % 2 == 0 else reversed(caches):
                if work.by(cache):
                    cpu, speed = sample = measured(cache, work, turn)
                    found[work.name].setdefault(cache.name, []).append(sample)
                    print(f"{turn + 1} {work.name:34} {cache.name:8} {cpu:11,.1f} us CPU {speed:11,.1f} /s", flush=True)
    return found


def asked() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--works", default="", help="only those whose name has this in it")
    parser.add_argument("--caches", default=",".join(MAKERS))
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of requests, and of wrk's seconds")
    parser.add_argument("--write", action="store_true", help=f"keep the results, write {page.PAGE}")
    options = parser.parse_args()
    if options.write and options.works:
        parser.error("--write keeps a whole run, --works is a part")
    return options


def main() -> None:
    options = asked()
    works = [work.scaled(options.scale) for work in WORKS if options.works in work.name]
    with pinned(options.caches.split(","), "bench.hit.origin") as (_, caches):
        samples = rounds(caches, works, options.rounds)
        memory = {cache.name: cache.memory() for cache in caches}
    found = {"rounds": options.rounds, "works": samples, "memory": memory}
    print("", *costs.section(found), sep="\n")
    if options.write:
        results.save("hits", found)
        page.write()


if __name__ == "__main__":
    main()
