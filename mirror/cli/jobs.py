"""`mirror jobs`."""

from __future__ import annotations

import argparse
from typing import Any

from mirror.cli import following, options, shown
from mirror.cli.codes import DONE
from mirror.errors import ConfigError

_HEADS = ("id", "kind", "state", "done", "bytes", "failed", "took", "at")


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("id", nargs="?", default="", metavar="ID", help="this job, with what failed")
    parser.add_argument("--stop", default="", metavar="ID", help="stop it")
    parser.add_argument("--follow", action="store_true", help="until it has ended; fails where the job did")
    options.server(parser)


def run(chosen: argparse.Namespace) -> int:
    """Show the jobs, or one, or stop one."""
    if chosen.follow and not chosen.id:
        raise ConfigError(["--follow which? Give the job's ID"])
    if chosen.stop and chosen.id not in ("", chosen.stop):
        raise ConfigError(["--stop ID, or ID: not both"])
    with options.client(chosen) as client:
        if chosen.stop:
            found = client.delete(f"/-/api/jobs/{chosen.stop}")
        elif chosen.id:
            found = client.get(f"/-/api/jobs/{chosen.id}")
            if chosen.follow:
                found = following.follow(client, found, quiet=chosen.json)
        else:
            found = client.get("/-/api/jobs")
    if chosen.json:
        shown.document(found)
    else:
        _print(found)
    return following.code(found) if chosen.follow else DONE


def _print(found: dict[str, Any]) -> None:
    jobs = found.get("jobs", [found])
    if not jobs:
        shown.say("no jobs")
        return
    shown.console().print(shown.table(_HEADS, [_row(job) for job in jobs], right="   rrrr"))
    if "jobs" not in found:
        for failure in found.get("failures") or ():
            shown.say(f"  {failure['url']}: {failure['reason']}")


def _row(job: dict[str, Any]) -> list[str]:
    total = "" if job["total"] is None else f"/{job['total']}"
    took = "-" if job["ended"] is None else shown.span(job["ended"] - job["began"])
    at = job["error"] or job["current"]
    numbers = [f"{job['done']}{total}", shown.size(job["bytes"]), str(job["failed"]), took]
    return [job["id"], job["kind"], job["state"], *numbers, at]
