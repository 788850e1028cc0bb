"""`mirror purge`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mirror.cli import following, options, shown
from mirror.cli.codes import DONE, FOUND
from mirror.client import Client
from mirror.errors import ConfigError

_PATH = "/-/api/purge"
_NAMED = ("urls", "prefixes", "globs", "tags", "purls", "mirrors")
_SHOWN = 20

Purged = dict[str, Any]


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("urls", nargs="*", metavar="URL", help="as clients ask it: /pypi/simple/six/")
    several = (
        ("--prefix", "prefixes", "P", "all that begins so: /npm/@acme/"),
        ("--glob", "globs", "G", "all that fits: '/npm/**/*.tgz' (* within a segment, ** across, ?, [...])"),
        ("--tag", "tags", "T", "all with this tag: npm:react"),
        ("--purl", "purls", "P", "a package: pkg:pypi/six, pkg:npm/%%40acme/x@1.0.0"),
        ("--mirror", "mirrors", "M", "all of a mirror"),
    )
    for option, name, word, does in several:
        parser.add_argument(option, dest=name, action="append", default=[], metavar=word, help=does)
    parser.add_argument("--everything", action="store_true", help="all that is stored")
    parser.add_argument("--soft", action="store_true", help="expire it, keep the bytes")
    parser.add_argument("--dry-run", action="store_true", help="only tell what would go")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options.server(parser)
    parser.epilog = (
        "On a terminal, what would go is shown first, and asked for. Elsewhere, and with --json, nobody is asked; "
        "--everything and --mirror need --yes there."
    )


def run(chosen: argparse.Namespace) -> int:
    """Remove, or expire, what is stored."""
    selection = {name: getattr(chosen, name) for name in _NAMED if getattr(chosen, name)}
    if chosen.everything:
        selection["everything"] = True
    if not selection:
        raise ConfigError(["purge what? Name URLs, --prefix, --glob, --tag, --purl, --mirror or --everything"])
    body = selection | {"soft": chosen.soft}
    asked = not (chosen.yes or chosen.json or chosen.dry_run) and sys.stdin.isatty() and sys.stdout.isatty()
    if not (asked or chosen.yes or chosen.dry_run) and (chosen.everything or chosen.mirrors):
        raise ConfigError(["nobody can be asked here: purging everything, or a whole mirror, takes --yes"])
    with options.client(chosen) as client:
        if asked:
            would = _purged(client, body | {"dry_run": True})
            _print(would)
            if not would["matched"] and not would["in_flight"]:
                return DONE
            if not _agreed(chosen.soft):
                return FOUND
        found = _purged(client, body | {"dry_run": chosen.dry_run}, quiet=chosen.json)
    if chosen.json:
        shown.document(found)
    else:
        _print(found, listed=chosen.dry_run)
    return DONE


def _purged(client: Client, body: dict[str, Any], *, quiet: bool = False) -> Purged:
    """The purge's answer; where it takes longer, its job's result."""
    answer: Purged = client.post(_PATH, body)
    if not answer.get("job"):
        return answer
    job = following.follow(client, client.get(f"/-/api/jobs/{answer['job']}"), quiet=quiet)
    following.ended(job)
    return answer | (job["result"] or {})


def _agreed(soft: bool) -> bool:
    print(f"{'Expire' if soft else 'Remove'} it? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _print(found: Purged, *, listed: bool = True) -> None:
    if listed:
        for key in found["entries"][:_SHOWN]:
            print(f"  {shown.clean(key)}")
        if found["matched"] > min(_SHOWN, len(found["entries"])):
            print(f"  ... of {found['matched']}")
    number = found["matched"] if found["dry_run"] else found["purged"]
    verb = "would be " * found["dry_run"] + ("expired" if found["soft"] else "removed")
    freed = "" if found["soft"] else f", {shown.size(found['bytes'])}"
    line = f"{shown.count(number, 'entry', 'entries')} {verb}{freed}"
    if found["in_flight"]:
        line += f"; {shown.count(found['in_flight'], 'running download')} " + (
            "concerned" if found["dry_run"] or found["soft"] else "disowned: not stored when they end"
        )
    print(line)
