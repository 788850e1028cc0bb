"""What nginx and Squid alike do otherwise than the mirror."""

from __future__ import annotations

from ..differences import Difference
from ..vocabulary import LONG_AGO
from .reason import BOTH, Reason, cc, says


def _holds_another(d: Difference) -> bool:
    before = list(zip(d.all_ours, d.all_theirs, strict=True))[: d.number]
    return d.aspect in ("body", "etag") and any(one.asked != other.asked for one, other in before)


def _spelled_otherwise(d: Difference) -> bool:
    """The requests name the same languages in another spelling, and send the same cookie where that counts."""
    first, now = (step.sends("accept-language") for step in (d.first, d.step))
    if first is None or now is None or first == now:
        return False
    one, other = (sorted(text.lower().replace(" ", "").split(",")) for text in (first, now))
    cookie = "ookie" not in (d.first.says("vary") or "") or d.first.sends("cookie") == d.step.sends("cookie")
    return d.asked("-", "g") and one == other and cookie


def _another_variant(d: Difference) -> bool:
    vary = d.first.says("vary") or "*"
    return d.asked("c", "g") and "*" not in vary and d.first.asked != d.step.asked


def _public_alone(d: Difference) -> bool:
    guessed = says(d, "last-modified", LONG_AGO, f"{LONG_AGO}850") and cc(d, "public")
    return d.asked("-", "g") and guessed and d.first.status in (299, 302, 500, 503, 599)


REASONS = (
    Reason(
        "holds another answer, since they differ over an earlier request of the exchange",
        BOTH,
        "as there",
        "as there",
        _holds_another,
    ),
    Reason(
        "hands on a 206 that nobody asked for; the mirror says 502",
        BOTH,
        "RFC 9110 §15.3.7, §15.6.3",
        "both",
        lambda d: d.first.status == 206 and d.ours.status == 502 and d.theirs.status == 206,
    ),
    Reason(
        "does not know `must-understand`, which overrules the `no-store` beside it",
        BOTH,
        "RFC 9111 §5.2.2.3",
        "mirror",
        lambda d: d.asked("-c", "g") and cc(d, "must-understand, no-store, max-age=3600"),
    ),
    Reason(
        "does not offer the origin the tags of other variants",
        BOTH,
        "RFC 9111 §4.3.1 (MAY)",
        "both",
        _another_variant,
    ),
    Reason(
        "compares the fields that Vary names as text: other case, spaces or order make another variant",
        BOTH,
        "RFC 9111 §4.1 (MAY)",
        "both",
        _spelled_otherwise,
    ),
    Reason(
        "answers a request that says `no-store` from what is stored",
        BOTH,
        "RFC 9111 §5.2.1.5",
        "both",
        lambda d: d.asked("gc", "-c") and d.step.sends("cache-control") == "no-store" and d.number > 0,
    ),
    Reason(
        "reads the number at the beginning of a malformed `max-age=3600;public`",
        BOTH,
        "RFC 9111 §4.2.1 (encouraged)",
        "mirror",
        lambda d: d.asked("gc", "-") and cc(d, "max-age=3600;public"),
    ),
    Reason(
        "takes the first of two numbers that contradict each other",
        BOTH,
        "RFC 9111 §4.2.1 (encouraged)",
        "mirror",
        lambda d: d.asked("gc", "-") and cc(d, "max-age=3600, max-age=0"),
    ),
    Reason(
        "finds a tag that is none in a list of such; the mirror reads no list with one in it",
        BOTH,
        "RFC 9110 §13.1.2, §8.8.3",
        "both",
        lambda d: d.statuses(200, 304) and d.tags_are_none and "," in (d.step.sends("if-none-match") or ""),
    ),
    Reason(
        "gives no lifetime to what is `public`, with Last-Modified alone, and not cacheable by default",
        BOTH,
        "RFC 9111 §4.2.2 (MAY)",
        "both",
        _public_alone,
    ),
)
