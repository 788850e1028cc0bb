"""What Squid does otherwise than the mirror."""

from __future__ import annotations

from ..differences import OLD, Difference
from ..witness import CONDITIONALLY, PLAINLY
from .reason import SQUID, Reason, cc, says

CASED = ("MAX-AGE=3600", "Max-Age=3600", "NO-CACHE, max-age=3600", "NO-STORE, max-age=3600", "Private, max-age=3600")
GRACE = "max-age=3600, stale-while-revalidate=86400"
NOT_KEPT = (204, 299, 404, 500, 503, 599)


def _no_validator(d: Difference) -> bool:
    silent = d.first.says("etag") is None and d.first.says("last-modified") is None
    return d.asked("g", "c") and silent and d.kind != "denied" and d.number > 0


def _sent_whole(d: Difference) -> bool:
    """The origin of the exchanges has single ranges only, and those where it says so."""
    return d.first.says("accept-ranges") is None or "," in (d.step.sends("range") or "")


def _weakly_tagged(d: Difference) -> bool:
    """Both asked by a condition, but only the mirror by one that held."""
    anew = d.aspect == "age" and d.ours.asked == CONDITIONALLY and d.ours.age and not d.theirs.age
    return anew and says(d, "etag", 'W/"v0"', 'w/"v0"', "v0") and d.first.says("last-modified") is None


def _asked_by_the_client(d: Difference) -> bool:
    """The client's condition went to the origin; or it did before, and the 304 left nothing behind."""
    stored = d.number > 0 and d.kind != "denied" and d.step.sends("cache-control") is None
    anew = d.aspect == "age" and d.ours.age and d.ours.asked == CONDITIONALLY and stored
    now = d.conditional and (d.asked("g", "c") or anew)
    return now or (d.asked("-c", "g") and d.number > 0 and d.all_theirs[0].status == 304)


REASONS = (
    Reason(
        "knows directives in lower case only",
        SQUID,
        "RFC 9111 §5.2 (case-insensitive)",
        "mirror",
        lambda d: d.aspect == "asked" and (cc(d, *CASED) or d.step.sends("cache-control") == "NO-CACHE"),
    ),
    Reason(
        "does not read a quoted number, or one of 2^31",
        SQUID,
        "RFC 9111 §5.2, §1.2.2 (MUST)",
        "mirror",
        lambda d: d.asked("-", "c") and cc(d, 'max-age="3600"', "max-age=2147483648"),
    ),
    Reason(
        "reads a number in a malformed `max-age=3600.5` or `max-age= 3600`",
        SQUID,
        "RFC 9111 §4.2.1 (encouraged)",
        "mirror",
        lambda d: d.asked("gc", "-") and cc(d, "max-age=3600.5", "max-age= 3600"),
    ),
    Reason(
        "reads the number at the beginning of a malformed Age, `7200.5`",
        SQUID,
        "RFC 9111 §5.1 (SHOULD)",
        "mirror",
        lambda d: d.asked("-", "c") and says(d, "age", "7200.5"),
    ),
    Reason(
        "does not count the Age of what has no Date",
        SQUID,
        "RFC 9111 §4.2.3 (MUST)",
        "mirror",
        lambda d: d.asked("gc", "-") and says(d, "date", "") and says(d, "age", *OLD),
    ),
    Reason(
        "has nothing fresh whose Date is missing or none",
        SQUID,
        "RFC 9110 §6.6.1, RFC 9111 §4.2.3",
        "both",
        lambda d: d.asked("-", "c") and says(d, "date", "", "yesterday", "-7200{}iso"),
    ),
    Reason(
        "reads no date in lower case",
        SQUID,
        "RFC 9111 §4.2 (SHOULD)",
        "mirror",
        lambda d: d.asked("-", "c") and says(d, "expires", "+3600{}lower"),
    ),
    Reason(
        "reads a date without its comma",
        SQUID,
        "RFC 9111 §5.3 (MUST), RFC 9110 §5.6.7",
        "mirror",
        lambda d: d.asked("gc", "-") and says(d, "expires", "+3600{}comma"),
    ),
    Reason(
        "validates by Date what has no validator",
        SQUID,
        "RFC 9110 §13.1.3",
        "both",
        _no_validator,
    ),
    Reason(
        "validates by no tag that is weak, or none",
        SQUID,
        "RFC 9111 §4.3.1 (MUST)",
        "mirror",
        _weakly_tagged,
    ),
    Reason(
        "stores what varies by `*`, and validates it each time",
        SQUID,
        "RFC 9111 §4.1",
        "both",
        lambda d: d.asked("g", "c") and "*" in (d.first.says("vary") or ""),
    ),
    Reason(
        'does not store what has a `no-cache="field"`',
        SQUID,
        "RFC 9111 §3 (MAY), §5.2.2.4",
        "both",
        lambda d: d.asked("c", "g") and cc(d, 'no-cache="set-cookie", max-age=3600'),
    ),
    Reason(
        "stores no failure, no 204, and no status that it does not know",
        SQUID,
        "RFC 9111 §3 (MAY)",
        "both",
        lambda d: d.asked("-c", "g") and d.first.status in NOT_KEPT,
    ),
    Reason(
        "fetches anew at a request's `no-cache`, where the mirror validates",
        SQUID,
        "RFC 9111 §5.2.1.4",
        "both",
        lambda d: d.asked("c", "g") and "no-cache" in (d.step.sends("cache-control"), d.step.sends("pragma")),
    ),
    Reason(
        "asks the origin by a client's condition where it stores nothing; the mirror fetches the whole, and stores it",
        SQUID,
        "RFC 9111 §4.3.2, §3",
        "both",
        _asked_by_the_client,
    ),
    Reason(
        "does not test a client's condition against what it has just validated",
        SQUID,
        "RFC 9111 §4.3.2 (SHOULD)",
        "mirror",
        lambda d: d.statuses(304, 200) and d.conditional and d.ours.asked == CONDITIONALLY,
    ),
    Reason(
        "does not take a tag that is none for itself",
        SQUID,
        "RFC 9110 §13.1.2, §8.8.3",
        "both",
        lambda d: d.statuses(304, 200) and d.tags_are_none and d.sends("if-none-match"),
    ),
    Reason(
        "sends a 304 without the ETag",
        SQUID,
        "RFC 9110 §15.4.5 (MUST)",
        "mirror",
        lambda d: d.aspect == "etag" and d.theirs.status == 304 and d.theirs.etag is None,
    ),
    Reason(
        "answers a range behind the end with the whole",
        SQUID,
        "RFC 9110 §15.5.17, §14.2 (MAY)",
        "both",
        lambda d: d.statuses(416, 200) and d.step.sends("range") == "bytes=900-",
    ),
    Reason(
        "sends a 200 with other bytes than the whole, where If-Range names another tag",
        SQUID,
        "RFC 9110 §13.1.5 (MUST)",
        "mirror",
        lambda d: d.aspect == "body" and d.ours.status == 200 and d.step.sends("if-range") == '"other"',
    ),
    Reason(
        "hands on the whole where the origin sends no part; the mirror makes the part of it",
        SQUID,
        "RFC 9110 §14.2 (MAY)",
        "both",
        lambda d: d.statuses(206, 200) and d.ours.asked == PLAINLY and _sent_whole(d),
    ),
    Reason(
        "answers several ranges of what it has just validated with the whole",
        SQUID,
        "RFC 9110 §14.2 (MAY)",
        "both",
        lambda d: d.statuses(206, 200) and "," in (d.step.sends("range") or "") and d.ours.asked == CONDITIONALLY,
    ),
    Reason(
        "does not count a malformed `max-age` of a request as 0",
        SQUID,
        "RFC 9111 §5.2.1.1",
        "both",
        lambda d: d.asked("c", "-") and d.step.sends("cache-control") == "max-age=abc",
    ),
    Reason(
        "does not renew behind a client that takes it stale",
        SQUID,
        "RFC 9111 §5.2.1.2",
        "both",
        lambda d: d.asked("cg", "-") and (d.step.sends("cache-control") or "").startswith("max-stale"),
    ),
    Reason(
        "stores nothing of what was asked for in part",
        SQUID,
        "RFC 9111 §3.3 (MAY)",
        "both",
        lambda d: d.asked("-c", "g") and d.first.sends("range") is not None and d.number > 0,
    ),
    Reason(
        "hands a failure on where it could serve stale; the mirror does by its `keep`, and by `stale-if-error`",
        SQUID,
        "RFC 9111 §4.2.4, RFC 5861 §4 (MAY)",
        "both",
        lambda d: d.statuses(200, d.step.status) and d.exchange.family == "failures" and d.step.status >= 500,
    ),
    Reason(
        "does not know `stale-while-revalidate`",
        SQUID,
        "RFC 5861 §3 (MAY)",
        "both",
        lambda d: d.aspect == "body" and d.exchange.family == "graces" and cc(d, GRACE),
    ),
)
