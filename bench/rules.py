"""What the rules cost: CPU microseconds of `before()` and of what else a hit asks of them, the best of rounds."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from math import inf

from mirror.httpcache import vary
from mirror.httpcache.conditional import evaluate
from mirror.httpcache.decision import before
from mirror.httpcache.fields import format_date
from mirror.httpcache.ranges import select
from mirror.model import Entry, Head, Headers, Plan, Request, Rule

NOW = 1_795_345_200.0
URL = "http://upstream.test/x"
PACKAGE = Rule(ttl=600.0, package=True)
IMMUTABLE = Rule(ttl=inf, keep=inf, package=True)
BUSY = "public, max-age=3600, s-maxage=7200, stale-while-revalidate=60, stale-if-error=86400, immutable"


def entry(*fields: tuple[str, str], further: int = 10) -> Entry:
    """A stored answer with these fields, a Date, an ETag, and `further` fields that no rule asks for."""
    others = tuple((f"x-field-{number}", "value") for number in range(further))
    headers = Headers((*others, ("date", format_date(NOW)), ("etag", '"a"'), *fields))
    return Entry("/m/x", URL, Head(200, headers, NOW, NOW), headers.only(("etag",)), "blob", 10, "ab" * 32)


def request(*fields: tuple[str, str]) -> Request:
    common = (("host", "mirror"), ("user-agent", "bench"), ("accept", "*/*"), ("accept-encoding", "gzip, br"))
    return Request("GET", "/x", headers=Headers((*common, *fields)))


def plan(rule: Rule) -> Plan:
    return Plan("/m/x", (URL,), rule)


def cases() -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    plain, directed = request(), request(("cache-control", "max-age=60, min-fresh=5"))
    aged = entry(("cache-control", "max-age=60"), ("age", "5"))
    guessed = entry(("last-modified", format_date(NOW - 86400)))
    dated = entry(("expires", format_date(NOW + 60)), ("vary", "accept-encoding, accept-language"))
    busy, long = entry(("cache-control", BUSY)), entry(("cache-control", "max-age=60"), further=100)
    known = request(("if-none-match", '"x", "y", "a"'))
    http = plan(Rule())
    return {
        "before: package, immutable": lambda: before(plain, plan_immutable, aged, NOW + 1),
        "before: package, ttl": lambda: before(plain, plan_package, aged, NOW + 1),
        "before: max-age and Age": lambda: before(plain, http, aged, NOW + 1),
        "before: max-age and 100 fields": lambda: before(plain, http, long, NOW + 1),
        "before: six directives": lambda: before(plain, http, busy, NOW + 1),
        "before: the client's directives": lambda: before(directed, http, aged, NOW + 1),
        "before: Expires": lambda: before(plain, http, dated, NOW + 1),
        "before: heuristic": lambda: before(plain, http, guessed, NOW + 1),
        "evaluate: If-None-Match": lambda: evaluate(known, 200, aged.head.headers, NOW + 1),
        "select: Range": lambda: select(ranged, aged.head.headers, 1000),
        "vary: the variant's key": lambda: vary.key("/m/x", dated.head, plain),
    }


plan_package, plan_immutable = plan(PACKAGE), plan(IMMUTABLE)
ranged = request(("range", "bytes=5-99"))


def measured(call: Callable[[], object], rounds: int, calls: int) -> float:
    """CPU microseconds of one call, the least of all rounds."""
    best = inf
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(calls):
            call()
        best = min(best, time.process_time() - started)
    return best / calls * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=5000)
    options = parser.parse_args()
    for name, call in cases().items():
        print(f"{name:34} {measured(call, options.rounds, options.calls):6.2f} us")


if __name__ == "__main__":
    main()
