"""JSON of many megabytes, read and written value by value, so that no step of it keeps other threads waiting."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from math import isfinite
from typing import Any, TypeVar

from mirror.ecosystems.bodies import json_bytes
from mirror.errors import OriginError

_SPACE = re.compile(r"[ \t\n\r]*+")
_CHUNK = 128 * 1024
_T = TypeVar("_T")


class Cursor:
    """A place in JSON text. Each step reads one token or one whole value; ValueError where the text is not JSON.

    Decoding in one call holds the interpreter for as long as it takes, and with it the event loop.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._decode = json.JSONDecoder(parse_constant=_no_number, parse_float=_number).raw_decode

    def begins(self, mark: str) -> bool:
        """Whether the next token is `mark`; it stays where it is."""
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._text.startswith(mark, self._at)

    def value(self) -> Any:
        """The next value, whole."""
        self.begins("")
        value, self._at = self._decode(self._text, self._at)
        return value

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; each one's value is taken before the next key is asked for."""
        self._take("{")
        if self._taken("}"):
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise ValueError("an object's key is no string")  # noqa: TRY004 - all that is no JSON is one error
            self._take(":")
            yield key
            if not self._taken(","):
                break
        self._take("}")

    def elements(self) -> Iterator[Any]:
        """The values of the array that begins here, one by one."""
        self._take("[")
        if self._taken("]"):
            return
        while True:
            yield self.value()
            if not self._taken(","):
                break
        self._take("]")

    def end(self) -> None:
        """Nothing follows any more."""
        self.begins("")
        if self._at < len(self._text):
            raise ValueError("something follows the value")

    def _taken(self, mark: str) -> bool:
        found = self.begins(mark)
        self._at += len(mark) if found else 0
        return found

    def _take(self, mark: str) -> None:
        if not self._taken(mark):
            raise ValueError(f"{mark} is missing")


def parsed(body: bytes) -> dict[str, Any]:
    """The object that a body is, as `json.loads` has it; OriginError where it is none, or holds what JSON has not."""
    return read(lambda: _object(body))


def read(action: Callable[[], _T]) -> _T:
    """What `action` reads; OriginError where it finds that this is no JSON."""
    try:
        return action()
    except (ValueError, RecursionError) as exc:
        raise OriginError("the origin's document is no JSON object") from exc


def written(document: dict[str, Any]) -> Iterator[bytes]:
    """The object as compact JSON, keys in their order; `parsed` gives it back. In pieces of some 128 KiB."""
    return chunked(_pieces(document))


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of some 128 KiB."""
    chunk: list[bytes] = []
    size = 0
    for piece in pieces:
        chunk.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield b"".join(chunk)
            chunk.clear()
            size = 0
    if chunk:
        yield b"".join(chunk)


def _object(body: bytes) -> dict[str, Any]:
    # Half a surrogate pair is not UTF-8, but passes through, as with `json.loads`.
    cursor = Cursor(body.decode("utf-8-sig", "surrogatepass"))
    document = {key: _shallow(cursor) for key in cursor.members()}
    cursor.end()
    return document


def _shallow(cursor: Cursor) -> Any:
    """The next value, its own members or elements read one by one."""
    if cursor.begins("["):
        return list(cursor.elements())
    if cursor.begins("{"):
        return {key: cursor.value() for key in cursor.members()}
    return cursor.value()


def _pieces(document: dict[str, Any]) -> Iterator[bytes]:
    mark = b"{"
    for key, value in document.items():
        yield mark + json_bytes(key) + b":"
        yield from _value(value)
        mark = b","
    yield b"{}" if mark == b"{" else b"}"


def _value(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict) and value:
        mark = b"{"
        for key, member in value.items():
            yield mark + json_bytes(key) + b":" + json_bytes(member)
            mark = b","
        yield b"}"
    elif isinstance(value, list) and value:
        mark = b"["
        for element in value:
            yield mark + json_bytes(element)
            mark = b","
        yield b"]"
    else:
        yield json_bytes(value)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")


def _number(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _no_number(text)
