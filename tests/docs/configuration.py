"""The reference of the configuration: `python -m tests.docs.configuration > docs/configuration.md`.

Which keys there are, the readers say; what each means, and its default, stands once, in `config.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mirror.sections import ONLY, mirror_readers, section_readers
from tests.instruments.server import ROOT

COMMAND = "python -m tests.docs.configuration > docs/configuration.md"

_TABLE = re.compile(r"^(?:# )?(\[{1,2})([a-z-]+(?:\.[A-Za-z-]+)*)\]{1,2}\s*(?:#\s*(.*))?$")
_KEY = re.compile(r"^(?:# )?([a-z_]+|\"[^\"]+\") = (\"[^\"]*\"|\[[^\]]*\]|\{[^}]*\}|[^\s#]+)\s*(?:#\s*(.*))?$")
_MORE = re.compile(r"^(?:# )?#?\s{10,}#?\s*(.+)$")

INTRODUCTION = """\
# Configuration

`config.toml`, or the file that `--config` or `$MIRROR_CONFIG` names. Every key has a default; an unknown key is an
error, with the one that it resembles. `mirror check` says all that is wrong, with line and key.

| kind | how it is written |
|---|---|
| sizes | `"500MB"` and `"50GB"` count in thousands, `"2GiB"` in 1024s; a plain number is bytes |
| durations | `"30s"`, `"10m"`, `"12h"`, `"7d"` |
| secrets | `"env:NAME"` (an environment variable) or `"file:PATH"`, so that they need not stand in the file |
| paths | relative to the file |
"""

OUTRO = """\
The mirrors of the default file show the keys at work; [Recipes](recipes.md) has more.
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One key as `config.toml` tells of it."""

    name: str
    default: str
    meaning: str


def described(path: Path = ROOT / "config.toml") -> dict[str, dict[str, Key]]:
    """All keys by section; those of every mirror under `mirrors.NAME`, of the tokens under `admin.tokens.NAME`."""
    found: dict[str, dict[str, Key]] = {}
    table, last = "", ""
    for line in path.read_text().splitlines():
        if header := _TABLE.match(line):
            table, last = _section(header[2], several=header[1] == "[["), ""
        elif (key := _KEY.match(line)) and table:
            last = key[1]
            found.setdefault(table, {}).setdefault(last, Key(last, key[2], key[3] or ""))
        elif (more := _MORE.match(line)) and last:
            known = found[table][last]
            if more[1] not in known.meaning:
                found[table][last] = Key(last, known.default, f"{known.meaning} {more[1]}".strip())
        else:
            last = ""
    return found


def _section(table: str, *, several: bool) -> str:
    """`[mirrors.npm.policy]` is of mirrors.NAME.policy; what there may be several of keeps its brackets."""
    first, *rest = table.split(".")
    if first == "policy":
        return f"[{table}]" if several else table
    if first == "mirrors" and rest:
        return ".".join((first, "NAME", *rest[1:]))
    return f"{'.'.join((first, *rest[:-1]))}.NAME" if rest else first


def known() -> dict[str, list[str]]:
    """All keys that can be read, by section."""
    folder = Path("/")
    sections = {name: list(readers) for name, readers in section_readers(folder).items()}
    return sections | {"mirrors.NAME": list(mirror_readers(folder))}


def page() -> str:
    """The page."""
    return "\n".join([INTRODUCTION, *_sections(), OUTRO])


def _sections() -> Iterator[str]:
    told = described()
    for section, keys in known().items():
        yield f"## [{section}]\n\n| key | default | meaning |\n|---|---|---|"
        for name in keys:
            key = told[section][name]
            only = f" ({ONLY[name]} mirrors)" if section == "mirrors.NAME" and name in ONLY else ""
            yield f"| `{name}` | `{key.default}` | {_cell(key.meaning)}{only} |"
        yield ""
    extra = sorted(set(told) - set(known()))
    for section in extra:
        yield f"## [{section}]\n\n| key | example | meaning |\n|---|---|---|"
        yield from (f"| `{key.name}` | `{key.default}` | {_cell(key.meaning)} |" for key in told[section].values())
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
