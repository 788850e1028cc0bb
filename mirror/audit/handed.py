"""What the record says of an artifact that is handed out: the part that is the same each time is made once. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from mirror.audit.chain import GIVEN, REFUSED, stamp
from mirror.ecosystems.naming import named
from mirror.model import Mirror, Request

_GOT = (200, 206)
"""Statuses with which a client gets bytes of what it asked for."""
_UNKNOWN = '"sha256":null'  # no name has quotation marks that are not escaped


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy said: which rule decided ("none": there is no policy), and whether it lets the artifact through.
    `first_seen`: when the artifact was first named to this mirror (wall clock), None where that is not known."""

    rule: str = "none"
    allowed: bool = True
    first_seen: float | None = None


OPEN = Decision()


@dataclass(frozen=True, slots=True)
class Handed:
    """An artifact on its way to a client: the members of a line that are the same each time. `refused`: on no way."""

    constant: str
    refused: bool = False

    def known(self, digest: str) -> Handed:
        """The same, now that its digest is known; "" where that is not."""
        return replace(self, constant=self.constant.replace(_UNKNOWN, f'"sha256":"{digest}"')) if digest else self

    def members(self, client: str, status: int, count: int, outcome: str, *, whole: bool) -> str:
        """A line's members for an answer with so many bytes of the body, which are all of it where it is `whole`;
        `outcome` as X-Cache says it. "" where the answer gave nothing of the artifact (304, an error)."""
        if not self.refused and (status not in _GOT or not (count or whole)):
            return ""
        broken = "" if whole or self.refused else ',"whole":false'
        event, outcome = (REFUSED, "REFUSED") if self.refused else (GIVEN, outcome)
        return (
            f'"event":"{event}","client":{json.dumps(client)},{self.constant},"status":{status},"bytes":{count},'
            f'"outcome":"{outcome}"{broken}'
        )


def handed(
    mirror: Mirror, request: Request, digest: str = "", decision: Decision = OPEN, *, refused: bool = False
) -> Handed | None:
    """The artifact that a request is for, with the SHA-256 of its stored bytes ("": not known). None where that is a
    document, or stands beside an artifact."""
    name = named(mirror, request.path)
    if name is None:
        return None
    told: dict[str, object] = {"token": request.token} if request.token else {}
    told |= {"mirror": mirror.name, "ecosystem": mirror.ecosystem, "package": name.package, "version": name.version}
    told |= {"file": name.file, "purl": name.purl, "sha256": None}
    told |= {"policy": {"rule": decision.rule, "allowed": decision.allowed}}
    told |= {"first_seen": None if decision.first_seen is None else stamp(decision.first_seen)}
    return Handed(json.dumps(told, separators=(",", ":"))[1:-1], refused).known(digest)
