"""JSON texts walked member by member, never parsed whole: where the values stand that somebody wants to replace."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, NoReturn

from mirror.errors import OriginError

Edit = tuple[int, int, bytes]
"""Bytes that take the place of the bytes `[start, end)`."""

LARGE: Final = object()
"""Stands for a value of more than WINDOW bytes, of which nothing is kept."""

WINDOW = 1 << 20
"""Bytes that one call of the C scanner covers at most: it keeps the interpreter's lock, about 10 ms for so much."""

LONGEST_STRING = 16 * WINDOW

_PIECE = 1 << 18
_BOM = b"\xef\xbb\xbf"
_SPACE = r"[ \t\n\r]*"
_BEGIN = re.compile(_SPACE)
_NAME = re.compile(rf'"([^"\\\x00-\x1f]*)"{_SPACE}:{_SPACE}')
_COLON = re.compile(rf"{_SPACE}:{_SPACE}")
_OPEN = {"{": re.compile(rf"{{{_SPACE}(}}?)"), "[": re.compile(rf"\[{_SPACE}(\]?)")}
_NEXT = {"{": re.compile(rf"{_SPACE}(?:,{_SPACE}|(}}))"), "[": re.compile(rf"{_SPACE}(?:,{_SPACE}|(\]))")}


class Cursor:
    """A place in a JSON text (RFC 8259), moved forward over one value after the other.

    `at` counts bytes: the text is looked at through a window that is decoded one character for each byte, so that
    the scanner's positions are the body's. Numbers are not read: their value is None. Methods raise OriginError where
    the text is no JSON; that it is UTF-8 is checked at the start, where it
    is not `checked`.
    """

    def __init__(self, body: bytes, *, checked: bool = False) -> None:
        if not checked:
            _check_utf8(body)
        self.body = body
        self._start, self._place, self._text = 0, 0, ""
        self._decoder = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_constant)
        self._look(len(_BOM) if body.startswith(_BOM) else 0)
        self._skip(_BEGIN)

    @property
    def at(self) -> int:
        """The offset of the next byte."""
        return self._start + self._place

    @property
    def kind(self) -> str:
        """The first character of the value that begins here, "" at the end."""
        return self._text[self._place : self._place + 1]

    def go(self, at: int) -> None:
        """To a value that was met before."""
        if self._start <= at < self._start + len(self._text):
            self._place = at - self._start
        else:
            self._look(at)

    def members(self) -> Iterator[str]:
        """The names of the object that begins here. At each the cursor stands at its value, and goes past it if it is
        left there. An iterator that is not used up leaves the cursor within the object."""
        closed = self._skip(_OPEN["{"])[1]
        while not closed:
            name = self._name()
            before = self.at
            yield name
            if self.at == before:
                self.value()
            closed = self._skip(_NEXT["{"])[1]

    def value(self) -> Any:
        """Past the value that begins here. What it is: None for a number, LARGE for one that is; its strings have one
        character for each byte that is not ASCII, and are meant for comparisons only (see `string`)."""
        found = self._scanned()
        if found is None and self._further():
            found = self._scanned()
        if found is None:
            return self._large()
        self._place = found[1]
        return found[0]

    def since(self, start: int) -> str:
        """The text from `start` up to here, one character for each byte; "" where the window does not show all."""
        return self._text[start - self._start : self._place] if start >= self._start else ""

    def string(self) -> str | None:
        """Past the value that begins here: what it is if it is a string, None if it is not."""
        start = self.at
        value = self.value()
        if not isinstance(value, str) or value.isascii():
            return value if isinstance(value, str) else None
        text: str = json.loads(self.body[start : self.at])
        return text

    def end(self) -> None:
        """OriginError where anything but white space follows."""
        self._skip(_BEGIN)
        if self.at != len(self.body):
            self._broken()

    def _name(self) -> str:
        found = self._match(_NAME)
        if found is not None:
            name = found[1]
            return name if name.isascii() else name.encode("latin-1").decode()
        written = self.string()
        if written is None:
            self._broken()
        self._skip(_COLON)
        return written

    def _large(self) -> object:
        """Past a value that does not end within the window: by its parts, so that no call covers much."""
        kind = self.kind
        if self._whole() or kind not in '{["':
            self._broken()
        if kind == "{":
            for _ in self.members():
                pass
        elif kind == "[":
            closed = self._skip(_OPEN["["])[1]
            while not closed:
                self.value()
                closed = self._skip(_NEXT["["])[1]
        else:
            self._look(self.at, LONGEST_STRING)
            found = self._scanned()
            if found is None:
                self._broken()
            self._look(self._start + found[1])
        return LARGE

    def _scanned(self) -> tuple[Any, int] | None:
        """The value and where it ends in the window; None where the window does not show that."""
        try:
            value, end = self._decoder.raw_decode(self._text, self._place)
        except json.JSONDecodeError:
            return None
        return None if end == len(self._text) and not self._whole() else (value, end)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._place)
        if (found is None or found.end() == len(self._text)) and self._further():
            found = pattern.match(self._text, self._place)
        if found is not None:
            self._place = found.end()
        return found

    def _skip(self, pattern: re.Pattern[str]) -> re.Match[str]:
        return self._match(pattern) or self._broken()

    def _look(self, start: int, size: int = WINDOW) -> None:
        self._start, self._place = start, 0
        self._text = self.body[start : start + size].decode("latin-1")

    def _further(self) -> bool:
        """Look at the text from here on; False where that shows no more than before."""
        if self._whole() or (self._place == 0 and len(self._text) >= WINDOW):
            return False
        self._look(self.at)
        return True

    def _whole(self) -> bool:
        """True where the window reaches to the end of the text."""
        return self._start + len(self._text) >= len(self.body)

    def _broken(self) -> NoReturn:
        raise OriginError(f"the origin's document is not JSON (at byte {self.at})")


def edited(body: bytes, start: int, end: int, edits: Iterable[Edit]) -> Iterator[bytes]:
    """The bytes `[start, end)` with these edits, which are in order, in small pieces."""
    for first, last, new in chain(edits, ((end, end, b""),)):
        for at in range(start, first, _PIECE):
            yield body[at : min(first, at + _PIECE)]
        yield new
        start = last


def _check_utf8(body: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in range(0, len(body), WINDOW):
            decoder.decode(body[at : at + WINDOW])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as exc:
        raise OriginError("the origin's document is not JSON: it is not UTF-8") from exc


def _number(_: str) -> None:
    return None


def _constant(name: str) -> NoReturn:
    raise OriginError(f"the origin's document is not JSON: {name} is none")
