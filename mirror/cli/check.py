"""`mirror check`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from mirror import advisories
from mirror.cautions import cautions, ending
from mirror.cli import options, shown
from mirror.cli.codes import DONE, FOUND
from mirror.cli.welcome import upstreams
from mirror.config import load
from mirror.errors import ConfigError
from mirror.settings import Config


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.config(parser)


def run(chosen: argparse.Namespace) -> int:
    """Say all that is wrong with the configuration."""
    try:
        config = load(Path(chosen.config))
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return FOUND
    unavailable = [mirror for mirror in config.mirrors if mirror.unavailable]
    for mirror in config.mirrors:
        print(f"/{mirror.name}/  {mirror.ecosystem}  {upstreams(mirror)}")
    for line in (*cautions(config), *ending(config, time.time()), *_advisories(config)):
        print(f"note: {shown.clean(line)}")
    print(
        f"{config.path}: good"
        + (f", {len(unavailable)} of {len(config.mirrors)} mirrors unavailable" if unavailable else "")
    )
    return DONE


def _advisories(config: Config) -> list[str]:
    """What cannot be read of them, and what can. They are read as the server does it: that may take a minute."""
    absent = [each for each in config.copies if not each.path.is_file()]
    told = [f"advisories: of {each.url} there is no copy yet; a server that runs fetches it" for each in absent]
    files = [path for path in config.advisories if path not in {each.path for each in absent}]
    if files:
        found = advisories.read(files)
        told += [f"advisories: {problem}" for problem in found.problems]
        told.append(f"advisories: {found.count} are known")
    return told
