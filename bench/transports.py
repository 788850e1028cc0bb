"""Compares transports for httpx.AsyncClient against a raw-socket origin on loopback: faults, then cost.

    python -m bench.transports [--rounds 5] [--transports httpcore,httpx-aiohttp,pyreqwest,mirror]
                               [--loops asyncio,uvloop] [--only faults|cost]

httpcore is httpx's own transport, httpx-aiohttp the package of that name, pyreqwest the transport that pyreqwest ships,
mirror ours (mirror/transport.py); mirror@64 is ours with a read buffer of 64 KiB. What cannot be imported is left out,
and named. Prints Markdown tables. The origin and each client are processes of their own; nothing but loopback is used;
a run takes some five minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator

import httpx

from bench.transport.candidates import available, cost, transport
from bench.transport.origin import run_origin
from bench.transport.probes import faults

SELF = [sys.executable, "-m", "bench.transports"]


async def run_client(name: str, port: int, task: str) -> None:
    async with httpx.AsyncClient(
        transport=transport(name), base_url=f"http://127.0.0.1:{port}", timeout=httpx.Timeout(30, pool=2)
    ) as client:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        await (faults if task == "faults" else cost)(client)


@contextlib.contextmanager
def origin() -> Iterator[int]:
    process = subprocess.Popen([*SELF, "--role", "origin"], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())  # type: ignore[union-attr]
    finally:
        process.terminate()
        process.wait()


def ask(name: str, loop: str, task: str) -> dict[str, object]:
    with origin() as port:
        command = [*SELF, "--role", task, "--transports", name, "--loops", loop, "--port", str(port)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        except subprocess.TimeoutExpired as exc:
            return reported((exc.stdout or b"").decode()) | {"process": "**hangs**"}
    fatal = next((line for line in done.stderr.splitlines() if line.startswith("Fatal")), f"status {done.returncode}")
    return reported(done.stdout) | ({"process": f"**dies**: {fatal}"} if done.returncode else {})


def reported(output: str) -> dict[str, object]:
    """The lines that a client process printed, one result each, as far as it came."""
    return {row: value for line in output.splitlines() for row, value in json.loads(line).items()}


def table(title: str, columns: dict[str, dict[str, object]]) -> None:
    rows = dict.fromkeys(row for column in columns.values() for row in column)
    print(f"\n| {title} | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for row in rows:
        print(f"| {row.strip()} | " + " | ".join(str(column.get(row, "-")) for column in columns.values()) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transports", default="httpcore,httpx-aiohttp,pyreqwest,mirror")
    parser.add_argument("--loops", default="asyncio,uvloop")
    parser.add_argument("--only", choices=("faults", "cost"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--role", default="main", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role == "origin":
        asyncio.run(run_origin())
    elif given.role == "main":
        compare(available(given.transports.split(",")), given.loops.split(","), given.rounds, given.only)
    else:
        with runner(given.loops) as running:
            running.run(run_client(given.transports, given.port, given.role))


def runner(loop: str) -> asyncio.Runner:
    if loop == "asyncio":
        return asyncio.Runner()
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def compare(names: list[str], loops: list[str], rounds: int, only: str | None) -> None:
    for loop in loops if only != "cost" else []:
        table(f"fault, {loop}", {name: ask(name, loop, "faults") for name in names})
    if only == "faults":
        return
    samples: dict[str, list[dict[str, object]]] = {f"{name}, {loop}": [] for loop in loops for name in names}
    for _ in range(rounds):  # interleaved, so that a busy minute hits all alike
        for column, found in samples.items():
            name, loop = column.split(", ")
            found.append(ask(name, loop, "cost"))
    table(f"cost, median of {rounds}", {column: medians(found) for column, found in samples.items()})


def medians(samples: list[dict[str, object]]) -> dict[str, object]:
    rows = [row for row in samples[0] if row != "process"]
    return {row: f"{statistics.median(float(str(each[row])) for each in samples if row in each):.3g}" for row in rows}


if __name__ == "__main__":
    main()
