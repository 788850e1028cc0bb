"""A job of the server's, followed to its end; and what can be seen again every second."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from mirror.cli import shown
from mirror.cli.codes import DONE, FOUND
from mirror.client import Client
from mirror.errors import Unanswered

_SOON, _LATER = 0.1, 1.0  # seconds between two looks: at first, and in the long run

Job = dict[str, Any]


def add(parser: argparse.ArgumentParser) -> None:
    """The option of commands that begin a job."""
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the end: `mirror jobs ID` tells it")


def through(client: Client, job: Job, chosen: argparse.Namespace) -> int:
    """Follow a job of addresses that was begun, if so chosen, and say what became of it; the exit code."""
    if not chosen.no_wait:
        try:
            job = follow(client, job, quiet=chosen.json)
        except KeyboardInterrupt:
            shown.say(f"it goes on at the server: mirror jobs {job['id']}, or mirror jobs --stop {job['id']}")
            raise
    if chosen.json:
        shown.document(job)
    elif chosen.no_wait:
        print(f"job {job['id']}")
    else:
        _told(job)
    return DONE if chosen.no_wait else code(job)


def looks(client: Client, job: Job) -> Iterator[Job]:
    """The job as it is, again and again, until it has ended."""
    pause = _SOON
    yield job
    while job["state"] == "running":
        time.sleep(pause)
        pause = min(pause * 1.5, _LATER)
        job = client.get(f"/-/api/jobs/{job['id']}")
        yield job


def follow(client: Client, job: Job, *, quiet: bool = False) -> Job:
    """The job when it has ended, with a bar meanwhile where standard error is a terminal."""
    console = shown.console(errors=True)
    if quiet or not console.is_terminal:
        for look in looks(client, job):
            job = look
        return job
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[bytes]}"),
        TextColumn("{task.fields[current]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(job["kind"], total=job["total"], bytes="", current="")
        for look in looks(client, job):
            job = look
            _move(progress, bar, job)
    return job


def _move(progress: Progress, bar: TaskID, job: Job) -> None:
    current = shown.clean(job.get("current") or "").replace("\n", " ")
    progress.update(bar, total=job["total"], completed=job["done"], bytes=shown.size(job["bytes"]), current=current)


def _told(job: Job) -> None:
    good = job["done"] - job["failed"]
    line = f"{job['kind']}: {good} of {job['total'] if job['total'] is not None else job['done']} good"
    line += f", {shown.size(job['bytes'])}" if job["bytes"] else ""
    line += f", {job['failed']} failed" if job["failed"] else ""
    print(line if job["state"] == "done" else f"{line}; {job['state']}{_because(job)}")
    for failure in job.get("failures") or ():
        shown.say(f"  {failure['url']}: {failure['reason']}")


def ended(job: Job) -> None:
    """Raises Unanswered where the job failed or was stopped."""
    if job["state"] != "done":
        raise Unanswered(f"job {job['id']} {job['state']}{_because(job)}")


def _because(job: Job) -> str:
    return f": {shown.clean(job['error'])}" if job.get("error") else ""


def code(job: Job) -> int:
    """0 where the job did all that it was to do."""
    return FOUND if job["state"] in ("failed", "stopped") or job["failed"] else DONE


def watch(look: Callable[[], Any], picture: Callable[[Any], RenderableType], *, json: bool, every: float = 1.0) -> int:
    """What `look` finds, every second, until the person has seen enough (Ctrl-C); on no terminal, and as JSON, when it
    has changed."""
    console = shown.console()
    try:
        if json or not console.is_terminal:
            return _lines(look, picture, json=json, every=every)
        with Live(Text(""), console=console, auto_refresh=False) as live:
            while True:
                live.update(picture(look()), refresh=True)
                time.sleep(every)
    except KeyboardInterrupt:
        return DONE


def _lines(look: Callable[[], Any], picture: Callable[[Any], RenderableType], *, json: bool, every: float) -> int:
    console, before = shown.console(), None
    while True:
        found = look()
        if found != before:
            shown.document(found) if json else console.print(picture(found))
            before = found
        time.sleep(every)
