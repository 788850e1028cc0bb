"""`mirror check`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mirror.cautions import cautions
from mirror.cli import options
from mirror.cli.codes import DONE, FOUND
from mirror.cli.welcome import upstreams
from mirror.config import load
from mirror.errors import ConfigError


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
    for line in cautions(config):
        print(f"note: {line}")
    print(
        f"{config.path}: good"
        + (f", {len(unavailable)} of {len(config.mirrors)} mirrors unavailable" if unavailable else "")
    )
    return DONE
