"""Options that several commands have."""

from __future__ import annotations

import argparse
import os


def config(parser: argparse.ArgumentParser) -> None:
    """`--config FILE`."""
    default = os.environ.get("MIRROR_CONFIG", "config.toml")
    parser.add_argument("--config", default=default, metavar="FILE", help=f"default: {default}")
