"""The certificate that this server shows its clients, and what they have to speak."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mirror import values
from mirror.errors import ConfigError

KEYS = ("tls_cert", "tls_key")

ALONE = "with https there is one process: what was agreed with a client cannot change hands (write 1)"


def certificates(value: object, folder: Path) -> Path:
    """The absolute path of a PEM file with this server's certificate, and those between it and a root."""
    path = _read(value, folder)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise ConfigError([f"{values.shown(value)} holds no certificate (PEM)"]) from error
    return path


def first(path: Path) -> str:
    """The server's own certificate (PEM) of such a file; "" where it cannot be told."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    text = path.read_text(encoding="ascii", errors="replace")
    _, found, rest = text.partition(begin)
    return f"{begin}{rest.partition(end)[0]}{end}\n" if found else ""


def key(value: object, folder: Path) -> Path:
    """The absolute path of the PEM file with its key."""
    return _read(value, folder)


def wrong(good: dict[str, Any], written: object) -> Iterator[tuple[str, str]]:
    """What is wrong with the two together, with its key of [server]: of what is `written`, `good` could be read."""
    there = [key for key in KEYS if isinstance(written, dict) and written.get(key)]
    found = [good[key] for key in KEYS if good.get(key)]
    if len(found) == len(KEYS):
        try:
            context(*found)
        except ConfigError as error:
            yield KEYS[1], str(error)
        if good.get("workers", 1) > 1:
            yield "workers", ALONE
    elif len(there) == len(found) == 1:
        yield there[0], f"there is no {KEYS[0] if there[0] == KEYS[1] else KEYS[1]}"


def context(certificate: Path, private_key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later, HTTP/1.1. Raises ConfigError where the key is none, or not that of the certificate."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.set_alpn_protocols(["http/1.1"])
    try:
        made.load_cert_chain(certificate, private_key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(["not the key of tls_cert"]) from error
        raise ConfigError(["no key (PEM) without a password"]) from error
    return made


def _no_password() -> str:
    """Nobody is there to be asked for one."""
    return ""


def _read(value: object, folder: Path) -> Path:
    path = values.present(value, folder)
    try:
        path.open("rb").close()
    except OSError as error:
        raise ConfigError([f"{values.shown(value)} cannot be read: {error.strerror}"]) from error
    return path


class Shown:
    """What new connections are shown: a certificate that may be replaced by a renewed one, of another kind too."""

    def __init__(self, certificate: Path, private_key: Path) -> None:
        self.context = context(certificate, private_key)
        # One context keeps a certificate of each kind of key: loaded into it, a renewed one need not replace the old.
        self.context.sni_callback = self._choose
        self._now = self.context

    def prepare(self, certificate: Path, private_key: Path) -> Callable[[], None]:
        """Read them; the call of what is returned has them shown. Raises as `context`."""
        new = context(certificate, private_key)

        def commit() -> None:
            self._now = new

        return commit

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called for each connection that begins, whatever name it asks for (RFC 6066 §3), or none."""
        connection.context = self._now
