"""When a stale answer is served, and what a client may ask for (RFC 9111 §4.2.4, §5.2.1, §5.4; RFC 5861)."""

from __future__ import annotations

from tests.e2e.http_steps import HANGUP, NONSENSE, Case, Step, ask, case, hit, miss, ok, reply

CC = "cache-control: "
TAG = 'etag: "one"'
CONFIRMED = reply(304, TAG)
FRESH = f"{CC}max-age=100"
ERRORS = {
    **{f"a_{status}": reply(status, body=b"failed") for status in (500, 502, 503, 504)},
    "an_origin_that_hangs_up": HANGUP,
    "an_answer_that_is_no_http": NONSENSE,
}


def old(directives: str, age: int = 120) -> Step:
    """A miss whose answer is so old on arrival."""
    return miss(ok(CC + directives, f"age: {age}", TAG))


def confirmed(*fields: str) -> Step:
    """The origin is asked, and says that what is stored is right."""
    return ask(*fields, origin=CONFIRMED, gets=b"hello", told='if-none-match: "one"', cache="fwd=stale fwd-status=304")


def behind(*fields: str) -> Step:
    """The stale answer at once, and the origin asked behind it."""
    return hit(*fields, origin=CONFIRMED, behind=True, has="x-cache: STALE")


WHILE = (
    case(
        "stale_while_revalidate_serves_stale_and_asks_behind",
        "RFC 5861 §3",
        "Inside the window of `stale-while-revalidate` the stale answer goes out, and the origin is asked behind it.",
        old("max-age=100, stale-while-revalidate=60"),
        hit(
            origin=ok(FRESH, body=b"other"),
            behind=True,
            told='if-none-match: "one"',
            has=(r"cache-status~hit; ttl=-2\d$", "x-cache: STALE"),
        ),
        hit(gets=b"other", until=True, has="x-cache: HIT"),
    ),
    case(
        "after_the_window_nobody_gets_it_unasked",
        "RFC 5861 §3",
        "Not a second after the window of `stale-while-revalidate`: the client waits for the origin.",
        old("max-age=100, stale-while-revalidate=60", age=160),
        confirmed(),
    ),
    *(
        case(
            f"{word}_forbids_stale_while_revalidate".replace("-", "_"),
            "RFC 9111 §4.2.4, §5.2.2",
            "`must-revalidate`, `proxy-revalidate`, `s-maxage` and `no-cache` go before `stale-while-revalidate`.",
            old(f"max-age=100, stale-while-revalidate=60, {directive}"),
            confirmed(),
        )
        for word, directive in (
            ("must-revalidate", "must-revalidate"),
            ("proxy-revalidate", "proxy-revalidate"),
            ("s-maxage", "s-maxage=90"),
            ("no-cache", "no-cache"),
        )
    ),
)

ON_ERROR = (
    *(
        case(
            f"stale_if_error_covers_{what}",
            "RFC 5861 §4",
            "Inside the window of `stale-if-error` the stale answer is served where the origin fails.",
            old("max-age=100, stale-if-error=60"),
            hit(origin=failure, has=(r"cache-status~hit; ttl=-2\d; detail=stale-if-error$", "x-cache: STALE")),
            mirror="brief",
        )
        for what, failure in ERRORS.items()
    ),
    case(
        "after_stale_if_error_the_failure_is_passed_on",
        "RFC 5861 §4",
        "After the window of `stale-if-error`, where the mirror's `keep` is 0, the client gets the origin's error.",
        old("max-age=100, stale-if-error=60", age=160),
        ask(origin=HANGUP, status=502),
        miss(reply(503, body=b"failed")),
        mirror="brief",
    ),
    *(
        case(
            f"stale_is_served_on_{what}",
            "RFC 9111 §4.2.4",
            "Where the origin fails, what is stored is served for as long as the mirror's `keep` says.",
            old("max-age=100"),
            hit(origin=failure, has=r"cache-status~hit; ttl=-2\d; detail=stale-if-error$"),
        )
        for what, failure in ERRORS.items()
    ),
    *(
        case(
            f"{word}_forbids_stale_on_error".replace("-", "_"),
            "RFC 9111 §4.2.4, §5.2.2",
            "With one of the same directives nothing stale is served: a 502 of ours, or the origin's own error.",
            old(f"max-age=100, stale-if-error=1000, {directive}"),
            ask(origin=HANGUP, status=502, has=f"{CC}no-store"),
            miss(reply(503, body=b"failed")),
        )
        for word, directive in (
            ("must-revalidate", "must-revalidate"),
            ("proxy-revalidate", "proxy-revalidate"),
            ("s-maxage", "s-maxage=90"),
            ("no-cache", "no-cache"),
            ("no-cache-with-a-field", 'no-cache="x-a"'),
        )
    ),
    case(
        "after_a_failure_that_was_passed_on_what_is_stored_is_asked_about",
        "RFC 9111 §4.3.1, §4.2.4",
        "An error that had to be passed on changes nothing: the next question has the stored tag again.",
        old("max-age=100, must-revalidate"),
        miss(reply(503, body=b"failed")),
        confirmed(),
        hit(),
    ),
    *(
        case(
            f"a_{status}_is_no_failure",
            "RFC 9111 §4.2.4",
            "Another error is an answer like any other, and takes the place of what was stored.",
            old("max-age=100"),
            miss(reply(status, FRESH, body=b"gone")),
            hit(status=status, gets=b"gone"),
        )
        for status in (404, 410, 501)
    ),
    case(
        "without_anything_stored_a_broken_origin_is_a_502",
        "RFC 9110 §15.6.3",
        "With nothing stored a broken origin is a 502 that says why, and that nobody stores.",
        ask(origin=HANGUP, status=502, has=(f"{CC}no-store", "content-type: application/problem+json")),
        miss(ok(FRESH)),
    ),
)


def directive(name: str, says: str, *steps: Step, clause: str) -> Case:
    return case(name, f"RFC 9111 §5.{clause}", says, *steps)


CLIENTS = (
    directive("a_clients_no_cache_asks_the_origin", "`no-cache`: what is stored is used after the origin was asked.",
              old("max-age=1000"), confirmed(f"{CC}no-cache"), clause="2.1.4"),
    directive("a_clients_no_cache_gets_nothing_stale", "`no-cache`: nothing stored is used where the origin fails.",
              old("max-age=1000"), ask(f"{CC}no-cache", origin=HANGUP, status=502), hit(), clause="2.1.4"),
    directive("a_clients_no_store_neither_uses_nor_changes_what_is_stored",
              "`no-store`: the request is passed through.", old("max-age=1000"),
              miss(ok(FRESH, body=b"other"), f"{CC}no-store", cache="fwd=request !stored", untold="if-none-match"),
              hit(), clause="2.1.5"),
    directive("a_clients_max_age_is_the_oldest_that_it_takes", "`max-age`: an older answer is asked about.",
              old("max-age=1000"), hit(f"{CC}max-age=200"), confirmed(f"{CC}max-age=120"), clause="2.1.1"),
    directive("a_clients_max_age_of_0_asks_the_origin", "`max-age=0`, a reload, is answered by a validation.",
              miss(ok(FRESH, TAG)), confirmed(f"{CC}max-age=0"), clause="2.1.1"),
    directive("max_stale_takes_what_is_stale", "`max-stale`: stale is served, and the origin asked behind it.",
              old("max-age=100"), behind(f"{CC}max-stale"), clause="2.1.2"),
    directive("max_stale_takes_what_is_stale_for_so_long", "`max-stale=60`: what is stale for less is served.",
              old("max-age=100"), behind(f"{CC}max-stale=60"), clause="2.1.2"),
    directive("max_stale_takes_nothing_staler", "`max-stale=20`: what is stale for as long or longer is asked about.",
              old("max-age=100"), confirmed(f"{CC}max-stale=20"), clause="2.1.2"),
    directive("max_stale_does_not_overrule_must_revalidate", "`must-revalidate` goes before `max-stale`.",
              old("max-age=100, must-revalidate"), confirmed(f"{CC}max-stale"), clause="2.2.2"),
    directive("min_fresh_wants_the_rest_of_a_lifetime", "`min-fresh`: what is fresh for less is asked about.",
              old("max-age=200"), hit(f"{CC}min-fresh=50"), confirmed(f"{CC}min-fresh=90"), clause="2.1.3"),
    directive("only_if_cached_gets_504_where_nothing_is_stored", "`only-if-cached`: 504, the origin is not asked.",
              ask(f"{CC}only-if-cached", status=504), clause="2.1.7"),
    directive("only_if_cached_gets_what_is_fresh", "`only-if-cached`: what is stored and fresh is served.",
              old("max-age=1000"), hit(f"{CC}only-if-cached"), clause="2.1.7"),
    directive("only_if_cached_gets_504_for_what_is_stale", "`only-if-cached`: 504 for what is stale, too.",
              old("max-age=100"), ask(f"{CC}only-if-cached", status=504), clause="2.1.7"),
    directive("only_if_cached_with_max_stale_gets_what_is_stale",
              "`only-if-cached` with `max-stale`: what is stale is served.",
              old("max-age=100"), behind(f"{CC}only-if-cached, max-stale"), clause="2.1.7"),
    directive("pragma_no_cache_counts_alone", "`Pragma: no-cache` without `Cache-Control` is `no-cache`.",
              old("max-age=1000"), confirmed("pragma: no-cache"), clause="4"),
    directive("pragma_does_not_count_beside_cache_control", "`Pragma` is ignored beside `Cache-Control`.",
              old("max-age=1000"), hit("pragma: no-cache", f"{CC}max-age=500"), clause="4"),
    directive("a_request_directive_that_is_malformed_wants_nothing_old", "A `max-age` that is no number counts as 0.",
              old("max-age=1000"), confirmed(f"{CC}max-age=x"), clause="2.1.1"),
    directive("no_cache_in_an_answer_is_asked_each_time",
              "An answer with `no-cache` is stored, and never used unasked.",
              old("max-age=1000, no-cache"), confirmed(), confirmed(), clause="2.2.4"),
    case("no_cache_with_field_names_is_no_cache", "RFC 9111 §5.2.2.4",
         '`no-cache="field"` is taken as plain `no-cache`.',
         old('max-age=1000, no-cache="x-a"'), confirmed(),
         departs="The RFC allows it. To serve an answer less some fields would give clients an answer nobody made."),
    case("no_warning_is_sent", "RFC 9111 §5.5",
         "A stale answer carries no `Warning`; Cache-Status says why it is there.",
         old("max-age=100"), hit(origin=HANGUP, lacks="warning"),
         departs="RFC 9111 made the field obsolete."),
)  # fmt: skip

CASES = (*WHILE, *ON_ERROR)
