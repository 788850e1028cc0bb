"""Which entries an operator means, by address, name or mark, and how to come to them without looking at all others."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from mirror import variants
from mirror.ecosystems import PLANNERS
from mirror.errors import RequestError
from mirror.model import Entry
from mirror.operations import globs, purls
from mirror.operations.places import Places
from mirror.operations.purls import Part
from mirror.ports import Index

LONGEST = 4096
"""Characters of one value."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Selection:
    """What is meant, all together: addresses as clients ask them (`/pypi/simple/six/`), prefixes of such, globs over
    such, tags as entries have them, package URLs, mirrors by name, or everything."""

    urls: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    purls: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    everything: bool = False


class Chosen:
    """What a selection means. RequestError names the field, and which of its values means nothing."""

    def __init__(self, selection: Selection, places: Places) -> None:
        self._places = places
        mirrors = tuple(places.mirrors.values())
        self._addresses = frozenset(_each("urls", selection.urls, places.key))
        self._tags = frozenset(_each("tags", selection.tags, str))
        below = _each("prefixes", selection.prefixes, places.prefix)
        below += _each("mirrors", selection.mirrors, self._mount)
        self._prefixes = ("",) if selection.everything else tuple(below)
        patterns = _each("globs", selection.globs, self._glob)
        parts = [
            part for some in _each("purls", selection.purls, lambda purl: purls.parts(purl, mirrors)) for part in some
        ]
        self._tests = [*(Part(start, _matched_by(pattern)) for start, pattern in patterns), *parts]
        if not (self._addresses or self._tags or self._prefixes or self._tests or selection.purls):
            fields = "urls, prefixes, globs, tags, purls, mirrors, everything"
            raise RequestError(f"nothing is selected: name at least one of {fields}")

    def _mount(self, name: str) -> str:
        return f"/{self._places.named(name).name}/"

    def _glob(self, glob: str) -> tuple[str, re.Pattern[str]]:
        start = globs.beginning(glob)
        if not glob.startswith(("/", "*", "?", "[")):
            raise RequestError(f"{glob!r} matches no address: they begin with '/'")
        if "/" in start[1:]:
            self._places.mirror(start)
        return start, globs.compiled(glob)

    def entry(self, entry: Entry) -> bool:
        """Whether it is meant."""
        return self._address(variants.address(entry.key)) or not self._tags.isdisjoint(entry.tags)

    def key(self, key: str) -> bool:
        """The same of what is not stored yet: a running fill, a kept partial."""
        if self._address(variants.address(key)):
            return True
        plan = self._places.stored(key) if self._tags else None
        return plan is not None and not self._tags.isdisjoint(plan.tags)

    def _address(self, address: str) -> bool:
        if address in self._addresses or address.startswith(self._prefixes):
            return True
        return any(
            address == test.prefix if test.whole else address.startswith(test.prefix) and test.holds(address)
            for test in self._tests
        )

    def _ways(self) -> tuple[list[str], list[str]]:
        """Addresses, and prefixes of which none is another's: together all that can be meant, and nothing twice."""
        ecosystems = {tag.partition(":")[0] for tag in self._tags}
        tagged = [f"/{mirror.name}/" for mirror in self._places.mirrors.values() if mirror.ecosystem in ecosystems]
        if not ecosystems <= PLANNERS.keys():
            tagged = [""]
        found: list[str] = []
        for prefix in sorted({*self._prefixes, *tagged, *(test.prefix for test in self._tests if not test.whole)}):
            if not found or not prefix.startswith(found[-1]):
                found.append(prefix)
        whole = {*self._addresses, *(test.prefix for test in self._tests if test.whole)}
        return sorted(address for address in whole if not address.startswith(tuple(found))), found

    async def entries(self, index: Index) -> AsyncIterator[list[Entry]]:
        """What is meant, in batches, which may be empty, each entry once. StoreError as `Index.scan`."""
        addresses, prefixes = self._ways()
        for address in addresses:
            yield await index.under(address)
        for prefix in prefixes:
            async for batch in index.scan(prefix):
                yield batch


def _matched_by(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda address: pattern.match(address) is not None


def _each(field: str, values: Iterable[str], of: Callable[[str], T]) -> list[T]:
    made = []
    for number, value in enumerate(values):
        try:
            if not value:
                raise RequestError("it is empty")  # noqa: TRY301
            if len(value) > LONGEST:
                raise RequestError(f"it has more than {LONGEST} characters")  # noqa: TRY301
            value.encode()
            made.append(of(value))
        except RequestError as exc:
            raise RequestError(f"{field}[{number}]: {exc}") from exc
        except UnicodeEncodeError as exc:
            raise RequestError(f"{field}[{number}]: it is no text") from exc
    return made
