"""`mirror serve`."""

from __future__ import annotations

import argparse
import mmap
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from mirror import certificate, values
from mirror.changes import Changes
from mirror.cli import options
from mirror.cli.welcome import welcome
from mirror.config import load
from mirror.counters import Counters
from mirror.errors import ConfigError
from mirror.settings import Config


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--listen", metavar="HOST:PORT", help="instead of the configured address")
    parser.add_argument("--workers", metavar="N", type=int, help="processes, instead of as many as are configured")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    options.config(parser)


def run(chosen: argparse.Namespace) -> int:
    """Run the server, until it is told to stop."""
    from mirror.app import App  # here: a look at --help, and a wrong configuration, wait for no web server
    from mirror.front import Front
    from mirror.logs import log_to_stderr
    from mirror.operations.reloading import Loaded
    from mirror.server import process, systemd
    from mirror.server.run import run as serve
    from mirror.server.workers import GENERATIONS, supervise

    process.wait_for_a_reload()
    notify, sockets = systemd.notify(os.environ), systemd.inherited(os.environ)
    read = partial(_configured, chosen, systemd.address(sockets[0]) if sockets else None)
    config = read()
    log_to_stderr(chosen.log_level)
    print(welcome(config), flush=True)
    if config.server.workers == 1:
        return serve(App(config, read=read), config.server, sockets, notify)

    first, rows = Loaded.first(config), config.server.workers * GENERATIONS
    memory = mmap.mmap(-1, Counters.size(first.names, rows))

    def made(loaded: Loaded, changes: Changes, row: int, holder: bool) -> App:
        counters = Counters(first.names, memory, row, rows)
        counters.know(loaded.names)
        patience = 2 * loaded.config.server.drain + 10  # a holder that ends has so long to let the cache go
        if holder:
            return App(loaded.config, changes=changes, counters=counters, patience=patience, read=read, loaded=loaded)
        return Front(loaded.config, changes, counters, loaded)

    return supervise(first, made, sockets, notify)


def _configured(chosen: argparse.Namespace, listening: values.Address | None) -> Config:
    """The file's, with what was said on the command line, and where others already listen for us. ConfigError."""
    config = load(Path(chosen.config))
    server = config.server
    if chosen.listen:
        server = replace(server, listen=values.address(chosen.listen, Path.cwd()))
    if listening is not None:
        server = replace(server, listen=listening)
    if chosen.workers is not None:
        server = replace(server, workers=values.number(chosen.workers, 1, 64))
    if server.tls_cert and server.workers > 1:
        raise ConfigError([f"--workers: {certificate.ALONE}"])
    return replace(config, server=server)
