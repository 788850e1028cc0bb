"""Lock files, read: text -> what it names, and what is skipped with its reason. A file for each family. Pure."""

from __future__ import annotations

from collections.abc import Callable

from mirror.locks import npm, pnpm, python, requirements
from mirror.locks.wanted import Lock, Platform, Skipped, Wanted

__all__ = ["FORMATS", "Lock", "Platform", "Skipped", "Wanted", "kind", "read"]


def _addresses(text: str) -> Lock:
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines())
    return Lock([Wanted("", line, url=line) for line in lines if line and not line.startswith("#")])


FORMATS: dict[str, Callable[[str], Lock]] = {
    "requirements": requirements.read,
    "package-lock": npm.read,
    "pnpm-lock": pnpm.read,
    "uv": python.read,
    "poetry": python.read,
    "pylock": python.read,
    "urls": _addresses,
}
"""What can be read, by the name of its format."""


def kind(name: str, text: str) -> str:
    """The format of a file, from its name, or (of standard input, `-`, and of other names) from how it begins."""
    name = name.replace("\\", "/").rpartition("/")[2].lower()
    if name == "uv.lock":
        return "uv"
    if name in ("poetry.lock", "pdm.lock"):
        return "poetry"
    if name.startswith("pylock.") and name.endswith(".toml"):
        return "pylock"
    if name == "pnpm-lock.yaml":
        return "pnpm-lock"
    if name in ("package-lock.json", "npm-shrinkwrap.json") or text.lstrip("\ufeff \r\n\t").startswith("{"):
        return "package-lock"
    if text.startswith("lockfileVersion:"):
        return "pnpm-lock"
    if "\n[[package]]" in f"\n{text}":
        return "uv"
    lines = [line for line in (line.strip() for line in text.splitlines()) if line and not line.startswith("#")]
    return "urls" if lines and all(line.startswith(("/", "http://", "https://")) for line in lines) else "requirements"


def read(text: str, format: str) -> Lock:  # noqa: A002
    """What a file of that format names. Raises ConfigError where it cannot be read as such."""
    return FORMATS[format](text)
