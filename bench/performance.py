"""All that docs/performance.md shows, measured one after the other, and the page made anew: some 15 minutes."""

from __future__ import annotations

import subprocess
import sys

PARTS = ("hits", "ttfb", "workers", "connections")


def main() -> None:
    for part in PARTS:  # each a process of its own: they bind themselves to cores
        print(f"\n{part}\n", flush=True)
        subprocess.run([sys.executable, "-m", f"bench.{part}", "--write"], check=True)


if __name__ == "__main__":
    main()
