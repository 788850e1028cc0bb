"""A list of facts in one file: how it is written, and how it is searched where it lies.

{"slot": ..., "source": ..., "count": ..., "size": ..., "form": 2}       size: bytes of all that follows
name <TAB> url <TAB> algorithm:hex <TAB> size <TAB> package <TAB> version <TAB> published <TAB> license <TAB> first seen

Sorted by name as bytes; empty: not known. Instants are seconds since the epoch. A list without `form` is of the form 1,
whose lines end behind the size: what it says holds, and its names were seen when it was written, or earlier.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping

from mirror.model import Digest, Fact

FORM = 2
"""What is written. Lists of the older form are read."""

LINE = 8 * 1024
"""Bytes that one fact may take; longer ones are left out, so that one read finds a whole line."""

_SEEN = 32  # bytes for the instant at the end of the line
_TEXT = "[^\x00-\x1f\x7f]"
_OLD = f"{_TEXT}+\t{_TEXT}*\t{_TEXT}*\t[0-9]*"
_FACT = re.compile(f"{_OLD}\t{_TEXT}*\t{_TEXT}*\t-?[0-9.]*\t{_TEXT}*")

LINES = {1: re.compile(f"{_OLD}\n".encode()), FORM: re.compile(f"{_FACT.pattern}\t-?[0-9.]+\n".encode())}
"""What a line of each form looks like."""


class Document:
    """An open file of facts. ValueError, KeyError, TypeError or OSError: it is broken. Blocks."""

    def __init__(self, fd: int) -> None:
        first, found, _ = os.pread(fd, LINE, 0).partition(b"\n")
        head = json.loads(first) if found else {}
        self.slot = str(head["slot"])
        self.source = str(head["source"])
        self.form = int(head.get("form", 1))
        if self.form not in LINES:
            raise ValueError("it is of a form that is not known")
        self._fd = fd
        self._begin = len(first) + 1
        self._end = self._begin + int(head["size"])
        if os.fstat(fd).st_size != self._end:
            raise ValueError("it is shorter than it was")

    def find(self, name: str) -> Fact | None:
        """The fact of that name, by binary search: reads a few KiB for each halving."""
        wanted = name.encode("utf-8", "surrogatepass")
        low, high = self._begin, self._end  # both at the beginning of a line
        while low < high:
            start, text = self._line_at((low + high) // 2, low, high)
            found, *said = text.split(b"\t")
            if found == wanted:
                return self._fact(name, *(field.decode() for field in said))
            if len(said) != (3 if self.form == 1 else 8):
                raise ValueError("a line in it is damaged")
            if found < wanted:
                low = start + len(text) + 1
            else:
                high = start
        return None

    def seen(self) -> Iterator[tuple[bytes, float]]:
        """Each name, and when it was first put."""
        written_at = os.fstat(self._fd).st_mtime
        with open(self._fd, "rb", closefd=False) as lines:
            lines.seek(self._begin)
            for text in lines:
                name, tab, rest = text.partition(b"\t")
                if not tab:
                    raise ValueError("a line in it is damaged")
                yield name, written_at if self.form == 1 else float(rest.rpartition(b"\t")[2])

    def facts(self) -> Iterator[Fact]:
        """Each fact."""
        with open(self._fd, "rb", closefd=False) as lines:
            lines.seek(self._begin)
            for text in lines:
                name, *said = (field.decode("utf-8", "surrogatepass") for field in text.rstrip(b"\n").split(b"\t"))
                if len(said) != (3 if self.form == 1 else 8):
                    raise ValueError("a line in it is damaged")
                yield self._fact(name, *said)

    def _line_at(self, at: int, low: int, high: int) -> tuple[int, bytes]:
        """Where the line that holds byte `at` begins, and the line."""
        begin = max(low, at - LINE)
        window = os.pread(self._fd, min(high, at + LINE) - begin, begin)
        start = window.rfind(b"\n", 0, at - begin) + 1
        return begin + start, window[start : window.index(b"\n", at - begin)]

    def _fact(
        self,
        name: str,
        url: str,
        digest: str,
        size: str,
        package: str = "",
        version: str = "",
        published: str = "",
        licence: str = "",
        seen: str = "",
    ) -> Fact:
        algorithm, _, value = digest.partition(":")
        return Fact(
            name,
            url,
            Digest(algorithm, value) if digest else None,
            int(size) if size else None,
            package,
            version,
            float(published) if published else None,
            licence,
            float(seen) if self.form == FORM else os.fstat(self._fd).st_mtime,
        )


def line(fact: Fact) -> tuple[bytes, bytes] | None:
    """The fact's name and its line, less the instant at its end; None for one that cannot stand in a line."""
    size = "" if fact.size is None else fact.size
    published = "" if fact.published is None else float(fact.published)
    known = f"{fact.name}\t{fact.url}\t{fact.digest or ''}\t{size}"
    text = f"{known}\t{fact.package}\t{fact.version}\t{published}\t{fact.license}"
    if not _FACT.fullmatch(text):
        return None
    try:
        row = text.encode()
    except UnicodeEncodeError:
        return None
    return (fact.name.encode(), row) if len(row) <= LINE - _SEEN else None


def written(slot: str, source: str, lines: Mapping[bytes, bytes], seen: Mapping[bytes, float], now: float) -> bytes:
    """The file with these lines, each name first seen when `seen` says it was, or `now`, whichever is earlier."""
    body = b"".join(b"%s\t%r\n" % (lines[name], float(min(seen.get(name, now), now))) for name in sorted(lines))
    first = {"slot": slot, "source": source, "count": len(lines), "size": len(body), "form": FORM}
    return json.dumps(first).encode() + b"\n" + body
