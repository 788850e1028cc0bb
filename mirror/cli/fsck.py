"""`mirror fsck`."""

from __future__ import annotations

import argparse
from pathlib import Path

from mirror.cli import options
from mirror.cli.codes import DONE, FOUND, WRONG
from mirror.clients import Discovered
from mirror.config import load
from mirror.errors import StoreError, Unavailable


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.config(parser)
    parser.add_argument(
        "--repair",
        action="store_true",
        help="delete what is damaged (it is fetched again), move what is not the mirror's own to lost/ in the cache, "
        "give blobs their entries, build a broken index again",
    )
    parser.add_argument("--quick", action="store_true", help="do not read the bodies")
    parser.add_argument("--json", action="store_true", help="one document for programs")


def run(chosen: argparse.Namespace) -> int:
    """Check what is stored, while no server uses it."""
    from mirror.cli.findings import AsJson, AsText  # completion loads all commands, and not the stores
    from mirror.stores.checking import check

    path = load(Path(chosen.config), discover=_unasked).cache.path
    report = AsJson(path, chosen) if chosen.json else AsText()
    try:
        counts = check(path, report, repair=chosen.repair, quick=chosen.quick)
    except StoreError as exc:
        report.failed(str(exc))
        return WRONG
    report.ended(path, counts)
    return FOUND if counts.open_damage else DONE


def _unasked(_ecosystem: str, _name: str, _own: frozenset[str]) -> Discovered:
    raise Unavailable("not asked")
