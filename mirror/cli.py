"""The command line: `mirror serve`, `mirror check`, `mirror setup`, `mirror token`."""

from __future__ import annotations

import argparse
import logging
import mmap
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mirror import certificate, pointers, setup, tokens, values
from mirror.cautions import cautions
from mirror.changes import Changes
from mirror.clients import Machine
from mirror.config import load
from mirror.counters import Counters
from mirror.errors import ConfigError
from mirror.model import Mirror
from mirror.sections import ROLES
from mirror.settings import Config

DONE, FOUND, WRONG = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0 done, 1 found or failed something, 2 wrong usage or configuration."""
    options = _parser().parse_args(arguments)
    command: str = options.command
    try:
        if command == "setup":
            return _setup(options)
        if command == "token":
            print(tokens.made(options.name or options.role, options.role))
            return DONE
        config = load(Path(options.config))
        if command == "check":
            return _check(config)
        return _serve(config, options)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return FOUND if command == "check" else WRONG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "mirror", description="A caching download server for package registries and hosts."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    default = os.environ.get("MIRROR_CONFIG", "config.toml")
    serve = commands.add_parser("serve", help="run the server")
    serve.add_argument("--listen", metavar="HOST:PORT", help="instead of the configured address")
    serve.add_argument("--workers", metavar="N", type=int, help="processes, instead of as many as are configured")
    serve.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    check = commands.add_parser("check", help="say all that is wrong with the configuration")
    point = commands.add_parser("setup", help="show, write or take back what points a client at the mirror")
    point.add_argument("client", choices=pointers.CLIENTS, metavar="CLIENT", help=", ".join(pointers.CLIENTS))
    act = point.add_mutually_exclusive_group()
    act.add_argument("--write", action="store_true", help="into the client's own file, with a backup beside it")
    act.add_argument("--undo", action="store_true", help="what --write did")
    point.add_argument("--server", default="", metavar="URL", help="where clients see the server, if not as configured")
    token = commands.add_parser("token", help="make a token for clients and the admin API")
    token.add_argument("name", nargs="?", metavar="NAME", help="in config.toml; default: the role")
    token.add_argument("--role", default="read", choices=ROLES, help="default: read")
    for command in (serve, check, point):
        command.add_argument("--config", default=default, metavar="FILE", help=f"default: {default}")
    return parser


def _check(config: Config) -> int:
    unavailable = [mirror for mirror in config.mirrors if mirror.unavailable]
    for mirror in config.mirrors:
        print(f"/{mirror.name}/  {mirror.ecosystem}  {_upstreams(mirror)}")
    for line in cautions(config):
        print(f"note: {line}")
    print(
        f"{config.path}: good"
        + (f", {len(unavailable)} of {len(config.mirrors)} mirrors unavailable" if unavailable else "")
    )
    return DONE


def _serve(config: Config, options: argparse.Namespace) -> int:
    from mirror.app import App  # the others start without loading a web server
    from mirror.front import Front
    from mirror.logs import log_to_stderr
    from mirror.server.run import run
    from mirror.server.workers import GENERATIONS, supervise

    server = config.server
    if options.listen:
        server = replace(server, listen=values.address(options.listen, Path.cwd()))
    if options.workers is not None:
        server = replace(server, workers=values.number(options.workers, 1, 64))
    if server.tls_cert and server.workers > 1:
        raise ConfigError([f"--workers: {certificate.ALONE}"])
    config = replace(config, server=server)
    log_to_stderr(options.log_level)
    print(welcome(config), flush=True)
    for line in cautions(config):
        logging.getLogger("mirror").warning("%s", line)
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


def _setup(options: argparse.Namespace) -> int:
    machine = Machine.here()
    try:
        job = setup.prepare(options.client, machine, Path(options.config), options.server, ask=options.write)
    except ConfigError:
        if not options.undo:
            raise
        job = setup.Setup(options.client, machine)  # what was written says itself how to take it back
    if not options.write and not options.undo:
        print(setup.shown(job))
        return DONE
    report = setup.undo(job) if options.undo else setup.write(job)
    for line in report.done:
        print(line)
    for line in report.failed:
        print(line, file=sys.stderr)
    return FOUND if report.failed else DONE


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
