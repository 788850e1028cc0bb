"""Header fields, as they are everywhere: in order, and with their repeated lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in order, names in lower case, repeated lines kept (RFC 9110 §5.2, §5.3)."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
        """Fields from a mapping or from pairs; names are lowered."""
        pairs = fields.items() if isinstance(fields, Mapping) else fields
        return cls(tuple((name.lower(), value) for name, value in pairs))

    def get(self, name: str) -> str | None:
        """The field's lines joined with ", ", or None where there is no such line (RFC 9110 §5.3)."""
        values = [value for key, value in self.pairs if key == name]
        return ", ".join(values) if values else None

    def all(self, name: str) -> list[str]:
        """The field's lines, one string each, in order."""
        return [value for key, value in self.pairs if key == name]

    def without(self, *names: str) -> Headers:
        """These fields less the named ones."""
        return Headers(tuple(pair for pair in self.pairs if pair[0] not in names))

    def only(self, names: Iterable[str]) -> Headers:
        """Just the named fields."""
        keep = frozenset(names)
        return Headers(tuple(pair for pair in self.pairs if pair[0] in keep))

    def set(self, name: str, value: str) -> Headers:
        """These fields with `name` replaced by one line."""
        return Headers((*(pair for pair in self.pairs if pair[0] != name), (name, value)))

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)
