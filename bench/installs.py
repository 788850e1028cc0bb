"""Installs 60 packages by pip, 300 by npm and 20 by apt-get: through the mirror, other caches and directly.

    scripts/bench installs [--parts pip,npm,apt] [--ways mirror,devpi,...] [--rounds 5] [--peers DIR]

All ask the registries that this machine's own clients are set to. In each round each cache is started anew, with
nothing stored ("cold"), and asked twice more by the same client, whose own cache is always empty ("warm"); the ways
take turns, so that a busy minute hits all alike. Prints seconds, median and least of all rounds. What is installed has
to be the same every time. A cache that is not installed is left out, and named. They come thus:

    python3 -m venv DIR/py && DIR/py/bin/pip install devpi-server proxpi gunicorn
    mkdir DIR/npm && cd DIR/npm && npm init -y && npm pkg set overrides.node-fetch=2 && npm install verdaccio@6
    apt-get install --no-install-recommends apt-cacher-ng   # and stop the service that this starts

(Verdaccio wants `node-fetch@cjs`, a tag that not every registry has: hence the override.)
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from bench.install import peers
from mirror import clients
from mirror.errors import Unavailable
from tests.instruments.installs import CLIENTS, Failed, Installed, install

Start = Callable[[Path], AbstractContextManager[str]]  # a folder of its own -> where the client asks
Samples = dict[str, dict[str, list[float]]]  # way -> "cold" or "warm" -> seconds

MIRRORS = {"pip": ("pypi", "pypi"), "npm": ("npm", "npm"), "apt": ("apt", "debian")}
PATHS = {"pip": "/pypi/simple/", "npm": "/npm/", "apt": "/debian"}
OTHERS = {
    "pip": {"devpi": (peers.devpi, "py/bin/devpi-server"), "proxpi": (peers.proxpi, "py/bin/gunicorn")},
    "npm": {"verdaccio": (peers.verdaccio, "npm/node_modules/.bin/verdaccio")},
    "apt": {"apt-cacher-ng": (peers.cacher, "apt/usr/sbin/apt-cacher-ng")},
}


def ways(part: str, upstream: str, folder: Path, chosen: set[str]) -> dict[str, Start]:
    """How the client of this part can ask: name -> what starts it. Prints which are not installed."""
    found: dict[str, Start] = {
        "direct": lambda _: nullcontext(f"{upstream}/" if part == "pip" else upstream),
        "mirror": partial(peers.mirror, PATHS[part]),
    }
    for name, (start, place) in OTHERS[part].items():
        if program := peers.program(folder, place):
            found[name] = partial(start, program, upstream=upstream)
        elif name in chosen or not chosen:
            print(f"{name}: left out, it is not installed ({folder / place})")
    return {name: start for name, start in found.items() if name in chosen or not chosen or name == "direct"}


def once(part: str, start: Start, runs: int) -> list[Installed]:
    """One round of one way: so many installs, from a cache that was empty before the first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "server").mkdir()
        with start(folder / "server") as address:
            return [install(part, address, folder / f"install{number}") for number in range(runs)]


def rounds(part: str, todo: dict[str, Start], number: int) -> Samples:
    """All rounds of a part. A way that fails, or installs something else than the first one, is named and given up."""
    samples: Samples = {name: {"cold": [], "warm": []} for name in todo}
    files: dict[str, str] = {}
    for turn in range(number):
        for name in turned(list(todo), turn):
            try:
                seen = once(part, todo[name], 1 if name == "direct" else 3)
            except (Failed, AssertionError, OSError) as failure:
                del todo[name]
                print(f"{part}, {name}: given up: {str(failure)[-500:]}", flush=True)
                continue
            files = files or seen[0].files
            same = all(each.files == files for each in seen)
            print(f"{part}, {name}: {' '.join(f'{each.seconds:.2f}' for each in seen)} s", flush=True)
            if same:
                samples[name]["cold"].append(seen[0].seconds)
                samples[name]["warm"] += [each.seconds for each in seen[1:]]
            else:
                del todo[name]
                print(f"{part}, {name}: given up: it installs something else", flush=True)
    return samples


def turned(names: list[str], turn: int) -> list[str]:
    """The names from another one on in each turn."""
    first = turn % max(1, len(names))
    return names[first:] + names[:first]


def table(part: str, samples: Samples) -> None:
    """Median and least seconds of each way, and how the median compares with direct and with the mirror."""
    print(f"\n| {part} | cold, s | least | / direct | / mirror | warm, s | least | / direct | / mirror |")
    print("|---|" + "---|" * 8)
    for name, kinds in samples.items():
        cells = [cell for kind in ("cold", "warm") for cell in four(samples, name, kind)]
        if kinds["cold"]:
            print(f"| {name} | " + " | ".join(cells) + " |")
    print(flush=True)


def four(samples: Samples, name: str, kind: str) -> list[str]:
    """The cells of one way, cold or warm; direct is neither, so it stands under cold."""
    seconds = samples[name][kind]
    if not seconds:
        return ["-"] * 4
    middle = statistics.median(seconds)
    against = [
        samples[other][which] if other in samples else [] for other, which in (("direct", "cold"), ("mirror", kind))
    ]
    ratios = [f"{middle / statistics.median(other):.2f}" if other else "-" for other in against]
    return [f"{middle:.2f}", f"{min(seconds):.2f}", *ratios]


def main() -> None:
    """Parse the options, run the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="pip,npm,apt")
    parser.add_argument(
        "--ways", default="", help="of mirror, devpi, proxpi, verdaccio, apt-cacher-ng; direct is always"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", type=Path, default=Path("peers"), help="where the other caches are installed")
    options = parser.parse_args()
    chosen = {name for name in options.ways.split(",") if name}
    for part in options.parts.split(","):
        if part not in CLIENTS:
            parser.error(f"there is no part {part}")
        try:
            upstream = clients.discover(*MIRRORS[part], frozenset()).url
        except Unavailable as reason:
            print(f"{part}: left out, {reason}")
            continue
        table(part, rounds(part, ways(part, upstream, options.peers, chosen), options.rounds))


if __name__ == "__main__":
    main()
