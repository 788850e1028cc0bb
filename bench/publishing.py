"""Publishing at random moments while apt-get update loops: through the mirror, and at the archive itself."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from tests.e2e.apt_rig import Labs, Mounts
from tests.instruments.generation import Layout
from tests.instruments.publishing import Publisher, Rounds, rounds
from tests.instruments.signer import Signer, signing

KINDS = {
    "plain names, real": (Layout(by_hash=False), False),
    "plain names, poor": (Layout(by_hash=False), True),
    "by-hash, real": (Layout(), False),
    "by-hash, poor": (Layout(), True),
    "Release and Release.gpg": (Layout(inrelease=False), False),
}


def settings(ttl: str) -> str:
    return f'ttl = "{ttl}"\ngrace = "0s"'


async def loop(labs: Labs, layout: Layout, poor: bool, direct: bool, options: argparse.Namespace) -> tuple[Rounds, str]:
    """The rounds, and how long the newest generation took to arrive after them."""
    async with labs(layout=layout, poor=poor, settings=settings(options.ttl)) as lab:
        apt = lab.client(url=lab.archive.url if direct else "")
        await apt.updated()
        found = await rounds(apt, Publisher(lab.archive, options.seed, pause=0.4, between=0.4), options.rounds)
        before = time.monotonic()
        try:
            await lab.caught_up(apt, within=60.0)
        except AssertionError:
            return found, "never"
        return found, f"{time.monotonic() - before:.1f} s"


async def measure(folder: Path, signer: Signer, options: argparse.Namespace) -> int:
    """Prints a line for each kind of archive; how many updates through the mirror failed, or saw an older generation
    than before."""
    columns = ("updates", "failed", "went back", "published", "seen", "newest in")
    print(f"{'archive':<26}{'asked':<10}", *(f"{column:>10}" for column in columns))
    wrong, mounts = 0, Mounts(folder / "mounts", {settings(options.ttl): 2 * len(KINDS)})
    try:
        for at, (kind, (layout, poor)) in enumerate(KINDS.items()):
            if options.kind not in (None, kind):
                continue
            for way in ("mirror", "archive"):
                labs = Labs(folder / f"{way}{at}", signer, mounts)
                found, newest = await loop(labs, layout, poor, way == "archive", options)
                back = sum(later < earlier for earlier, later in zip(found.seen, found.seen[1:], strict=False))
                counts = (options.rounds, len(found.failed), back, found.published, len(set(found.seen)), newest)
                print(f"{kind:<26}{way:<10}", *(f"{count:>10}" for count in counts), flush=True)
                wrong += (len(found.failed) + back + (newest == "never")) * (way == "mirror")
                if options.verbose:
                    print(*(said.text for said in found.failed), sep="\n")
    finally:
        mounts.server.stop()
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ttl", default="1s", help="for how long the mirror takes a release as fresh")
    parser.add_argument("--kind", choices=KINDS, help="one kind of archive only")
    parser.add_argument("--verbose", action="store_true", help="print what apt-get says where it fails")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, signing() as signer:
        return min(1, asyncio.run(measure(Path(folder), signer, options)))


if __name__ == "__main__":
    raise SystemExit(main())
