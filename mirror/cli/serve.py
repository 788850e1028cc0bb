"""`mirror serve` and `mirror check`."""

from __future__ import annotations

import argparse
import mmap
import sys
from dataclasses import replace
from pathlib import Path

from mirror import certificate, pointers, setup, values
from mirror.changes import Changes
from mirror.cli import options
from mirror.cli.codes import DONE, FOUND
from mirror.cli.options import Commands
from mirror.config import load
from mirror.counters import Counters
from mirror.errors import ConfigError
from mirror.model import Mirror
from mirror.settings import Config


def add(commands: Commands) -> None:
    """`serve` and `check`."""
    serve = commands.add_parser("serve", help="run the server")
    serve.add_argument("--listen", metavar="HOST:PORT", help="instead of the configured address")
    serve.add_argument("--workers", metavar="N", type=int, help="processes, instead of as many as are configured")
    serve.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    serve.set_defaults(run=_serve)
    check = commands.add_parser("check", help="say all that is wrong with the configuration")
    check.set_defaults(run=_check)
    for command in (serve, check):
        options.config(command)


def _check(chosen: argparse.Namespace) -> int:
    try:
        config = load(Path(chosen.config))
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return FOUND
    unavailable = [mirror for mirror in config.mirrors if mirror.unavailable]
    for mirror in config.mirrors:
        print(f"/{mirror.name}/  {mirror.ecosystem}  {_upstreams(mirror)}")
    print(
        f"{config.path}: good"
        + (f", {len(unavailable)} of {len(config.mirrors)} mirrors unavailable" if unavailable else "")
    )
    return DONE


def _serve(chosen: argparse.Namespace) -> int:
    from mirror.app import App  # the others start without loading a web server
    from mirror.front import Front
    from mirror.logs import log_to_stderr
    from mirror.server.run import run
    from mirror.server.workers import GENERATIONS, supervise

    config = load(Path(chosen.config))
    server = config.server
    if chosen.listen:
        server = replace(server, listen=values.address(chosen.listen, Path.cwd()))
    if chosen.workers is not None:
        server = replace(server, workers=values.number(chosen.workers, 1, 64))
    if server.tls_cert and server.workers > 1:
        raise ConfigError([f"--workers: {certificate.ALONE}"])
    config = replace(config, server=server)
    log_to_stderr(chosen.log_level)
    print(welcome(config), flush=True)
    if server.workers == 1:
        return run(App(config), server)

    names, rows = [mirror.name for mirror in config.mirrors], server.workers * GENERATIONS
    memory = mmap.mmap(-1, Counters.size(names, rows))

    def made(changes: Changes, row: int, holder: bool) -> App:
        counters = Counters(names, memory, row, rows)
        patience = 2 * server.drain + 10  # a holder that ends has so long to let the cache go
        if holder:
            return App(config, changes=changes, counters=counters, patience=patience)
        return Front(config, changes, counters)

    return supervise(server, made)


def _upstreams(mirror: Mirror) -> str:
    if mirror.ecosystem == "any":
        return ", ".join(mirror.reach.hosts or ()) or "no host yet (write them into `allow`)"
    return f"unavailable: {mirror.unavailable}" if mirror.unavailable else ", ".join(mirror.upstreams)


def welcome(config: Config) -> str:
    """What the server says when it starts: its address, the mirrors, and the line that points each client here."""
    base = setup.address(config.server)
    lines = [f"mirror at {base}/  (cache: {config.cache.path})", ""]
    for mirror in config.mirrors:
        lines.append(f"  /{mirror.name}/  {mirror.ecosystem}, from {_upstreams(mirror)}")
        lines += [f"      {line}" for line in pointers.welcome(mirror, base) if not mirror.unavailable]
    return "\n".join(lines) + "\n"
