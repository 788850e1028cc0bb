"""`mirror serve`."""

from __future__ import annotations

import argparse
import logging
import mmap
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirror import certificate, values
from mirror.cautions import cautions
from mirror.changes import Changes
from mirror.cli import options
from mirror.cli.welcome import welcome
from mirror.config import load
from mirror.counters import Counters
from mirror.errors import ConfigError
from mirror.logs import begin
from mirror.operations.reloading import Commit, Loaded
from mirror.sections import log_level, log_part
from mirror.settings import Config, LogSettings
from mirror.sinks import FileSink

if TYPE_CHECKING:
    from mirror.app import App


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--listen", metavar="HOST:PORT", help="instead of the configured address")
    parser.add_argument("--workers", metavar="N", type=int, help="processes, instead of as many as are configured")
    parser.add_argument(
        "--log-level",
        action="append",
        default=[],
        metavar="[NAME=]LEVEL",
        help="debug, info, warning or error; of a part",
    )
    options.config(parser)


def run(chosen: argparse.Namespace) -> int:
    """Run the server, until it is told to stop."""
    from mirror.app import App  # here: a look at --help, and a wrong configuration, wait for no web server
    from mirror.front import Front
    from mirror.server import process, systemd
    from mirror.server.run import run as serve
    from mirror.server.workers import GENERATIONS, supervise

    process.wait_for_a_reload()
    notify, sockets = systemd.notify(os.environ), systemd.inherited(os.environ)
    read = partial(_configured, chosen, systemd.address(sockets[0]) if sockets else None)
    config = read()
    first = Loaded.first(config)
    _log(first)()
    print(welcome(config), flush=True)
    for line in cautions(config):
        logging.getLogger("mirror").warning("%s", line)
    if config.server.workers == 1:
        return serve(_logging(App(config, read=read, loaded=first)), config.server, sockets, notify)

    rows = config.server.workers * GENERATIONS
    memory = mmap.mmap(-1, Counters.size(first.names, rows))

    def made(loaded: Loaded, changes: Changes, row: int, holder: bool) -> App:
        counters = Counters(first.names, memory, row, rows, generations=GENERATIONS)
        counters.know(loaded.names)
        patience = 2 * loaded.config.server.drain + 10  # a holder that ends has so long to let the cache go
        known: dict[str, Any] = {"changes": changes, "counters": counters, "loaded": loaded}
        if holder:
            return _logging(App(loaded.config, patience=patience, read=read, **known))
        return _logging(Front(loaded.config, **known))

    return supervise(first, made, sockets, notify, learned=lambda loaded: _log(loaded)())


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
    return replace(config, server=server, log=leveled(config.log, chosen.log_level))


def leveled(settings: LogSettings, given: Sequence[str]) -> LogSettings:
    """The settings with the levels that the command line gives: `info`, `origin=debug`."""
    for each in given:
        part, named, level = each.rpartition("=")
        if named:
            settings = replace(settings, levels={**settings.levels, log_part(part): log_level(level)})
        else:
            settings = replace(settings, level=log_level(level))
    return settings


def _logging(app: App) -> App:
    """The application, whose log follows the configuration."""
    app.reloading.parts.append(_log)
    return app


def _log(loaded: Loaded) -> Commit:
    """The log as it is to be from then on. ConfigError where there can be none."""
    settings = loaded.config.log
    try:
        if settings.file is not None:
            FileSink(settings.file).close()
    except OSError as exc:
        raise ConfigError([f"[log] file: cannot write to {settings.file}: {exc.strerror or exc}"]) from exc

    def commit() -> None:
        with suppress(OSError):  # between the two moments: then the log goes on where it was
            begin(settings.level, settings.levels, settings.format, settings.file)

    return commit
