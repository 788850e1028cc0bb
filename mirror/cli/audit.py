"""`mirror audit`."""

from __future__ import annotations

import argparse
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from mirror import values
from mirror.audit import cyclonedx
from mirror.audit.chain import stamp
from mirror.audit.searching import search
from mirror.audit.verifying import Finding, verify
from mirror.audit.wanted import EVERYTHING, Told, by_client, wanted
from mirror.cli import options, shown
from mirror.cli.codes import DONE, FOUND
from mirror.clients import Discovered
from mirror.config import load
from mirror.errors import ConfigError, Unavailable

_HEADS = ("time", "client", "token", "package", "version", "file", "bytes", "outcome")
_LAST = "~"  # behind every instant


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parsers = parser.add_subparsers(dest="action", required=True, metavar="WHAT")
    who = parsers.add_parser("who", help="who got a package, which version of it, and when")
    who.add_argument(
        "asked", metavar="PURL|NAME", help="pkg:npm/left-pad@1.3.0, @scope/name, six@1.16.0; without a version: any"
    )
    _range(who)
    who.add_argument("--json", action="store_true", help="the records, a document a line")
    proof = parsers.add_parser("verify", help="whether a line was changed, moved, added or removed")
    proof.add_argument("--known", default="", metavar="HASH", help="fail where no line has it: one noted elsewhere")
    proof.add_argument("--json", action="store_true", help="one document for programs")
    export = parsers.add_parser("export", help="what was handed out, to all or to one")
    export.add_argument("--client", default="", metavar="ADDRESS|NAME", help="to that address, or to that token")
    export.add_argument(
        "--format", default="cyclonedx", choices=("cyclonedx", "jsonl"), help="default: cyclonedx (1.6)"
    )
    _range(export)
    for own in (who, proof, export):
        options.config(own)


def _range(parser: argparse.ArgumentParser) -> None:
    form = "2026-11-01, 2026-11-01T12:00 (UTC), or 7d: so long ago"
    parser.add_argument("--since", default="", metavar="WHEN", help=form)
    parser.add_argument("--until", default="", metavar="WHEN", help="the same; before that")


def run(chosen: argparse.Namespace) -> int:
    """Read the record, which a server may write meanwhile."""
    folder = load(Path(chosen.config), discover=_unasked).record
    if chosen.action == "verify":
        return _verify(chosen, folder)
    since = stamp(values.instant(chosen.since, time.time())) if chosen.since else ""
    until = stamp(values.instant(chosen.until, time.time())) if chosen.until else _LAST
    if chosen.action == "who":
        asked = wanted(chosen.asked)
    else:
        asked = by_client(chosen.client) if chosen.client else EVERYTHING
    with _readable(folder):
        records = search(folder, asked, since, until)
        return _who(chosen, records) if chosen.action == "who" else _export(chosen, records)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise ConfigError([f"there is no record at {folder} (`enabled = true` in [audit] keeps one)"]) from exc
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise ConfigError([f"the record at {folder} cannot be read: {exc.strerror or exc}"]) from exc


def _who(chosen: argparse.Namespace, records: Iterator[Told]) -> int:
    if chosen.json:
        for told in records:
            shown.document(told)
        return DONE
    found = list(records)
    if not found:
        shown.say("nobody")
        return DONE
    shown.rows(_HEADS, [_row(told) for told in found], right="      r")
    clients = {told["client"] for told in found}
    shown.say(f"{shown.count(len(found), 'record')}, {shown.count(len(clients), 'client')}")
    return DONE


def _row(told: Told) -> list[str]:
    names = [
        told["time"],
        told["client"],
        told.get("token", "-"),
        told["package"],
        told["version"] or "-",
        told["file"],
    ]
    outcome = f"{told['outcome']} ({told['policy']['rule']})" if told["event"] == "refused" else told["outcome"]
    return [*names, shown.size(told["bytes"]), outcome if told.get("whole", True) else f"{outcome}, incomplete"]


def _export(chosen: argparse.Namespace, records: Iterator[Told]) -> int:
    if chosen.format == "jsonl":
        for told in records:
            print(json.dumps(told))
        return DONE
    known = {"at": stamp(time.time()), "serial": str(uuid.uuid4()), "version": version("mirror")}
    print(json.dumps(cyclonedx.document(records, client=chosen.client, **known), indent=2))
    return DONE


def _verify(chosen: argparse.Namespace, folder: Path) -> int:
    found: list[Finding] = []
    with _readable(folder):
        verified = verify(folder, found.append if chosen.json else _print, chosen.known)
    absent = bool(chosen.known) and not verified.known
    if chosen.json:
        last = {"n": verified.link.number, "hash": verified.link.hash}
        told = {"path": str(folder), "lines": verified.lines, "files": verified.files, "last": last}
        told |= {"wrong": verified.wrong, "findings": [asdict(finding) for finding in found]}
        shown.document(told | ({"known": verified.known} if chosen.known else {}))
    else:
        wrong = f"{verified.wrong} wrong" if verified.wrong else "nothing wrong"
        counts = f"{shown.count(verified.lines, 'line')} in {shown.count(verified.files, 'file')}"
        print(f"{folder}: {counts}: {wrong}; the last is {verified.link.number}, {verified.link.hash}")
        if absent:
            print(f"{folder}: no line has the hash {shown.clean(chosen.known)}")
    return FOUND if verified.wrong or absent else DONE


def _print(finding: Finding) -> None:
    at = f":{finding.line}" if finding.line else ""
    print(shown.clean(f"{finding.file}{at}: {finding.text}{'' if finding.wrong else ' [no change]'}"))


def _unasked(_ecosystem: str, _name: str, _own: frozenset[str]) -> Discovered:
    raise Unavailable("not asked")
