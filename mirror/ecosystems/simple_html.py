"""The tags of an HTML page that matter to an index, each with where it stands, so that a page is changed in place."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# What cannot hold a tag is skipped whole: comments, and elements whose content is text (HTML §13.2.5).
_TAG = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<(script|style|title|textarea)(?=[\s/>]).*?(?:</\1|\Z)|<(a|base|meta)(?=[\s/>])",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)
# Attributes in their three notations (HTML §13.1.2.3), or the end of the tag. Possessive, hence linear.
_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?:(>)|([^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|(?!["'])[^\s>]*+))?)""", re.ASCII
)
_SERIAL = re.compile(r"<!--SERIAL ([0-9]{1,18})-->")
_REST = re.compile(r"[^<]*+(?:</a\s*+>(?:\s*+<br\s*+/?>)?(?:[ \t]*+\r?\n)?)?", re.IGNORECASE | re.ASCII)
_WORDS = 1024
_TAIL = 256


class Attribute(NamedTuple):
    """An attribute: its text with entities resolved, where its name begins, and the span of its value with quotes."""

    value: str
    name_start: int
    start: int
    end: int


class Tag(NamedTuple):
    """A start tag `a`, `base` or `meta`, its attributes by lower-case name (of equal ones the first), where it begins
    and ends."""

    name: str
    attributes: dict[str, Attribute]
    start: int
    end: int

    def get(self, name: str) -> str | None:
        """The attribute's text ("" where it has none), or None where there is no such attribute."""
        attribute = self.attributes.get(name)
        return None if attribute is None else attribute.value


def text_of(page: bytes) -> str:
    """The page as text with one character for each byte, so that spans count bytes and every byte comes back."""
    return page.decode("latin-1")


def tags(text: str) -> Iterator[Tag]:
    """The `a`, `base` and `meta` tags of `text_of(page)` in order; a tag that the page's end cuts off is none."""
    at = 0
    while match := _TAG.search(text, at):
        at = match.end()
        if name := match[2]:
            attributes, at = _attributes(text, at)
            if at:
                yield Tag(name.lower(), attributes, match.start(), at)
            else:
                return


class Edit(NamedTuple):
    """What stands between two positions of a text, made to be something else, which is ASCII."""

    start: int
    end: int
    new: str


def edited(text: str, edits: Iterable[Edit]) -> Iterator[bytes]:
    """The bytes of `text_of(page)` with the edits, which are in order, applied; every other byte as it was."""
    at = 0
    for edit in edits:
        yield text[at : edit.start].encode("latin-1")
        yield edit.new.encode("ascii")
        at = edit.end
    yield text[at:].encode("latin-1")


def named(found: Iterable[Tag], name: str) -> Iterator[str]:
    """The contents of the `meta` tags of that name."""
    for tag in found:
        if tag.name == "meta" and (tag.get("name") or "").strip().lower() == name:
            yield tag.get("content") or ""


def stated_serial(text: str) -> int | None:
    """The index's serial of the page, which the index writes into the last line as a comment."""
    match = _SERIAL.search(text[-_TAIL:])
    return int(match[1]) if match else None


def words_behind(text: str, tag: Tag) -> str:
    """The text between a tag and the next one."""
    end = text.find("<", tag.end, tag.end + _WORDS)
    return _plain(text[tag.end : end]).strip() if end >= 0 else ""


def element_end(text: str, tag: Tag) -> int:
    """Where what belongs to a link ends: its words, its end tag and the line break behind it, as far as it has them."""
    match = _REST.match(text, tag.end)
    return match.end() if match else tag.end


def attribute_text(value: str) -> str:
    """`value`, quoted, as it is written into a tag."""
    return f'"{html.escape(value)}"'


def _attributes(text: str, at: int) -> tuple[dict[str, Attribute], int]:
    """The attributes from `at` on, and the position behind the tag's `>` (0: the page ended within the tag)."""
    found: dict[str, Attribute] = {}
    while match := _ATTRIBUTE.match(text, at):
        at = match.end()
        if match[1]:
            return found, at
        value, start = match[3] or "", match.start(3) if match[3] else at
        found.setdefault(match[2].lower(), Attribute(_unquoted(value), match.start(2), start, at))
    return found, 0


def _unquoted(value: str) -> str:
    return _plain(value[1:-1] if value[:1] in ('"', "'") else value)


def _plain(value: str) -> str:
    if not value.isascii():
        value = value.encode("latin-1").decode(errors="replace")
    return html.unescape(value) if "&" in value else value
