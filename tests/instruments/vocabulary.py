"""The words that generated exchanges are made of: field values as they should be, and as they should not.

`|` parts lines of a field. `+3600{}` is the date an hour from the start, and a key of `FORMS` behind it its format.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product


def _formatted(form: str) -> Callable[[int], str]:
    return lambda seconds: datetime.fromtimestamp(seconds, UTC).strftime(form)


_IMF = _formatted("%a, %d %b %Y %H:%M:%S GMT")

FORMS: dict[str, Callable[[int], str]] = {
    "": _IMF,
    "850": _formatted("%A, %d-%b-%y %H:%M:%S GMT"),
    "asctime": _formatted("%a %b %e %H:%M:%S %Y"),
    "lower": lambda seconds: _IMF(seconds).lower(),
    "UTC": _formatted("%a, %d %b %Y %H:%M:%S UTC"),
    "+0100": _formatted("%a, %d %b %Y %H:%M:%S +0100"),
    "comma": _formatted("%a %d %b %Y %H:%M:%S GMT"),
    "iso": _formatted("%Y-%m-%dT%H:%M:%SZ"),
}


def filled(text: str, now: int) -> str:
    """The word with its date in its place, counted from `now`, POSIX seconds; as it is where it has none."""
    offset, mark, form = text.partition("{}")
    return FORMS[form](now + int(offset)) if mark else text


FRESH = (
    *("max-age=3600", "s-maxage=3600", "public, max-age=3600", "max-age=0, s-maxage=3600", "s-maxage=3600, max-age=0"),
    *("max-age=3600, must-revalidate", "max-age=3600, proxy-revalidate", "max-age=3600, immutable"),
    *("max-age=3600, stale-if-error=60", "max-age=3600, no-transform", "public|max-age=3600", "max-age=3600, unknown"),
    "must-revalidate, max-age=3600",
)
FRESH_IF_READ_WELL = (
    *("MAX-AGE=3600", "Max-Age=3600", 'max-age="3600"', "max-age=0003600", "max-age=99999999999", "max-age=2147483648"),
    *(",max-age=3600,,", "max-age=3600,max-age=3600", 'ext="no-store", max-age=3600', 'ext="max-age=0", max-age=3600'),
    *("no-storey, max-age=3600", "x-private, max-age=3600", "max-age=3600,  public", "max-age=3600\t,public"),
    *("must-understand, no-store, max-age=3600", 'ext="a, no-cache", max-age=3600'),
)
NOT_FRESH = (
    *("max-age=0", "max-age=3600, s-maxage=0", "s-maxage=0, max-age=3600", "no-cache", "no-cache, max-age=3600"),
    *("max-age=-1", "max-age=abc", "max-age=3600.5", "max-age", "max-age=", "max-age=3600, max-age=0"),
    *("max-age=0, max-age=3600", "max-age =3600", "max-age= 3600", "max-age=3600;public", "NO-CACHE, max-age=3600"),
    *(
        'no-cache="set-cookie", max-age=3600',
        "max-age=3600|no-cache",
        "max-age=0, must-revalidate",
        "max-age=0|max-age=3600",
    ),
)
UNSAID = ("", "public", "must-revalidate", "immutable", "xmax-age=3600", 'ext="max-age=3600"', "stale-if-error=60")
NOT_STORED = (
    *("no-store", "private", "no-store, max-age=3600", "private, max-age=3600", "max-age=3600|no-store"),
    *(
        "NO-STORE, max-age=3600",
        "Private, max-age=3600",
        'private="set-cookie", max-age=3600',
        "no-store=1, max-age=3600",
    ),
    "max-age=3600, no-store=0",
)
RESPONSE_DIRECTIVES = (*FRESH, *FRESH_IF_READ_WELL, *NOT_FRESH, *UNSAID, *NOT_STORED)

AGES = ("0", "1000", "7200", "7200", "99999999999", "-7200", "7200.5", "abc", "10, 7200", "7200, 10")
DATES = ("", "-7200{}", "-7200{}", "+7200{}", "yesterday", "-7200{}iso")
TIMES = (  # a Date and an Age
    *(("", ""), ("-7200{}", ""), ("+7200{}", ""), ("yesterday", "")),
    *(("-7200{}iso", ""), ("", "7200"), ("0{}", "7200"), ("0{}", "7200.5")),
)
EXPIRIES = (
    *("+3600{}", "+3600{}", "+3600{}", "+7200{}", "-3600{}", "0{}", "0", "-1", "never"),
    *("+3600{}850", "+3600{}asctime", "+3600{}lower", "+3600{}UTC", "+3600{}+0100", "+3600{}comma", "+3600{}iso"),
)
BESIDE_EXPIRES = ("max-age=3600", "max-age=0", "public", "s-maxage=3600", "no-store")
EXPIRIES_BESIDE = tuple(product(EXPIRIES, ("nothing", "times", "directives")))
LONG_AGO = "-864000{}"
MODIFIED = ("", LONG_AGO, LONG_AGO, "0{}", "+3600{}", "-864000{}iso", "-864000{}850")
GUESSED = tuple(product(MODIFIED, ("", "public", "must-revalidate", "private")))
STATUSES = (200, 203, 204, 206, 299, 301, 302, 404, 410, 500, 503, 599)

VARIES = (
    *("Accept-Language", "Accept-Language", "accept-language", "Accept-Language, Cookie", "Cookie, Accept-Language"),
    *("*", "Accept-Language, *", "Accept-Language|Cookie", "X-Unsent", "Cookie"),
)
VARIANTS = tuple(  # a Vary, and Accept-Languages of the first request and of the second, and the second one's Cookie
    product(
        VARIES,
        (
            (("en", "en", ""), ("", "", "")),
            (("en", "de", ""), ("", "en", ""), ("en, de", "en", "")),
            (("en", "EN", ""), ("en, de", "en,de", ""), ("de, en", "en, de", "")),
            (("en", "en", "a=1"), ("", "", "a=1"), ("en", "de", "a=1")),
        ),
    )
)

SIMPLY_FRESH = ("max-age=3600", "max-age=3600", "max-age=3600, immutable")
_IN_REQUESTS = (
    *("no-cache", "no-cache", "no-store", "max-age=0", "max-age=500", "max-age=7200", "max-stale", "max-stale=60"),
    *("min-fresh=60", "min-fresh=7200", "only-if-cached", "NO-CACHE", 'ext="no-cache"', "max-age=abc", "unknown"),
)
REQUEST_FIELDS = (
    *((("Cache-Control", text),) for text in _IN_REQUESTS),
    (("Pragma", "no-cache"),),
    (("Pragma", "no-cache"), ("Cache-Control", "max-age=7200")),
    (("Pragma", "other"),),
    (("Cache-Control", "no-store"), ("If-None-Match", '"v0"')),
)
DEMANDS = tuple(product(REQUEST_FIELDS, ("cold", "fresh", "stale")))

TAGS = ('"v0"', 'W/"v0"', "v0", 'w/"v0"', '""', '"a b"', "")
CONDITIONS = tuple(  # `TAG` is the answer's
    product(
        TAGS,
        (
            (("If-None-Match", "TAG"),),
            (("If-None-Match", '"other", TAG'),),
            (("If-None-Match", '"other"'), ("If-Modified-Since", LONG_AGO)),
            (("If-None-Match", "*"), ("If-Modified-Since", "soon")),
            (("If-None-Match", "TAG"), ("If-Modified-Since", "-1728000{}")),
            (("If-Modified-Since", LONG_AGO),),
            (("If-Modified-Since", "0{}"),),
            (("If-Modified-Since", "soon"),),
        ),
    )
)
RANGES = ("bytes=0-4", "bytes=5-", "bytes=-5", "bytes=900-", "lines=1-2", "bytes=x-2", "bytes=5-1", "bytes=0-0,4-5")
PARTS = tuple(  # Cache-Control, Accept-Ranges, If-Range, and whether it is asked for a range first
    product(
        RANGES,
        (
            ("max-age=3600", "bytes", "", True),
            ("max-age=3600", "bytes", '"v0"', False),
            ("max-age=3600", "", '"other"', False),
            ("max-age=0", "", "", False),
            ("no-store", "", "", True),
        ),
    )
)

PERSONAL = tuple(
    product(
        ((("Authorization", "Basic YTpi"),), (("Cookie", "a=1"),), ()),
        ("max-age=3600", "public, max-age=3600", "s-maxage=3600", "must-revalidate, max-age=3600"),
    )
)
METHODS = tuple(product(("HEAD", "POST", "PUT", "DELETE"), (False, True)))

STALE_DIRECTIVES = (
    *("max-age=3600", "max-age=3600, must-revalidate", "s-maxage=3600", "max-age=3600, stale-if-error=86400"),
    *("max-age=3600, stale-if-error=60", "max-age=3600, proxy-revalidate"),
)
GRACES = (
    *("max-age=3600, stale-while-revalidate=86400", "max-age=3600, stale-while-revalidate=600"),
    "max-age=3600, stale-while-revalidate=86400, must-revalidate",
)


def kind(cc: str) -> str:
    """What a response's Cache-Control says: fresh, stale, unsaid or denied; its lines joined by commas."""
    kinds = {"fresh": (*FRESH, *FRESH_IF_READ_WELL, *STALE_DIRECTIVES, *GRACES), "stale": NOT_FRESH}
    kinds |= {"unsaid": UNSAID, "denied": NOT_STORED}
    return next(name for name, texts in kinds.items() if cc in [text.replace("|", ", ") for text in texts])
