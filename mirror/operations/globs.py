"""Globs over addresses: `*` within a path segment, `**` across them, `?` one character, `[...]` one of some. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mirror.errors import RequestError

_SPECIAL = re.compile(r"\*\*+|\*|\?|\[")
_STARS = ("*", "**")


def beginning(glob: str) -> str:
    """The literal text that all that matches begins with."""
    first = _SPECIAL.search(glob)
    return glob[: first.start()] if first else glob


def compiled(glob: str) -> re.Pattern[str]:
    """What matches whole addresses. RequestError where a `[` has no end, or a range none.

    Matching takes no more than the square of an address's length, however many stars there are. Of the places where the
    text behind a star stands, the first is as good as any for what follows; it is taken for good (an atomic group).
    """
    pieces: list[list[list[str]]] = [[[]]]  # split at `**`, each at `*`, each into expressions of one character
    for token in _tokens(glob):
        if token == "**":  # noqa: S105  no password
            pieces.append([[]])
        elif token == "*":  # noqa: S105
            pieces[-1].append([])
        else:
            pieces[-1][-1].append(token)
    first, *behind = pieces
    text = _piece(first, last=not behind)
    for number, piece in enumerate(behind, 1):
        last = number == len(behind)
        text += f".*?{_piece(piece, last=True)}" if last else f"(?>.*?{_piece(piece, last=False)})"
    return re.compile(text, re.DOTALL)


def _piece(chunks: list[list[str]], *, last: bool) -> str:
    """What stands between two `**`; the last one reaches to the end."""
    texts = ["".join(chunk) for chunk in chunks]
    if not last:
        return texts[0] + "".join(f"(?>[^/]*?{text})" for text in texts[1:])
    if len(texts) == 1:
        return rf"{texts[0]}\Z"
    return texts[0] + "".join(f"(?>[^/]*?{text})" for text in texts[1:-1]) + rf"[^/]*{texts[-1]}\Z"


def _tokens(glob: str) -> Iterator[str]:
    """Stars as they are, everything else as a regular expression of one character."""
    at = 0
    while at < len(glob):
        if glob[at] == "*":
            stars = len(glob[at:]) - len(glob[at:].lstrip("*"))
            yield "**" if stars > 1 else "*"
            at += stars
        elif glob[at] == "[":
            end = glob.find("]", at + 3 if glob[at + 1 : at + 2] in ("!", "^") else at + 2)
            if end < 0:
                raise RequestError(f"{glob!r}: a '[' without its ']'")
            yield _one_of(glob, glob[at + 1 : end])
            at = end + 1
        else:
            yield "[^/]" if glob[at] == "?" else re.escape(glob[at])
            at += 1


def _one_of(glob: str, inside: str) -> str:
    negated = inside[0] in "!^"
    text = inside[1:] if negated else inside
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", text)
    # "/" is in none: what is within a segment stays there.
    expression = rf"(?!/)[{'^' if negated else ''}{escaped}]"
    try:
        re.compile(expression)
    except re.error as exc:
        raise RequestError(f"{glob!r}: [{inside}] is no set of characters") from exc
    return expression
