"""How commands show things: tables, sizes and times for people, JSON for programs.

What comes from a server is shown as text: without control characters, and without rich's markup.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SCREENS = 1000
_SPANS = ((86400, "d"), (3600, "h"), (60, "m"))


def console(*, errors: bool = False) -> Console:
    """Standard output, or standard error: with colours where it is a terminal and NO_COLOR is not set."""
    return Console(stderr=errors, markup=False, highlight=False, emoji=False, soft_wrap=not _terminal(errors))


def _terminal(errors: bool) -> bool:
    return (sys.stderr if errors else sys.stdout).isatty()


def document(value: Any) -> None:
    """JSON, on a line of its own."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def say(text: str) -> None:
    """A line for the person, beside what a program may read."""
    print(clean(text), file=sys.stderr)


def clean(text: str) -> str:
    """Without what could move a terminal's cursor; lines stay lines."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: str = "",
    *,
    bars: Sequence[RenderableType] = (),
    head: bool = True,
) -> RenderableType:
    """A table for the terminal, or plain lines where nobody's screen limits them; columns of `right` (a letter for
    each, `r` or another) stand at the right. `bars`, one for each row, are for the terminal alone."""
    cells = [[clean(cell).replace("\n", " ") for cell in row] for row in rows]
    if not _terminal(errors=False):
        return Text(plain(heads, cells, right, head=head))
    made = Table(box=None, pad_edge=False, header_style="bold", show_header=head)
    for at, name in enumerate(heads):
        made.add_column(name, justify="right" if right[at : at + 1] == "r" else "left", overflow="fold")
    if bars:
        made.add_column("")
    for at, row in enumerate(cells):
        made.add_row(*(Text(cell) for cell in row), *bars[at : at + 1])
    return made


def rows(heads: Sequence[str], found: Sequence[Sequence[str]], right: str = "") -> None:
    """Print a table; of more rows than anybody looks through on a screen, in plain lines, which take no time."""
    if _terminal(errors=False) and len(found) <= _SCREENS:
        console().print(table(heads, found, right))
    else:
        print(plain(heads, [[clean(cell).replace("\n", " ") for cell in row] for row in found], right))


def plain(heads: Sequence[str], rows: Sequence[Sequence[str]], right: str = "", *, head: bool = True) -> str:
    """The same in lines."""
    lines = [heads, *rows] if head else rows
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    sides = (">" if right[at : at + 1] == "r" else "<" for at in range(len(heads)))
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True)).format
    return "\n".join([form(*line).rstrip() for line in lines])


def size(count: float | None) -> str:
    """Bytes in powers of 1000, as config.toml has them: `1.5MB`; `-` where it is not known."""
    if count is None:
        return "-"
    for unit in _UNITS:
        if count < 999.5 or unit == _UNITS[-1]:
            break
        count /= 1000
    return f"{count:.0f}{unit}" if unit == "B" or count >= 100 else f"{count:.1f}{unit}"


def span(seconds: float | None) -> str:
    """A duration in its two largest units: `3d4h`, `12m30s`, `0.5s`; `-` where it is not known."""
    if seconds is None:
        return "-"
    if seconds < 0:
        return f"-{span(-seconds)}"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    parts: list[str] = []
    left = round(seconds)
    for length, letter in (*_SPANS, (1, "s")):
        count, left = divmod(left, length)
        if count or parts:
            parts.append(f"{count}{letter}" if count else "")
    return "".join(parts[:2])


def count(number: int, one: str, many: str = "") -> str:
    """`1 entry`, `2 entries`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
