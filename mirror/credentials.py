"""The secrets that config.toml names or holds, read. What they are stands in no message.

Each function takes the TOML value as it stands and raises ConfigError with one line that says what is wrong with it.
`folder` is the directory of the configuration file.
"""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

from mirror import values
from mirror.errors import ConfigError

_FRAMING = frozenset(
    {"connection", "content-length", "host", "keep-alive", "range", "te", "trailer", "transfer-encoding", "upgrade"}
)


def secret(value: object, folder: Path) -> str:
    """A secret: `"env:NAME"`, `"file:PATH"` (its text without the blanks around it), or the secret itself."""
    if not isinstance(value, str):
        raise ConfigError(["not text in quotes (write env:NAME or file:PATH)"])
    kind, _, name = value.partition(":")
    if kind == "env":
        found, source = os.environ.get(name, "").strip(), f"environment variable {name}"
    elif kind == "file":
        found, source = _content(values.place(name, folder), name), f"file {name}"
    else:
        return _printable(value, "the secret")
    if not found:
        raise ConfigError([f"{source} is not set" if kind == "env" else f"{source} is empty"])
    return _printable(found, source)


def _content(path: Path, name: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(65536).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError([f"file {name} cannot be read: {reason}"]) from error


def _printable(found: str, source: str) -> str:
    # It becomes a header field (RFC 9110 §5.5): a line break in it would end the field and begin another one.
    if not re.fullmatch(r"[ -~]*", found):
        raise ConfigError([f"{source} holds what a header field cannot carry (only printable ASCII)"])
    return found


def auth(value: object, folder: Path) -> tuple[str, str] | None:
    """`"bearer S"`, `"basic S S"` or `"header NAME S"`, each S a secret -> (field name, value); None for `""`."""
    words = value.split() if isinstance(value, str) else [""]
    match [words[0].lower(), *words[1:]] if words else []:
        case []:
            return None
        case ["bearer", token]:
            return "authorization", f"Bearer {secret(token, folder)}"
        case ["basic", user, password]:
            return basic(secret(user, folder), secret(password, folder))
        case ["header", name, token] if re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            if name.lower() in _FRAMING:
                raise ConfigError([f"the field {name} is not for credentials"])
            return name.lower(), secret(token, folder)
        case _:
            raise ConfigError(['write "bearer env:X", "basic env:USER env:PASS" or "header NAME env:X"'])


def proxy(value: object, folder: Path) -> str:
    """A proxy's URL, itself or as a secret, because it may hold credentials."""
    known = secret(value, folder)
    try:
        return values.split(known).geturl().rstrip("/")
    except ConfigError as error:
        raise ConfigError(["not the URL of a proxy (write http://HOST:PORT)"]) from error


def basic(user: str, password: str) -> tuple[str, str]:
    """The Authorization field of RFC 7617 §2."""
    if ":" in user:
        raise ConfigError(["the user of `basic` has a colon in it"])
    return "authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
