"""What nginx does otherwise than the mirror."""

from __future__ import annotations

from ..differences import OLD, Difference
from ..vocabulary import LONG_AGO
from .reason import NGINX, Reason, cc, says

WORDS_WITHIN = (
    *("xmax-age=3600", 'ext="max-age=3600"', "no-storey, max-age=3600", "x-private, max-age=3600"),
    *('ext="no-store", max-age=3600', 'ext="max-age=0", max-age=3600', 'ext="a, no-cache", max-age=3600'),
)
AHEAD = ("+3600{}", "+7200{}", "+3600{}850", "+3600{}asctime")
EXPIRED = ("-3600{}", "0{}", "0", "-1", "never", "+3600{}comma", "+3600{}iso", "+3600{}UTC", "+3600{}+0100")


def _changed(d: Difference) -> bool:
    before = d.exchange.steps[d.number - 1]
    return before.method in ("POST", "PUT", "DELETE") and before.status < 400


def _stale_at_once(d: Difference) -> bool:
    """The answer was never fresh, or does not say so."""
    expires = d.first.says("expires")
    silent = d.kind == "unsaid" and (expires is None or expires in EXPIRED)
    return d.asked("c", "g") and (d.kind == "stale" or silent)


def _without_date(d: Difference) -> bool:
    """By its own clock it is fresh, by the origin's it is not."""
    ahead = says(d, "date", "+7200{}") and says(d, "expires", *AHEAD)
    behind = says(d, "date", "-7200{}") and d.kind == "fresh"
    return d.asked("gc", "-") and (ahead or behind)


def _unheard(d: Difference) -> bool:
    only_if_cached = d.first.sends("cache-control") == "only-if-cached"  # the mirror says 504, and stores nothing
    if only_if_cached:
        return d.asked("-", "g") if d.number == 0 else d.asked("g", "-")
    kept_out = d.asked("c", "g") and d.step.sends("cache-control") == "no-store"
    later = (d.asked("gc", "-") or d.asked("-", "g")) and d.number > 0
    return kept_out or (later and d.sends("cache-control", "pragma"))


def _by_exact_date(d: Difference) -> bool:
    since = d.step.sends("if-modified-since")
    return d.statuses(304, 200) and d.step.sends("if-none-match") is None and since == "0{}"


def _part(d: Difference) -> bool:
    wanted = d.step.sends("range") or ""
    ignored = d.first.says("accept-ranges") is None or d.kind != "fresh" or ("," in wanted and d.number == 0)
    return "=" in wanted and ignored and d.ours.status in (206, 416) and d.theirs.status == 200


def _one_line_of_vary(d: Difference) -> bool:
    return d.asked("c", "-") and d.first.says("vary") == "Accept-Language, Cookie" and len(d.first.lines("vary")) == 2


REASONS = (
    Reason(
        "sends no Age, and hands on the origin's unchanged",
        NGINX,
        "RFC 9111 §4 (MUST), §5.1",
        "mirror",
        lambda d: d.aspect == "age" and d.first.says("age") is None and d.ours.age and not d.theirs.age,
    ),
    Reason(
        "does not count the origin's Age",
        NGINX,
        "RFC 9111 §4.2.3 (MUST)",
        "mirror",
        lambda d: d.asked("gc", "-") and says(d, "age", *OLD),
    ),
    Reason(
        "does not count the origin's Date: neither the age that it tells, nor as what Expires is relative to",
        NGINX,
        "RFC 9111 §4.2.1, §4.2.3",
        "mirror",
        _without_date,
    ),
    Reason(
        "stores only what it can use unasked, and so has nothing to validate",
        NGINX,
        "RFC 9111 §3 (MAY)",
        "both",
        _stale_at_once,
    ),
    Reason(
        "makes no guess from Last-Modified",
        NGINX,
        "RFC 9111 §4.2.2 (MAY)",
        "both",
        lambda d: (
            d.asked("-", "g")
            and d.kind == "unsaid"
            and says(d, "last-modified", LONG_AGO, f"{LONG_AGO}850")
            and d.first.status < 500
        ),
    ),
    Reason(
        "finds directives within other words and in quoted strings",
        NGINX,
        "RFC 9111 §5.2, RFC 9110 §5.6.4",
        "mirror",
        lambda d: d.asked("-gc", "-g") and cc(d, *WORDS_WITHIN),
    ),
    Reason(
        "does not read a quoted number, or a tab before a comma",
        NGINX,
        "RFC 9111 §5.2, RFC 9110 §5.6.1",
        "mirror",
        lambda d: d.asked("-c", "g") and cc(d, 'max-age="3600"', "max-age=3600\t,public"),
    ),
    Reason(
        "lets an Expires in the past stand against a `max-age` behind it",
        NGINX,
        "RFC 9111 §5.3 (MUST)",
        "mirror",
        lambda d: d.asked("-c", "g") and d.kind == "fresh" and says(d, "expires", *EXPIRED),
    ),
    Reason(
        "reads no date in lower case",
        NGINX,
        "RFC 9111 §4.2 (SHOULD)",
        "mirror",
        lambda d: d.asked("-c", "g") and says(d, "expires", "+3600{}lower"),
    ),
    Reason(
        "reads dates of other zones than GMT as if they were of it",
        NGINX,
        "RFC 9111 §4.2 (SHOULD)",
        "mirror",
        lambda d: d.asked("gc", "-") and says(d, "expires", "+3600{}UTC", "+3600{}+0100"),
    ),
    Reason(
        "ignores what requests say in Cache-Control and Pragma",
        NGINX,
        "RFC 9111 §5.2.1 (advisory), §5.4",
        "both",
        _unheard,
    ),
    Reason(
        "stores the answer to a request that says `no-store`",
        NGINX,
        "RFC 9111 §5.2.1.5 (MUST NOT)",
        "mirror",
        lambda d: d.asked("g", "-") and d.first.sends("cache-control") == "no-store" and d.number > 0,
    ),
    Reason(
        "stores nothing that sets a cookie",
        NGINX,
        "RFC 9111 §3, §7.3",
        "both",
        lambda d: d.asked("-", "g") and d.first.says("set-cookie") is not None,
    ),
    Reason(
        "shares what was fetched with credentials",
        NGINX,
        "RFC 9111 §3.5 (MUST NOT)",
        "mirror",
        lambda d: d.asked("g", "-") and d.first.sends("authorization") is not None and cc(d, "max-age=3600"),
    ),
    Reason(
        "reads one line of Vary only",
        NGINX,
        "RFC 9111 §4.1 (MUST NOT)",
        "mirror",
        _one_line_of_vary,
    ),
    Reason(
        "overlooks a `*` among other members of Vary",
        NGINX,
        "RFC 9111 §4.1 (MUST NOT)",
        "mirror",
        lambda d: d.asked("g", "-") and d.first.says("vary") == "Accept-Language, *",
    ),
    Reason(
        "goes on using what an unsafe method may have changed",
        NGINX,
        "RFC 9111 §4.4 (MUST)",
        "mirror",
        lambda d: d.asked("g", "-") and _changed(d),
    ),
    Reason(
        "fetches with GET for a HEAD, and stores that",
        NGINX,
        "RFC 9110 §9.3.2",
        "both",
        lambda d: d.asked("g", "-") and d.exchange.family == "methods" and d.first.method == "HEAD",
    ),
    Reason(
        "tests no condition of a client for what it does not store",
        NGINX,
        "RFC 9110 §13.2.1, RFC 9111 §4.3.2",
        "both",
        lambda d: d.statuses(304, 200) and d.conditional and d.kind in ("stale", "denied"),
    ),
    Reason(
        "tests If-Modified-Since for exactly the same date, and never against Date",
        NGINX,
        "RFC 9110 §13.1.3, RFC 9111 §4.3.2 (SHOULD)",
        "mirror",
        _by_exact_date,
    ),
    Reason(
        "tests If-Modified-Since beside If-None-Match",
        NGINX,
        "RFC 9110 §13.1.3 (MUST ignore)",
        "mirror",
        lambda d: d.statuses(304, 200) and d.sends("if-none-match") and d.sends("if-modified-since"),
    ),
    Reason(
        "answers a range with the whole where the origin has no ranges, or it does not store",
        NGINX,
        "RFC 9110 §14.2 (MAY)",
        "both",
        _part,
    ),
    Reason(
        "says 416 to a range that is none",
        NGINX,
        "RFC 9110 §14.1.1, §14.2",
        "mirror",
        lambda d: d.statuses(200, 416) and d.step.sends("range") in ("bytes=5-1", "bytes=x-2"),
    ),
    Reason(
        "stores nothing where it says 416",
        NGINX,
        "RFC 9111 §3 (MAY)",
        "both",
        lambda d: d.asked("-", "g") and d.number > 0 and d.all_theirs[d.number - 1].status == 416,
    ),
)
