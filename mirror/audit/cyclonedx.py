"""The record as a bill of materials: CycloneDX 1.6 (ECMA-424), a component for each file that somebody got. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mirror.audit.chain import GIVEN
from mirror.audit.wanted import Told

_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


@dataclass(slots=True)
class Got:
    """A file, and who got it."""

    first: Told
    last: str = ""
    count: int = 0
    clients: dict[str, None] = field(default_factory=dict)


def gathered(records: Iterable[Told]) -> list[Got]:
    """The files that the records tell of, in the order in which they were first handed out; without refusals, and
    without those of which no client got all it asked for."""
    found: dict[tuple[Any, ...], Got] = {}
    for told in records:
        if told.get("event") == GIVEN and told.get("whole", True):
            got = found.setdefault((told["purl"], told["file"], told["sha256"]), Got(told))
            got.last, got.count = told["time"], got.count + 1
            got.clients[f"{told['client']} ({told['token']})" if "token" in told else told["client"]] = None
    return list(found.values())


def document(records: Iterable[Told], *, at: str, serial: str, version: str, client: str = "") -> dict[str, Any]:
    """The bill of the records: made at the instant `at` (RFC 3339) by that version of the mirror, of one client's
    records where it is named; `serial` is a UUID."""
    metadata: dict[str, Any] = {
        "timestamp": at,
        "tools": {"components": [{"type": "application", "name": "mirror", "version": version}]},
    }
    if client:
        metadata["component"] = {"type": "device", "bom-ref": "client", "name": client}
    return {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": metadata,
        "components": [_component(number, got) for number, got in enumerate(gathered(records), 1)],
    }


def _component(number: int, got: Got) -> dict[str, Any]:
    told = got.first
    scope, slash, name = told["package"].rpartition("/")
    plain = told["ecosystem"] in ("http", "any")
    made: dict[str, Any] = {"type": "file" if plain else "library", "bom-ref": f"artifact-{number}"}
    made |= {"group": scope} if slash else {}
    made |= {"name": name}
    made |= {"version": told["version"]} if told["version"] else {}
    made |= {"hashes": [{"alg": "SHA-256", "content": told["sha256"]}]} if told["sha256"] else {}
    made |= {"purl": told["purl"]}
    said = [("file", told["file"]), ("first", told["time"]), ("last", got.last), ("count", str(got.count))]
    said += [("client", client) for client in got.clients]
    return made | {"properties": [{"name": f"mirror:{name}", "value": value} for name, value in said]}
