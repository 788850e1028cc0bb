"""A part of a body (206), or what is kept of one: whether it is what was asked for, and can be gone on with."""

from __future__ import annotations

from mirror.httpcache.conditional import strong_validator
from mirror.httpcache.fields import ContentRange, content_range
from mirror.model import Plan
from mirror.ports import Answer, Partial


def useless(answer: Answer, partial: Partial | None, wanted: tuple[int, int | None] | None, plan: Plan) -> bool:
    """True for an answer to a range request that says that there is no such range, or another object now."""
    if answer.head.status == 416:
        return partial is not None or wanted is not None
    if answer.head.status != 206:
        return False
    found = content_range(answer.head.headers.get("content-range"))
    if partial is None:
        return not _is_wanted(found, wanted, answer.length)
    return not _continues(answer, found, partial, plan)


def _continues(answer: Answer, found: ContentRange | None, partial: Partial, plan: Plan) -> bool:
    note = partial.note
    coding = answer.head.headers.get("content-encoding")
    if plan.digest is None and coding not in (None, note.head.headers.get("content-encoding")):
        return False
    strong = strong_validator(answer.head)
    elsewhere = plan.digest is not None and answer.url != note.url  # who may name the same object differently
    told = bool(note.strong and strong) and not elsewhere
    same = strong == note.strong if told else plan.digest is not None
    return bool(same and found and found.start == missing(partial)[0][0] and found.size in (None, note.total))


def _is_wanted(found: ContentRange | None, wanted: tuple[int, int | None] | None, length: int | None) -> bool:
    """Whether a part is the one that was asked for, from its first byte on."""
    if found is None or found.size is None or wanted is None:
        return False
    begin = wanted[0]
    begin = begin if begin >= 0 else max(0, found.size + begin)
    return found.start == begin < found.end and length in (None, found.end - found.start)


def missing(partial: Partial) -> list[tuple[int, int]]:
    """The holes of a partial; [] when its total is not known, so that it cannot be gone on with."""
    return [] if partial.note.total is None else list(partial.extents.holes(partial.note.total))


async def drop(partial: Partial | None) -> None:
    """Forget a partial that is of no use any more."""
    if partial is not None:
        await partial.discard()
        await partial.close()
