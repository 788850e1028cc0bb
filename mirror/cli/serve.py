"""`mirror serve`."""

from __future__ import annotations

import argparse
import logging
import mmap
from dataclasses import replace
from pathlib import Path

from mirror import certificate, values
from mirror.cautions import cautions
from mirror.changes import Changes
from mirror.cli import options
from mirror.cli.welcome import welcome
from mirror.config import load
from mirror.counters import Counters
from mirror.errors import ConfigError


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
    from mirror.server.run import run as serve
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
    for line in cautions(config):
        logging.getLogger("mirror").warning("%s", line)
    if server.workers == 1:
        return serve(App(config), server)

    names, rows = [mirror.name for mirror in config.mirrors], server.workers * GENERATIONS
    memory = mmap.mmap(-1, Counters.size(names, rows))

    def made(changes: Changes, row: int, holder: bool) -> App:
        counters = Counters(names, memory, row, rows)
        patience = 2 * server.drain + 10  # a holder that ends has so long to let the cache go
        if holder:
            return App(config, changes=changes, counters=counters, patience=patience)
        return Front(config, changes, counters)

    return supervise(server, made)
