"""Options that several commands have, and the client that they ask for."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from mirror import certificate, credentials, values
from mirror.client import Client, Server
from mirror.document import Document
from mirror.errors import ConfigError


def config(parser: argparse._ActionsContainer) -> None:
    """`--config FILE`."""
    default = os.environ.get("MIRROR_CONFIG", "config.toml")
    parser.add_argument("--config", default=default, metavar="FILE", help=f"default: {default}")


def server(parser: argparse.ArgumentParser) -> None:
    """Where the server is that is asked, who asks, and `--json`."""
    asked = parser.add_argument_group("the server")
    asked.add_argument(
        "--server", default="", metavar="URL", help="or unix:PATH; default: $MIRROR_SERVER, else what --config says"
    )
    asked.add_argument("--token-file", default="", metavar="FILE", help="instead of $MIRROR_ADMIN_TOKEN")
    asked.add_argument("--ca-file", default="", metavar="FILE", help="roots (PEM) to trust, besides the system's")
    config(asked)
    parser.add_argument("--json", action="store_true", help="what the API answers, a document a line")


def client(chosen: argparse.Namespace) -> Client:
    """The client of the server that the options name. Raises ConfigError."""
    here = Path.cwd()
    named = chosen.server or os.environ.get("MIRROR_SERVER", "")
    found = _named(named, here) if named else _configured(Path(chosen.config))
    if chosen.ca_file:
        found = replace(found, ca_file=certificate.certificates(chosen.ca_file, here), pinned="")
    if chosen.token_file:
        found = replace(found, token=credentials.secret(f"file:{chosen.token_file}", here))
    elif os.environ.get("MIRROR_ADMIN_TOKEN", "").strip():
        found = replace(found, token=credentials.secret("env:MIRROR_ADMIN_TOKEN", here))
    return Client(found)


def _named(server: str, here: Path) -> Server:
    if server.startswith("unix:"):
        return Server("http://localhost", socket=values.place(server.removeprefix("unix:"), here))
    return Server(values.url(server))


def _configured(path: Path) -> Server:
    """As [server] and the token of [admin] have it, and whatever else of the file is wrong."""
    if not path.exists():
        raise ConfigError([f"which server? There is no {path}: give --server URL, or set MIRROR_SERVER"])
    tree, folder = Document.read(path).tree, path.absolute().parent
    section, admin = _table(tree, "server"), _table(tree, "admin")
    listen = values.address(section.get("listen", "127.0.0.1:8000"), folder)
    token = ""
    if admin.get("token"):
        try:
            token = credentials.secret(admin["token"], folder)
        except ConfigError:
            token = ""  # known to the server alone; where it is needed, its answer says so
    if listen.path is not None:
        return Server("http://localhost", socket=listen.path, token=token)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104
    written = section.get("tls_cert")
    if not written:
        return Server(f"http://{replace(listen, host=host)}", token=token)
    pinned = certificate.first(certificate.certificates(written, folder))
    return Server(f"https://{replace(listen, host=host)}", pinned=pinned, token=token)


def _table(tree: dict[str, Any], name: str) -> dict[str, Any]:
    found = tree.get(name, {})
    return found if isinstance(found, dict) else {}


def positive(text: str) -> int:
    """A whole number from 1."""
    return values.number(int(text), 1, 10**9)
