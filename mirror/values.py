"""What a person writes into config.toml, read: sizes, durations, paths, addresses, URLs.

Each function takes the TOML value as it stands and raises ConfigError with one line that says what is wrong with it.
`folder` is the directory of the configuration file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from mirror.errors import ConfigError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 3650 * 86400
_LARGEST = 10**18
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens: `host` (IPv6 without brackets) and `port` (0: any free one), or the socket `path`."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def shown(value: object) -> str:
    """A TOML value for a message: short, on one line, without credentials that a URL may hold, however it is broken."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)
    text = re.sub(r"(\w+://)?[^\"]*@", r"\1***@", text)
    return text if len(text) <= 80 else f"{text[:76]} ..."


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError([f"{shown(value)} is not text in quotes"])
    return value


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError([f"{shown(value)} is neither true nor false"])
    return value


def number(value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError([f"{shown(value)} is not a whole number from {least} to {most}"])
    return value


def choice(value: object, *words: str) -> str:
    if not isinstance(value, str) or value not in words:
        raise ConfigError([f"{shown(value)} is not one of {', '.join(words)}"])
    return value


def duration(value: object, *, positive: bool = False) -> float:
    """Seconds of `"30s"`, `"10m"`, `"12h"`, `"7d"`; a decimal fraction is allowed, a plain number is not."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ConfigError([f"{shown(value)} is not a duration (write 30s, 10m, 12h, 7d)"])
    seconds = Decimal(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST:
        raise ConfigError([f"{shown(value)} is too long (at most 3650d)"])
    if positive and not seconds:
        raise ConfigError([f"{shown(value)} must be more than 0"])
    return float(seconds)


def instant(value: str, now: float) -> float:
    """POSIX seconds of a day or an instant (ISO 8601, UTC unless it says otherwise), or of a duration before `now`."""
    try:
        return now - duration(value)
    except ConfigError:
        pass
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise ConfigError([f"{shown(value)} is no time (write 2026-11-01, 2026-11-01T12:00 or 7d)"]) from error
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp()


def size(value: object, *, positive: bool = False) -> int:
    """Bytes of `"500MB"` (powers of 1000), `"2GiB"` (powers of 1024), or of a plain whole number."""
    pattern = r"([0-9]{1,18}(?:\.[0-9]{1,6})?) ?(?:([KMGTP])(I?))?B"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        count = value
    elif isinstance(value, str) and (match := re.fullmatch(pattern, value.upper())):
        power = "KMGTP".index(match[2]) + 1 if match[2] else 0
        count = int(Decimal(match[1]) * (1024 if match[3] else 1000) ** power)
    else:
        raise ConfigError([f"{shown(value)} is not a size (write 500MB, 50GB, 2GiB, or a number of bytes)"])
    if count > _LARGEST:
        raise ConfigError([f"{shown(value)} is too large (at most 1000PB)"])
    if positive and not count:
        raise ConfigError([f"{shown(value)} must be more than 0"])
    return count


def place(value: object, folder: Path) -> Path:
    """The absolute path of a file or directory."""
    if not text(value) or "\0" in text(value):
        raise ConfigError([f"{shown(value)} is not a path"])
    return folder / text(value)


def present(value: object, folder: Path) -> Path:
    """The absolute path of a file that is there."""
    path = place(value, folder)
    if not path.is_file():
        raise ConfigError([f"{shown(value)}: no such file"])
    return path


def host(value: object) -> str:
    """A `Host` value, `name` or `name:port`, in lower case."""
    _authority(value, f"{shown(value)} is not a host (write mirror.example.com or mirror.example.com:8000)")
    return text(value).lower()


def glob(value: object) -> str:
    """A pattern of hosts, `*.example.com` or `name:8443`, in lower case."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9*?._-]+(:[0-9]{1,5})?", value):
        raise ConfigError([f"{shown(value)} is not a pattern of hosts (write *.example.com or name.example.com:8443)"])
    return value.lower()


def address(value: object, folder: Path) -> Address:
    """The address to listen on: `"HOST:PORT"`, `"[::1]:PORT"` or `"unix:PATH"`."""
    if isinstance(value, str) and value.startswith("unix:"):
        return Address(path=place(value.removeprefix("unix:"), folder))
    wrong = f"{shown(value)} is not an address (write HOST:PORT, [::1]:PORT or unix:PATH)"
    name, port = _authority(value, wrong)
    if port is None:
        raise ConfigError([wrong])
    return Address(name.lower(), port)


def _authority(value: object, wrong: str) -> tuple[str, int | None]:
    match = _AUTHORITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[2] or 0) > 65535:
        raise ConfigError([wrong])
    if not match[1].startswith("["):
        return match[1], None if match[2] is None else int(match[2])
    try:
        name = str(IPv6Address(match[1][1:-1]))
    except ValueError as error:
        raise ConfigError([wrong]) from error
    return name, None if match[2] is None else int(match[2])


def url(value: object) -> str:
    """An http or https URL without credentials, query, fragment and trailing slash (RFC 3986 §3)."""
    parts = split(value)
    if "@" in parts.netloc:
        raise ConfigError(["credentials do not belong into a URL (use `auth`)"])
    return plain(parts)


def plain(parts: SplitResult) -> str:
    """The URL without its credentials and its trailing slash, the host in lower case."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2].lower()).geturl().rstrip("/")


def split(value: object) -> SplitResult:
    """The parts of an http or https URL with a host, without query and fragment; it may hold credentials."""
    try:
        parts = urlsplit(text(value))
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise ConfigError([f"{shown(value)} is not a URL"]) from error
    # urlsplit drops line breaks and lets blanks and other letters through; none of them may reach a request line.
    if not sound or not re.fullmatch(r"[!-~]+", text(value)) or "\\" in text(value):
        raise ConfigError([f"{shown(value)} is not a URL (write http://HOST/... or https://HOST/...)"])
    _authority(parts.netloc.rpartition("@")[2], f"{shown(value)} is not a URL: its host cannot be read")
    if "?" in text(value) or "#" in text(value):
        raise ConfigError([f"{shown(value)} has a query or a fragment"])
    return parts


def rooted(address: str, ecosystem: str) -> str:
    """An upstream's URL as its ecosystem needs it: for pypi the index root, which ends in `/simple` or `/+simple`."""
    if ecosystem != "pypi" or address.rsplit("/", 1)[-1] in ("simple", "+simple"):
        return address
    return f"{address}/simple"


def authority(address: str) -> str:
    """`host:port` of a URL, by which two URLs can be compared: every loopback and wildcard address is `localhost`."""
    parts = urlsplit(address)
    name = (parts.hostname or "").rstrip(".")
    try:
        known = ip_address(name)
        name = "localhost" if known.is_loopback or known.is_unspecified else str(known)
    except ValueError:
        pass
    return f"{name}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
