"""The tags of an HTML page that matter to an index, each with where it stands, so that a page is changed in place."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
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


class Attribute(NamedTuple):
    """An attribute: its text with entities resolved, where its name begins, and the span of its value with quotes."""

    value: str
    name_start: int
    start: int
    end: int


class Tag(NamedTuple):
    """A start tag `a`, `base` or `meta` and its attributes by lower-case name; the first of equal ones counts."""

    name: str
    attributes: dict[str, Attribute]

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
                yield Tag(name.lower(), attributes)
            else:
                return


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
        found.setdefault(match[2].lower(), Attribute(_plain(value), match.start(2), start, at))
    return found, 0


def _plain(value: str) -> str:
    if value[:1] in ('"', "'"):
        value = value[1:-1]
    if not value.isascii():
        value = value.encode("latin-1").decode(errors="replace")
    return html.unescape(value) if "&" in value else value
