"""What a packument of 100 MB costs: seconds to rewrite it on a thread, the event loop's worst stall, memory."""

from __future__ import annotations

import argparse
import asyncio
import gc
import gzip
import json
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mirror.ecosystems import packuments
from mirror.ecosystems.views import View
from mirror.model import Headers
from mirror.policy.artifact import Artifact, Verdict

MiB = 1 << 20
MOUNT = "http://localhost:8000/npm"
TICK = 0.001


def manifest(number: int) -> dict[str, object]:
    """One version as a registry has it, of about 2.3 kB."""
    version = f"{number // 100}.{number % 100}.0"
    return {
        "name": "large",
        "version": version,
        "description": 'reads "tarball":"x" in its own text: größer als nötig',
        "scripts": {f"task-{task}": "node script.js --with 'an argument'" for task in range(8)},
        "dependencies": {f"package-{other}": f"^{other}.{number % 9}.1" for other in range(20)},
        "devDependencies": {f"@scope/tool-{other}": f"~{other}.0.{number % 7}" for other in range(20)},
        "maintainers": [{"name": "somebody", "email": "somebody@example.com"}] * 3,
        "gitHead": f"{number:040x}",
        "dist": {
            "shasum": f"{number:040x}",
            "tarball": f"https://upstream.test/large/-/large-{version}.tgz",
            "integrity": "sha512-" + "A" * 86 + "==",
            "fileCount": 120,
            "unpackedSize": 1234567,
            "signatures": [{"keyid": "SHA256:x", "sig": "y" * 96}],
            "attestations": {"url": f"https://upstream.test/-/npm/v1/attestations/large@{version}", "provenance": {}},
        },
    }


def packument(size: int) -> bytes:
    """A full document of about that many bytes."""
    one = len(json.dumps(manifest(0))) + 60
    count = max(1, size // one)
    parts = [f'{{"_id":"large","name":"large","dist-tags":{{"latest":"0.0.0"}},"readme":{json.dumps("x" * 60_000)}']
    parts.append(',"time":' + json.dumps({f"{n // 100}.{n % 100}.0": "2020-01-01T00:00:00.000Z" for n in range(count)}))
    versions = (f'"{n // 100}.{n % 100}.0":{json.dumps(manifest(n), ensure_ascii=False)}' for n in range(count))
    return "".join((*parts, ',"versions":{', ",".join(versions), "}}")).encode()


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Highest:
    """The most resident bytes while it is entered, looked at each 5 ms, beyond those at its beginning."""

    def __enter__(self) -> Highest:
        self.start = self.most = resident()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(5 * TICK):
            self.most = max(self.most, resident())

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        return self.most - self.start


async def stalled(work: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds that the work took on a thread; the longest time by which the loop was late meanwhile; and the most CPU
    time that this process took between two of its steps, which other processes do not add to."""
    late, spent, started = 0.0, 0.0, time.monotonic()
    running = asyncio.ensure_future(asyncio.to_thread(work))
    while not running.done():
        asleep, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(TICK)
        late = max(late, time.monotonic() - asleep - TICK)
        spent = max(spent, time.process_time() - cpu)
    await running
    return time.monotonic() - started, late, spent


def drained(body: bytes, *, short: bool = False, coding: str = "identity", view: View | None = None) -> None:
    """Rewrite the body, and let each piece go at once, as the compressor does."""
    headers = Headers.of({"content-encoding": coding})
    for _ in packuments.rewritten(body, headers, package="large", mount=MOUNT, short=short, view=view).pieces:
        pass


def all_pass(_: Artifact) -> Verdict:
    return Verdict(True, "none")


def odd_ones(artifact: Artifact) -> Verdict:
    """Half of the versions are refused: every second one, which is the most work."""
    return Verdict(artifact.version[-3] not in "13579", "deny", f"{artifact.version} is denied")


def busy() -> None:
    """Two seconds of small steps: what the loop's lateness is with any work on another thread."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        pass


def measured(name: str, work: Callable[[], object], size: int) -> None:
    gc.collect()
    with Highest() as highest:
        took, late, spent = asyncio.run(stalled(work))
    growth = f"growth {highest.growth / MiB:5.0f} MiB = {highest.growth / size:.2f} x"
    print(f"{name:32} {took:6.2f} s  stall {1000 * late:6.1f} ms (CPU {1000 * spent:6.1f} ms)  {growth}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100, help="MB (10^6 bytes)")
    parser.add_argument("--parsed", action="store_true", help="json.loads and json.dumps, too, for comparison")
    options = parser.parse_args()
    body = packument(options.size * 1_000_000)
    print(f"{len(body) / 1e6:.0f} MB")
    packed = gzip.compress(body, 5)
    measured("a busy thread, to compare with", busy, len(body))
    measured("rewritten, piece by piece", lambda: drained(body), len(body))
    measured("the same, stored as gzip", lambda: drained(packed, coding="gzip"), len(body))
    measured(
        "rewritten, joined", lambda: packuments.rewritten(body, Headers(), package="large", mount=MOUNT).body, len(body)
    )
    measured("abbreviated from the full one", lambda: drained(body, short=True), len(body))
    measured("all may be seen", lambda: drained(body, view=all_pass), len(body))
    measured("every second version hidden", lambda: drained(body, view=odd_ones), len(body))
    measured("the same, abbreviated", lambda: drained(body, short=True, view=odd_ones), len(body))
    measured("facts", lambda: sum(1 for _ in packuments.facts(body, Headers(), package="large")), len(body))
    if options.parsed:
        measured("json.loads and json.dumps", lambda: json.dumps(json.loads(body)).encode(), len(body))


if __name__ == "__main__":
    main()
