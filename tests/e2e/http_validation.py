"""Asking the origin whether what is stored is right, and what its answer changes (RFC 9111 §4.3)."""

from __future__ import annotations

from tests.e2e.http_steps import Case, Step, ask, case, hit, miss, ok, reply

CC = "cache-control: "
FRESH = f"{CC}max-age=100"
OLD = "age: 100"
TAG = 'etag: "one"'
CONFIRMED = reply(304, TAG)
MODIFIED = "last-modified: {-5000}"


def variant(number: int, body: bytes = b"hello") -> Step:
    """A miss whose answer varies by X-A and has a tag of its own."""
    return miss(ok(FRESH, "vary: x-a", f'etag: "t{number}"', body=body), f"x-a: {number}")


ORIGIN = (
    case(
        "the_stored_tag_and_date_go_out_as_they_came",
        "RFC 9111 §4.3.1",
        "A stale answer is asked about with `If-None-Match` and `If-Modified-Since`, verbatim.",
        miss(ok(FRESH, OLD, 'ETag: W/"o,n\'e"', MODIFIED)),
        ask(
            origin=reply(304),
            gets=b"hello",
            told=('if-none-match: W/"o,n\'e"', "if-modified-since: {-5000}"),
            cache="fwd=stale fwd-status=304",
            has=("x-cache: REVALIDATED", r"age~^\d$"),
        ),
        hit(),
    ),
    case(
        "the_fields_that_vary_names_go_out_with_it",
        "RFC 9111 §4.3.1",
        "The question carries the client's fields, so that the origin chooses the same variant.",
        miss(ok(FRESH, OLD, TAG, "vary: x-a"), "x-a: 1"),
        ask("x-a: 1", origin=CONFIRMED, gets=b"hello", told=("x-a: 1", 'if-none-match: "one"')),
    ),
    case(
        "without_a_validator_the_whole_is_fetched_again",
        "RFC 9111 §4.3",
        "What has neither tag nor date is asked for anew.",
        miss(ok(FRESH, OLD)),
        miss(ok(FRESH, body=b"other"), untold=("if-none-match", "if-modified-since")),
        hit(gets=b"other"),
    ),
    case(
        "a_tag_that_the_origin_forgets_is_kept_for_the_same_bytes",
        "RFC 9111 §3.1",
        "Where the whole comes again without the stored tag, and is the same, what is stored keeps its name.",
        miss(ok(FRESH, OLD, TAG)),
        miss(ok(FRESH), lacks="etag"),
        hit('if-none-match: "one"', status=304, gets=b"", has=TAG),
        departs="§3.1 knows no such field. Gateways drop validators, and clients who have the bytes should get a 304.",
    ),
    case(
        "the_tags_of_all_variants_are_offered",
        "RFC 9111 §4.3.1",
        "A request that none of the stored variants is for offers their tags, and a 304 chooses one.",
        variant(1, b"first"),
        variant(2, b"second"),
        ask(
            "x-a: 3",
            origin=reply(304, FRESH, 'etag: "t1"', "vary: x-a"),
            gets=b"first",
            told=("x-a: 3", 'if-none-match: "t2", "t1"'),
        ),
        hit("x-a: 3", gets=b"first"),
        hit("x-a: 2", gets=b"second"),
        hit("x-a: 1", gets=b"first"),
    ),
    case(
        "no_more_than_16_tags_are_offered",
        "RFC 9111 §4.3.1",
        "Of many variants the newest 16 are offered.",
        *(variant(number) for number in range(1, 18)),
        miss(ok(FRESH, "vary: x-a", body=b"other"), "x-a: none", told=r'if-none-match~^"t17", ("t\d+", ){14}"t2"$'),
        departs="The RFC says which tags may be sent, not how many. A field of any length is refused by many origins.",
    ),
    case(
        "a_304_renews_what_is_stored",
        "RFC 9111 §4.3.4",
        "The fields of a 304 replace the stored ones, what it omits stays, freshness begins anew.",
        miss(ok(FRESH, OLD, TAG, "x-a: 1", "x-b: 1", "date: {-500}", "content-type: text/x")),
        ask(
            origin=reply(304, f"{CC}max-age=200", "x-a: 2", "x-c: 2", "date: {-50}"),
            gets=b"hello",
            has=(f"{CC}max-age=200", "x-a: 2", "x-b: 1", "x-c: 2", "date: {-50}", "content-type: text/x", TAG),
        ),
        hit(has=("x-a: 2", "x-b: 1", "x-c: 2", "date: {-50}", r"age~^5\d$")),
    ),
    case(
        "a_304_does_not_change_what_describes_the_bytes",
        "RFC 9111 §3.2",
        "`Content-Length`, `-Encoding`, `-Range`, digests and hop-by-hop fields of a 304 are not taken.",
        miss(ok(FRESH, OLD, TAG, "content-encoding: x")),
        ask(
            origin=reply(
                304,
                TAG,
                "content-length: 99",
                "content-encoding: y",
                "content-range: bytes 0-1/99",
                "repr-digest: sha-256=:AAAA:",
                "connection: x-hop",
                "x-hop: 1",
            ),
            gets=b"hello",
            has=("content-length: 5", "content-encoding: x"),
            lacks=("content-range", "repr-digest", "x-hop"),
        ),
        hit(has=("content-length: 5", "content-encoding: x"), lacks=("content-range", "repr-digest", "x-hop")),
    ),
    case(
        "a_304_does_not_rename_the_bytes",
        "RFC 9111 §4.3.4",
        "The stored `ETag` and `Vary` stay, whatever a 304 says in their place.",
        miss(ok(FRESH, OLD, TAG, "vary: x-a"), "x-a: 1"),
        ask("x-a: 1", origin=reply(304, 'etag: W/"one"', "vary: x-b"), gets=b"hello", has=(TAG, "vary: x-a")),
        hit("x-a: 1", has=(TAG, "vary: x-a")),
        departs="§4.3.4 would replace them. The same bytes keep their name, and their variant keeps its key.",
    ),
    case(
        "a_304_about_another_tag_renews_nothing",
        "RFC 9111 §4.3.4",
        "A 304 that names what is not stored is no answer: the whole is fetched, without conditions.",
        miss(ok(FRESH, OLD, TAG)),
        ask(
            origin=(reply(304, 'etag: "two"'), ok(FRESH, 'etag: "two"', body=b"other")),
            gets=b"other",
            untold=("if-none-match", "if-modified-since"),
        ),
        hit(gets=b"other"),
    ),
    case(
        "a_304_that_nobody_asked_for_is_refused",
        "RFC 9110 §15.4.5",
        "A 304 to a request without conditions is an error of the origin's (502).",
        ask(origin=reply(304, TAG), status=502),
        miss(ok(FRESH)),
    ),
    case(
        "a_304_with_no_store_ends_the_reuse",
        "RFC 9111 §4.3.4, §5.2.2.5",
        "What a 304 forbids from now on is not served from memory any more.",
        miss(ok(FRESH, OLD, TAG)),
        ask(origin=reply(304, TAG, f"{CC}max-age=100, no-store"), gets=b"hello"),
        ask(origin=CONFIRMED, gets=b"hello", told='if-none-match: "one"'),
    ),
    case(
        "a_200_replaces_what_was_stored",
        "RFC 9111 §4.3.3",
        "The answer in full takes the place of the stored one.",
        miss(ok(FRESH, OLD, TAG, "x-a: 1")),
        miss(ok(FRESH, 'etag: "two"', body=b"other"), lacks="x-a", cache="fwd=stale fwd-status=200 stored"),
        hit(gets=b"other", lacks="x-a"),
    ),
)


def head(name: str, says: str, *fields: str, good: bool, departs: str = "") -> Case:
    """A stale answer, a HEAD's 200 with these fields, and whether that renewed it."""
    asked = ask(method="HEAD", origin=ok(*fields), gets=b"", told=(":method: HEAD", 'if-none-match: "one"'))
    after = hit(has="x-a: 2") if good else miss(ok(FRESH, body=b"other"))
    steps = miss(ok(FRESH, OLD, TAG, MODIFIED)), asked, after
    return case(name, "RFC 9111 §4.3.5", says, *steps, departs=departs)


HEADS = (
    head("a_heads_200_renews_what_is_stored", "A HEAD's 200 with the same validators is as good as a 304.",
         FRESH, TAG, MODIFIED, "x-a: 2", good=True),
    head("a_heads_200_with_another_tag_invalidates",
         "A HEAD's 200 with another tag: what is stored is asked about again.",
         FRESH, 'etag: "two"', good=False),
    head("a_heads_200_with_another_date_invalidates", "A HEAD's 200 with another Last-Modified: the same.",
         FRESH, TAG, "last-modified: {-4000}", good=False),
    head("a_heads_200_without_a_validator_renews_nothing", "A HEAD's 200 without a validator renews nothing.",
         FRESH, good=False,
         departs="§4.3.5 would take the length for enough, or nothing at all. Other bytes may have the same length."),
    case(
        "a_heads_200_with_another_length_invalidates",
        "RFC 9111 §4.3.5",
        "A HEAD that tells of another length makes even a fresh answer stale.",
        miss(ok(f"{CC}max-age=1000", TAG)),
        ask(f"{CC}no-cache", method="HEAD", origin=ok(FRESH, TAG, length=9), gets=b"", has="content-length: 9"),
        miss(ok(FRESH, 'etag: "two"', body=b"other")),
    ),
    case(
        "a_heads_304_renews_what_is_stored",
        "RFC 9111 §4.3.4",
        "A 304 to a HEAD is as good as one to a GET.",
        miss(ok(FRESH, OLD, TAG)),
        ask(method="HEAD", origin=CONFIRMED, gets=b"", has="content-length: 5"),
        hit(),
    ),
)  # fmt: skip

CASES = (*ORIGIN, *HEADS)
