"""The command line: `mirror serve`, `mirror check`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mirror import values
from mirror.config import load
from mirror.errors import ConfigError
from mirror.model import Mirror
from mirror.settings import Config

DONE, FOUND, WRONG = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0 done, 1 found or failed something, 2 wrong usage or configuration."""
    options = _parser().parse_args(arguments)
    command: str = options.command
    try:
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
    serve.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    check = commands.add_parser("check", help="say all that is wrong with the configuration")
    for command in (serve, check):
        command.add_argument("--config", default=default, metavar="FILE", help=f"default: {default}")
    return parser


def _check(config: Config) -> int:
    unavailable = [mirror for mirror in config.mirrors if mirror.unavailable]
    for mirror in config.mirrors:
        print(f"/{mirror.name}/  {mirror.ecosystem}  {_upstreams(mirror)}")
    print(
        f"{config.path}: good"
        + (f", {len(unavailable)} of {len(config.mirrors)} mirrors unavailable" if unavailable else "")
    )
    return DONE


def _serve(config: Config, options: argparse.Namespace) -> int:
    from mirror.app import App  # the others start without loading a web server
    from mirror.server.run import log_to_stderr, run

    if options.listen:
        listen = values.address(options.listen, Path.cwd())
        config = replace(config, server=replace(config.server, listen=listen))
    log_to_stderr(options.log_level)
    print(welcome(config), flush=True)
    return run(App(config), config.server)


def _upstreams(mirror: Mirror) -> str:
    if mirror.ecosystem == "any":
        return ", ".join(mirror.reach.hosts or ()) or "no host yet (write them into `allow`)"
    return f"unavailable: {mirror.unavailable}" if mirror.unavailable else ", ".join(mirror.upstreams)


def welcome(config: Config) -> str:
    """What the server says when it starts: its address, the mirrors, and the line that points each client here."""
    listen = config.server.listen
    host = "localhost" if listen.host in ("0.0.0.0", "::", "127.0.0.1") else listen.host  # noqa: S104
    shown = str(replace(listen, host=host)) if listen.host else str(listen)
    base = config.server.public_url or (f"http://{shown}" if listen.host else shown)
    lines = [f"mirror at {base}/  (cache: {config.cache.path})", ""]
    for mirror in config.mirrors:
        lines.append(f"  /{mirror.name}/  {mirror.ecosystem}, from {_upstreams(mirror)}")
        lines += [f"      {line}" for line in _pointers(mirror, base) if not mirror.unavailable]
    return "\n".join(lines) + "\n"


def _pointers(mirror: Mirror, base: str) -> list[str]:
    address = f"{base}/{mirror.name}/"
    host = base.partition("://")[2]
    return {
        "pypi": [
            f"pip config set global.index-url {address}simple/ && pip config set global.trusted-host {host}",
            f"export UV_DEFAULT_INDEX={address}simple/",
        ],
        "npm": [f"npm config set registry {address}"],
        "any": [f"curl -O {address}https/HOST/PATH"],
        "apt": [f"deb {address} SUITE main    (in place of the archive's address)"],
    }.get(mirror.ecosystem, [f"curl -O {address}PATH"])
