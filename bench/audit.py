"""How long the record of what was handed out takes to be written, searched and verified: `python -m bench.audit`.

Beside it stands what the same search costs when every line is parsed.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from math import inf
from pathlib import Path

from mirror.audit.book import Book
from mirror.audit.chain import Event
from mirror.audit.folder import files
from mirror.audit.handed import handed
from mirror.audit.searching import search
from mirror.audit.verifying import verify
from mirror.audit.wanted import wanted
from mirror.model import Mirror, Request

PACKAGES, VERSIONS, CLIENTS = 5_000, 20, 500
RARE = "seldom"


def events(count: int) -> Iterator[Event]:
    """What clients of a busy day were given; one package of them only some got."""
    draw, now = random.Random(8), time.time()
    mirror = Mirror("pypi", "pypi")
    for number in range(count):
        package = RARE if number % (count // 10) == 5 else f"package-{int(PACKAGES * draw.random() ** 3)}"
        file = f"{package.replace('-', '_')}-{draw.randrange(VERSIONS)}.4.2-py3-none-any.whl"
        digest = sha256(file.encode()).hexdigest()  # a file has one, whoever gets it
        known = handed(mirror, Request("GET", f"/files/packages/{file}"), digest)
        assert known is not None
        client = f"10.0.{draw.randrange(CLIENTS) >> 8}.{draw.randrange(256)}"
        yield now - 1 + number / count, known.members(client, 200, 11_053, draw.choice(("HIT", "MISS")), whole=True)


def write(folder: Path, count: int, most: int = 10_000) -> float:
    """Seconds of CPU, less those in which the events were made up."""
    book, spent, batch = Book(folder, 100 * 10**6, inf), 0.0, []
    for each in events(count):
        batch.append(each)
        if len(batch) == most:
            began = time.process_time()
            book.append(batch)
            spent += time.process_time() - began
            batch = []
    book.append(batch)
    return spent


def timed(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    count = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit"
        spent = write(path, count)
        size = sum(file.stat().st_size for file in files(path))
        print(f"{count:,} records, {size / 1e6:.0f} MB in {len(files(path))} files")
        print(f"written: {1e6 * spent / count:.1f} us of CPU each")
        for asked in (f"pkg:pypi/{RARE}", RARE, "pkg:pypi/package-0@3.4.2", "pkg:pypi/package-0", "pkg:npm/nobody"):
            cpu = time.process_time()
            seconds = min(timed(lambda: list(search(path, wanted(asked)))) for _ in range(3))  # noqa: B023
            cpu = (time.process_time() - cpu) / 3
            found = len(list(search(path, wanted(asked))))
            print(f"who {asked}: {found:,} found in {seconds:.2f} s ({cpu:.2f} s of CPU)")
        cpu = time.process_time()
        print(f"verified in {timed(lambda: verify(path, print)):.1f} s ({time.process_time() - cpu:.1f} s of CPU)")


if __name__ == "__main__":
    main()
