"""Hits and misses through the mirror, nginx, Squid and Varnish: CPU per request of the whole process tree, and ratios.

Rounds are interleaved: each cache does each piece of work once in a round. The caches run on one core, what asks them
on the other. `--write` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.hit.caches import Cache, running
from tests.instruments.origin import origin_process

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
FRESH = "cc=max-age=86400"
PAGE = Path("docs/performance.md")


@dataclass(frozen=True)
class Work:
    """`count` requests for an object of `size` bytes. `cold`: each for another one; `validated`: answered with 304."""

    name: str
    size: int
    count: int
    cold: bool = False
    validated: bool = False
    connections: int = 1


WORKS = [
    Work("hit 1 KiB", KIB, 20_000),
    Work("hit 1 KiB, 100 connections", KIB, 20_000, connections=100),
    Work("hit 20 KiB", 20 * KIB, 10_000),
    Work("304", 20 * KIB, 20_000, validated=True),
    Work("hit 1 MiB", MIB, 1_500),
    Work("hit 16 MiB", 16 * MIB, 100),
    Work("hit 1 GiB", GIB, 2),
    Work("miss 1 KiB", KIB, 1_000, cold=True),
    Work("miss 20 KiB", 20 * KIB, 1_000, cold=True),
    Work("miss 1 MiB", MIB, 200, cold=True),
    Work("miss 16 MiB", 16 * MIB, 20, cold=True),
]


class Asker:
    """Keep-alive connections to one cache, asked in turn; a body is read and thrown away."""

    def __init__(self, cache: Cache, connections: int) -> None:
        self.cache = cache
        self.sockets = [socket.create_connection(("127.0.0.1", cache.port)) for _ in range(connections)]
        for each in self.sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._room = bytearray(MIB)

    def ask(self, target: str, fields: str = "", nth: int = 0) -> bytes:
        """The head of the answer, whose body came whole."""
        sock = self.sockets[nth % len(self.sockets)]
        sock.sendall(f"GET {self.cache.path}{target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got:
            chunk = sock.recv(65536)
            assert chunk, (self.cache.name, target)
            got += chunk
        head, _, rest = got.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 304"):
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            assert length is not None, head
            left = int(length[1]) - len(rest)
            while left > 0:
                count = sock.recv_into(self._room, min(left, MIB))
                assert count
                left -= count
        return head

    def close(self) -> None:
        for each in self.sockets:
            each.close()


def measured(cache: Cache, work: Work, turn: int) -> tuple[float, float]:
    """Microseconds of CPU and of wall clock for each request."""
    asker = Asker(cache, work.connections)
    seed = f"{work.name.replace(' ', '').replace(',', '')}{turn if work.cold else ''}"
    target = f"/obj/{seed}/{work.size}?{FRESH}"
    fields = ""
    if not work.cold:
        for nth in range(3 * work.connections if work.size < MIB else 3):
            head = asker.ask(target, nth=nth)
        if work.validated:
            tag = re.search(rb'(?i)\r\netag: *("[^"]*")', head)
            assert tag is not None
            fields = f"If-None-Match: {tag[1].decode()}\r\n"
            for _ in range(3):
                assert asker.ask(target, fields).startswith(b"HTTP/1.1 304"), cache.name
    targets = (
        [f"/obj/{seed}-{n}/{work.size}?{FRESH}" for n in range(work.count)] if work.cold else [target] * work.count
    )
    cpu, began = cache.cpu(), time.perf_counter()
    for nth, each in enumerate(targets):
        asker.ask(each, fields, nth)
    wall = time.perf_counter() - began
    spent = cache.cpu() - cpu
    asker.close()
    return 1e6 * spent / work.count, 1e6 * wall / work.count


def table(found: dict[tuple[str, str], list[float]], works: list[Work], caches: list[str]) -> list[str]:
    """Medians in microseconds, and the median of the ratios to nginx in the same round."""
    lines = ["| work | " + " | ".join(caches) + " | mirror / nginx |", "|---|" + "---|" * (len(caches) + 1)]
    for work in works:
        cells = []
        for cache in caches:
            values = found.get((work.name, cache), [])
            cells.append(f"{statistics.median(values):,.0f}" if values else "-")
        ours, theirs = found.get((work.name, "mirror"), []), found.get((work.name, "nginx"), [])
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=False)) if ours and theirs else None
        lines.append(f"| {work.name} | " + " | ".join(cells) + f" | {f'{ratio:.2f}' if ratio else '-'} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--works", default="", help="only those whose name has this in it")
    parser.add_argument("--caches", default="mirror,nginx,squid,varnish")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of requests")
    parser.add_argument("--write", action="store_true", help=f"write the table to {PAGE}")
    options = parser.parse_args()
    works = [
        Work(w.name, w.size, max(1, int(w.count * options.scale)), w.cold, w.validated, w.connections)
        for w in WORKS
        if options.works in w.name
    ]
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])  # the caches inherit it
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with origin_process() as origin:
        os.sched_setaffinity(origin.pid, cores[-1:])
        with running(options.caches.split(","), urlsplit(origin.address).port or 80) as caches:
            os.sched_setaffinity(0, cores[-1:])
            for turn in range(options.rounds):
                for work in works:
                    for cache in caches if turn % 2 == 0 else reversed(caches):
                        cpu, wall = measured(cache, work, turn)
                        found[work.name, cache.name].append(cpu)
                        print(
                            f"{turn + 1} {work.name:28} {cache.name:8} {cpu:12,.1f} us CPU {wall:12,.1f} us", flush=True
                        )
            names = [cache.name for cache in caches]
            memory = ", ".join(f"{cache.name} {cache.memory() // MIB} MiB" for cache in caches)
    lines = table(found, works, names)
    print("\nmicroseconds of CPU for each request, medians\n", *lines, f"\nresident at the end: {memory}", sep="\n")
    if options.write:
        write(lines, memory, options.rounds)


def write(lines: list[str], memory: str, rounds: int) -> None:
    """The page, made anew."""
    text = [
        "# What requests cost",
        "",
        "Made by `scripts/bench hits --write`. Microseconds of CPU (user and system, whole process tree) for each",
        f"request: medians of {rounds} interleaved rounds on one machine with two cores, the caches on one of them,",
        "what asks them and the origin on the other. Machines differ and are noisy: what counts is the last column,",
        "the median of the ratios within a round.",
        "",
        *lines,
        "",
        f"Resident memory at the end of the run: {memory}.",
        "",
    ]
    PAGE.write_text("\n".join(text))


if __name__ == "__main__":
    main()
