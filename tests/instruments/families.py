"""The exchanges that caches are compared by: 500 of them, in families that each turn one part of HTTP over."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import vocabulary as words
from .exchanges import Drawing, Exchange, Fields, Step, answer, gets, lines


def exchanges(seed: int) -> Iterator[Exchange]:
    """500 of them, one family after the other."""
    drawing, number = Drawing(seed), 0
    for family, count in FAMILIES.items():
        for _ in range(count):
            yield Exchange(number, family.__name__, family(drawing))
            number += 1


def directives(draw: Drawing) -> tuple[Step, ...]:
    """Cache-Control in all spellings, with an Age or another Date now and then."""
    age = draw.each(words.AGES) if draw.chance(0.3) else ""
    date = draw.any(words.DATES) if draw.chance(0.2) else "0{}"
    cc = lines("Cache-Control", draw.each(words.RESPONSE_DIRECTIVES))
    return gets(answer(*cc, ("Age", age), date=date, etag=draw.chance(0.7)), steps=draw.any((2, 2, 3)))


def expiry(draw: Drawing) -> tuple[Step, ...]:
    """Expires well-formed and not, alone, beside a Date and an Age, and beside a Cache-Control."""
    expires, beside = draw.each(words.EXPIRIES_BESIDE)
    date, age = draw.each(words.TIMES) if beside == "times" else ("0{}", "")
    cc = draw.each(words.BESIDE_EXPIRES) if beside == "directives" else ""
    given = (("Expires", expires), ("Cache-Control", cc), ("Age", age))
    return gets(answer(*given, date=date, etag=draw.chance(0.7)))


def guesses(draw: Drawing) -> tuple[Step, ...]:
    """Nothing on freshness but Last-Modified."""
    if draw.chance(0.6):
        modified, cc = draw.each(words.GUESSED)
        return gets(answer(("Last-Modified", modified), ("Cache-Control", cc), etag=draw.chance(0.5)))
    modified, cc = draw.any((words.LONG_AGO, f"{words.LONG_AGO}850")), draw.each(("public", "public", ""))
    fields = answer(("Last-Modified", modified), ("Cache-Control", cc), etag=draw.chance(0.5))
    return gets(fields, draw.each(words.STATUSES))


def statuses(draw: Drawing) -> tuple[Step, ...]:
    """All kinds of answers, with a lifetime and without."""
    status, cc = draw.each(words.STATUSES), draw.any(("max-age=3600", "s-maxage=3600", "public, max-age=3600", "", ""))
    location = "/elsewhere" if status in (301, 302) else ""
    return gets(answer(("Cache-Control", cc), ("Location", location), etag=draw.chance(0.5)), status)


def varying(draw: Drawing) -> tuple[Step, ...]:
    """Vary, with requests that match it and that do not; the third asks as the first did."""
    vary, variants = draw.each(words.VARIANTS)
    first, second, cookie = draw.any(variants)
    fresh, steps = ("Cache-Control", "max-age=3600"), []
    for number, (language, crumb) in enumerate(((first, ""), (second, cookie), (first, ""))):
        asked = tuple(pair for pair in (("Accept-Language", language), ("Cookie", crumb)) if pair[1])
        steps.append(Step("GET", asked, 200, answer(fresh, *lines("Vary", vary), version=number), number))
    return tuple(steps)


def demands(draw: Drawing) -> tuple[Step, ...]:
    """Request directives: on the first request, or on a second one for what is stored."""
    asked, state = draw.each(words.DEMANDS)
    cc = draw.any(("max-age=0", "max-age=0, must-revalidate") if state == "stale" else words.SIMPLY_FRESH)
    changing = state == "fresh"
    requests: list[Fields] = [asked, ()] if state == "cold" else [(), asked, ()]
    if dict(asked).get("Cache-Control", "").startswith("max-stale"):
        requests = [(), asked]  # it may be renewed behind the client, and a third request would meet that
    age = ("Age", draw.any(("", "", "1000")))
    return tuple(
        Step("GET", request, 200, answer(("Cache-Control", cc), age, version=n * changing), n * changing)
        for n, request in enumerate(requests)
    )


def conditions(draw: Drawing) -> tuple[Step, ...]:
    """A client's own conditions, against good tags and odd ones."""
    tag, condition = draw.each(words.CONDITIONS)
    cc = draw.each(("max-age=3600", "max-age=3600", "max-age=3600", "max-age=0", "no-cache", "no-store"))
    asked = tuple((name, text.replace("TAG", tag or '"none"')) for name, text in condition)
    fields = (("Cache-Control", cc), ("ETag", tag), ("Last-Modified", draw.any(("", words.LONG_AGO))))
    requests: list[Fields] = [asked, ()] if draw.each((True, False, False, False)) else [(), asked]
    return tuple(Step("GET", request, 200, answer(*fields, etag=False)) for request in requests)


def parts(draw: Drawing) -> tuple[Step, ...]:
    """Ranges, of what is there and what is not, from an origin that has ranges and one that has not."""
    wanted, (cc, ranges, condition, cold) = draw.each(words.PARTS)
    asked = tuple(pair for pair in (("Range", wanted), ("If-Range", condition)) if pair[1])
    requests: list[Fields] = [asked, ()] if cold else [(), asked]
    fields = answer(("Cache-Control", cc), ("Accept-Ranges", ranges))
    return tuple(Step("GET", request, 200, fields) for request in requests)


def people(draw: Drawing) -> tuple[Step, ...]:
    """What is one client's alone: Authorization, Cookie, Set-Cookie."""
    asked, cc = draw.each(words.PERSONAL)
    given = (("Cache-Control", cc), ("Set-Cookie", draw.any(("", "", "a=1"))))
    requests = (asked, draw.any((asked, ())))
    return tuple(Step("GET", request, 200, answer(*given, version=n), n) for n, request in enumerate(requests))


def methods(draw: Drawing) -> tuple[Step, ...]:
    """A method between two GETs, or first."""
    method, first = draw.each(words.METHODS)
    changing = draw.chance(0.5)
    got = [answer(("Cache-Control", "max-age=3600"), version=n * changing) for n in range(3)]
    middle = Step("HEAD", (), 200, got[1], int(changing))
    if method != "HEAD":
        middle = Step(method, (), draw.each((200, 201, 204, 302, 404, 500)), (("Date", "0{}"),), 1)
    steps = (Step("GET", (), 200, got[0], 0), middle, Step("GET", (), 200, got[2], 2 * changing))
    return steps[first:]


def failures(draw: Drawing) -> tuple[Step, ...]:
    """What is stale already when the origin fails."""
    cc, status = draw.each(words.STALE_DIRECTIVES), draw.each((500, 503, 404))
    stale = answer(("Cache-Control", cc), ("Age", "7200"), etag=draw.chance(0.7))
    failed = (("Date", "0{}"), *lines("Cache-Control", draw.any(("", "no-store"))))
    return (Step("GET", (), 200, stale), Step("GET", (), status, failed, 1))


def graces(draw: Drawing) -> tuple[Step, ...]:
    """Stale, with leave to be used while it is renewed, and older than that leave now and then."""
    cc = draw.each(words.GRACES)
    given = [answer(("Cache-Control", cc), ("Age", "7200"), version=n) for n in range(2)]
    return tuple(Step("GET", (), 200, fields, n) for n, fields in enumerate(given))


FAMILIES: dict[Callable[[Drawing], tuple[Step, ...]], int] = {
    directives: 122,
    expiry: 48,
    guesses: 37,
    statuses: 36,
    varying: 40,
    demands: 57,
    conditions: 54,
    parts: 42,
    people: 24,
    methods: 24,
    failures: 8,
    graces: 8,
}
