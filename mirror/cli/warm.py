"""`mirror warm`."""

from __future__ import annotations

import argparse
import re
import sys
from itertools import groupby
from pathlib import Path

from rich.progress import Progress

from mirror import locks
from mirror.choosing import Target
from mirror.cli import following, options, shown
from mirror.cli.codes import DONE, FOUND
from mirror.client import Client
from mirror.errors import ConfigError
from mirror.locks import Lock, Skipped, Wanted
from mirror.resolving import Resolved, resolve

_PATH = "/-/api/warm"
_AT_ONCE = 10_000
"""Addresses of one job."""


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("urls", nargs="*", metavar="URL", help="as clients ask it, or as an upstream has it")
    parser.add_argument("-r", dest="files", action="append", default=[], metavar="FILE", help="a lock file; -: stdin")
    parser.add_argument("--format", choices=tuple(locks.FORMATS), help="of the files, if their names do not tell")
    parser.add_argument("--mirror", default="", metavar="M", help="which, if there are several for the ecosystem")
    parser.add_argument("--python", default="", metavar="X.Y", help="wheels for this Python (default: the one here)")
    parser.add_argument("--all-files", action="store_true", help="for all machines, not only such as this one")
    parser.add_argument("--dry-run", action="store_true", help="only tell the addresses")
    following.add(parser)
    options.server(parser)
    parser.epilog = (
        f"Formats: {', '.join(locks.FORMATS)}. Dependencies of requirements are not looked up: a lock file names them."
    )


def run(chosen: argparse.Namespace) -> int:
    """Fetch what is named, before anybody asks for it."""
    if not chosen.urls and not chosen.files:
        raise ConfigError(["warm what? Name URLs, or lock files with -r FILE"])
    if chosen.python and not re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,3}", chosen.python):
        raise ConfigError([f"--python {chosen.python}: write 3.12"])
    lock = Lock([Wanted("", url, url=url) for url in chosen.urls])
    before: set[Path] = set()
    for name in chosen.files:
        _read(name, chosen.format, lock, before)
    with options.client(chosen) as client:
        target = Target() if chosen.all_files else Target.here(chosen.python)
        resolved = _resolved(client, lock, chosen, target)
        _besides([*lock.skipped, *resolved.skipped], resolved.failed)
        if chosen.dry_run:
            shown.document({"urls": resolved.addresses}) if chosen.json else print("\n".join(resolved.addresses))
            return FOUND if resolved.failed else DONE
        if not resolved.addresses:
            shown.say("nothing to fetch")
        portions = _portions(resolved.addresses)
        codes = [following.through(client, client.post(_PATH, {"urls": urls}), chosen) for urls in portions]
    return FOUND if resolved.failed else max(codes, default=DONE)


def _portions(addresses: list[str]) -> list[list[str]]:
    return [addresses[at : at + _AT_ONCE] for at in range(0, len(addresses), _AT_ONCE)]


def _read(name: str, format: str | None, into: Lock, before: set[Path]) -> None:  # noqa: A002
    """A file, and those that it includes, each once."""
    path = Path(name)
    if path.resolve() in before:
        return
    before.add(path.resolve())
    try:
        text = (sys.stdin.buffer.read() if name == "-" else path.read_bytes()).decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{name}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{name}: not UTF-8 text"]) from error
    try:
        lock = locks.read(text, format or locks.kind(name, text))
    except ConfigError as error:
        raise ConfigError([f"{name}: {error}"]) from error
    into.wanted += lock.wanted
    into.skipped += lock.skipped
    for included in lock.includes:
        _read(str(path.parent / included), "requirements", into, before)


def _resolved(client: Client, lock: Lock, chosen: argparse.Namespace, target: Target) -> Resolved:
    console = shown.console(errors=True)
    if chosen.json or not console.is_terminal:
        return resolve(client, lock.wanted, chosen.mirror, target, lambda done, total: None)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("looking things up", total=None)
        return resolve(
            client,
            lock.wanted,
            chosen.mirror,
            target,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )


def _besides(skipped: list[Skipped], failed: list[Skipped]) -> None:
    """What is left out, by reason; what is not to be found."""
    for reason, each in groupby(sorted(skipped, key=lambda one: one.reason), key=lambda one: one.reason):
        names = [one.what for one in each]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        shown.say(f"skipped, {reason}: {', '.join(names[:5])}{more}")
    for one in failed:
        shown.say(f"not found: {one.what}: {one.reason}")
