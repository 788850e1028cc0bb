"""The forms of a page of the simple API: which one a client gets (PEP 691), and which one the origin sent."""

from __future__ import annotations

from urllib.parse import parse_qs

from mirror.ecosystems.accept import quality, ranges
from mirror.errors import OriginError
from mirror.model import Headers, Request

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
TEXT_HTML = "text/html"

ASK = f"{JSON}, {V1_HTML};q=0.2, {TEXT_HTML};q=0.01"
"""What the origin is asked for, whatever our client wants: the newer features exist in JSON alone (PEP 833)."""

# In order of preference. `latest` is what `v1` is, now; only who names it means it.
_LATEST = {
    JSON: "application/vnd.pypi.simple.latest+json",
    V1_HTML: "application/vnd.pypi.simple.latest+html",
    TEXT_HTML: TEXT_HTML,
}


def media_type(request: Request) -> str:
    """What this client gets: by quality, then JSON before HTML; text/html where it can take none of the three.

    `?format=` overrules Accept. `*/*` alone, or nothing at all, means text/html, as at upstream.
    """
    # A plus sign that nobody encoded is one: no media type has a space.
    asked = parse_qs(request.query).get("format", [""])[0].replace(" ", "+")
    if asked:
        return next((form for form, latest in _LATEST.items() if asked in (form, latest)), TEXT_HTML)
    accepted = ranges(request.headers.get("accept"))
    weights = {
        form: max(quality(accepted, form, anything=form == TEXT_HTML), accepted.get(latest, 0.0))
        for form, latest in _LATEST.items()
    }
    best = max(weights, key=lambda form: weights[form])
    if weights[best] > 0:
        return best
    # Only `*/*` is left, which does not mean what was excluded by name.
    others = (form for form in (JSON, V1_HTML) if quality(accepted, form) > 0)
    return next(others, TEXT_HTML)


def is_json(headers: Headers) -> bool:
    """True for a JSON page, False for an HTML page, told by Content-Type; OriginError where it is neither."""
    sent = (headers.get("content-type") or TEXT_HTML).partition(";")[0].strip().lower()
    if sent in (JSON, "application/json"):
        return True
    if sent in (TEXT_HTML, V1_HTML, "application/xhtml+xml"):
        return False
    raise OriginError(f"the origin's index page is of the unknown type {sent!r}")


def checked_version(version: object) -> str:
    """The API's version as a page states it; OriginError where that is not version 1 (PEP 629)."""
    if not isinstance(version, str) or version.strip().partition(".")[0] != "1":
        raise OriginError("the origin's page is not version 1 of the simple API")
    return version.strip()


def as_sent(form: str, headers: Headers) -> str:
    """The Content-Type of an HTML page whose text is still the origin's, in the origin's charset."""
    _, _, parameters = (headers.get("content-type") or "").partition(";")
    return f"{form}; {parameters.strip() or 'charset=utf-8'}"


def as_made(form: str) -> str:
    """The Content-Type of a page of our making."""
    return form if form == JSON else f"{form}; charset=utf-8"


def serial(headers: Headers, stated: object = None) -> int | None:
    """The index's serial of a page, by what the page states or else by its field, or None.

    In that order: what is made of the same bytes stays the same, though a 304 has brought another field.
    """
    if type(stated) is int and stated >= 0:
        return stated
    field = headers.get("x-pypi-last-serial") or ""
    return int(field[:18]) if field.isascii() and field.isdecimal() else None
