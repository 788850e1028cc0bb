"""What the policy keeps back of all that indexes have named so far, and until when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mirror.ecosystems import views
from mirror.errors import RequestError
from mirror.model import Fact, Mirror
from mirror.operations import cursors
from mirror.operations.places import Places
from mirror.policy.artifact import Artifact, Verdict
from mirror.ports import Clock, FactStore

_MOST = 50_000
"""Files that are looked at for one page: there is no time for more."""

_BESIDE = (".metadata", ".asc")


@dataclass(frozen=True, slots=True)
class Withheld:
    """An artifact that is not given; `address` is where it would be."""

    address: str
    artifact: Artifact
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Withholding:
    """A page of them. `cursor` goes on behind it, None where there are no more; not `complete`: there was no time."""

    held: list[Withheld]
    cursor: str | None
    complete: bool


class Holding:
    """Lists. Of the facts that are known, document by document, in no order that means anything."""

    def __init__(self, facts: FactStore, places: Places, wall: Clock) -> None:
        self._facts = facts
        self._places = places
        self._wall = wall

    async def held(self, name: str, cursor: str = "", limit: int = 100) -> Withholding:
        """What the mirror of that name does not give, in mode audit: would not. RequestError: there is none such."""
        mirror, now = self._places.named(name), self._wall()
        place, skipped = _place(cursors.read(cursor))
        found: list[Withheld] = []
        seen = 0
        while mirror.gate:
            page = await self._facts.page(mirror.name, place)
            if page is None:
                break
            following, slot, facts = page
            new = await asyncio.to_thread(_of, mirror, slot, facts, now)
            if len(found) + len(new) - skipped > limit:
                taken = limit - len(found)
                found += new[skipped : skipped + taken]
                return Withholding(found, cursors.written(f"{skipped + taken} {place}"), complete=True)
            found += new[skipped:]
            place, skipped, seen = following, 0, seen + len(facts)
            if seen > _MOST:
                return Withholding(found, cursors.written(f"0 {place}"), complete=False)
        return Withholding(found, None, complete=True)


def _place(text: str) -> tuple[str, int]:
    """Behind which document it goes on, and how many of the next one were told."""
    if not text:
        return "", 0
    number, _, place = text.partition(" ")
    if not number.isdecimal():
        raise RequestError("cursor: it is none that a page ended with")
    return place, int(number)


def _of(mirror: Mirror, slot: str, facts: list[Fact], now: float) -> list[Withheld]:
    if mirror.ecosystem == "pypi" and not slot.removeprefix("private ").startswith("simple/"):
        return []  # legacy documents name the same files once more
    found = []
    for fact in sorted(facts, key=lambda each: each.name):
        if fact.package and not (mirror.ecosystem == "pypi" and fact.name.endswith(_BESIDE)):
            artifact = views.artifact(mirror.ecosystem, fact)
            verdict = mirror.gate.verdict(artifact, now)
            if not verdict.allowed:
                found.append(Withheld(f"/{mirror.name}{fact.name}", artifact, verdict))
    return found
