"""What a shared cache may store, and how much of it (RFC 9111 §3)."""

from __future__ import annotations

from tests.e2e.http_steps import ask, case, hit, miss, ok, raw, reply, stored, unstored

FRESH = "cache-control: max-age=100"
OLD = "last-modified: {-100000}"

STATUSES = [
    stored(
        f"a_{status}_with_max_age_is_stored",
        "RFC 9111 §3",
        "A final answer of any status is stored where it has an explicit lifetime, and comes back with its status.",
        reply(status, FRESH),
    )
    for status in (203, 204, 299, 301, 302, 307, 400, 403, 404, 410, 451, 500, 503, 599)
]

GUESSED = [
    stored(
        f"a_{status}_without_a_lifetime_is_stored_by_heuristic",
        "RFC 9111 §4.2.2",
        "What is cacheable by default is kept for a tenth of the time since Last-Modified.",
        reply(status, OLD),
    )
    for status in (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501)
] + [
    unstored(
        f"a_{status}_without_a_lifetime_is_not_stored",
        "RFC 9111 §3, §4.2.2",
        "Other statuses are passed on and forgotten where no lifetime is given.",
        reply(status, OLD),
    )
    for status in (299, 302, 307, 403, 418, 500, 503)
]

REFUSED = [
    unstored(
        f"an_answer_with_{word}_is_not_stored".replace("-", "_"),
        "RFC 9111 §5.2.2",
        "`no-store` and `private` keep an answer out, in capitals too, and wherever they stand.",
        ok(f"cache-control: {directive}"),
    )
    for word, directive in {
        "no-store": "max-age=100, no-store",
        "no-store-in-capitals": "No-Store, max-age=100",
        "private": "max-age=100, private",
        "private-in-capitals": "PRIVATE, max-age=100",
    }.items()
] + [
    unstored(
        "private_with_field_names_is_private",
        "RFC 9111 §5.2.2.7",
        '`private="field"` is taken as plain `private`.',
        ok('cache-control: max-age=100, private="set-cookie"'),
        departs="The RFC allows it. To store an answer less some fields would give clients an answer nobody made.",
    ),
    case(
        "an_answer_with_nothing_on_freshness_is_never_used_unasked",
        "RFC 9111 §4.2.2",
        "Without a lifetime and without Last-Modified nothing can be guessed: every request goes to the origin.",
        miss(ok()),
        miss(ok(body=b"other")),
    ),
    unstored(
        "a_client_that_says_no_store_leaves_nothing_behind",
        "RFC 9111 §5.2.1.5",
        "The answer to a request with `no-store` is not stored.",
        ok(FRESH),
        "cache-control: no-store",
    ),
    stored(
        "must_understand_overrides_no_store_for_a_known_status",
        "RFC 9111 §5.2.2.3",
        "Who understands the status may ignore the `no-store` beside `must-understand`.",
        ok("cache-control: max-age=100, must-understand, no-store"),
    ),
    unstored(
        "must_understand_keeps_an_unknown_status_out",
        "RFC 9111 §5.2.2.3",
        "An answer with `must-understand` and a status without a meaning is not stored.",
        reply(299, "cache-control: max-age=100, must-understand"),
    ),
    unstored(
        "a_status_above_599_is_passed_on",
        "RFC 9110 §15",
        "A status above 599 is passed on as it is, and never stored.",
        reply(999, FRESH),
        departs="RFC 9110 would have it treated as a 5xx. What has no meaning is handed on, and kept by nobody.",
    ),
    unstored(
        "set_cookie_without_a_lifetime_is_not_stored",
        "RFC 9111 §3, §7.3",
        "An answer with `Set-Cookie` is not stored by heuristic alone.",
        ok(OLD, "set-cookie: session=1"),
        departs="Stricter than §3: an origin that forgets `private` would have one client's session handed to others.",
    ),
    unstored(
        "the_answer_to_a_cookie_without_a_lifetime_is_not_stored",
        "RFC 9111 §3, §7.3",
        "The answer to a request with `Cookie` is not stored by heuristic alone.",
        ok(OLD),
        "cookie: session=1",
        departs="Stricter than §3: an origin that forgets `private` would have one client's page shown to others.",
    ),
]

ODD = ("X-Unknown: a", "Set-Cookie: a=1", "x-unknown: b", "Set-Cookie: b=2", "Content-Type: text/x; charset=none")
BACK = (FRESH, "x-unknown: a, b", "set-cookie: a=1, b=2", "content-type: text/x; charset=none")
HOPS = (
    *("x-hop: 1", "keep-alive: timeout=5", "upgrade: h2c", "proxy-connection: close", "proxy-authenticate: Basic"),
    *("trailer: x", "te: trailers"),
)
DROPPED = tuple(line.partition(":")[0] for line in HOPS)

FIELDS = [
    case(
        "every_end_to_end_field_is_stored_and_comes_back",
        "RFC 9111 §3.1",
        "Unknown fields and `Set-Cookie` are stored and returned as they were, each line for itself.",
        miss(ok(FRESH, *ODD), has=BACK),
        hit(has=BACK),
    ),
    case(
        "what_concerns_one_connection_is_dropped",
        "RFC 9110 §7.6.1",
        "`Connection`, the fields that it names, and hop-by-hop fields of an answer are neither passed on nor stored.",
        miss(ok(FRESH, "connection: X-Hop", "x-kept: 1", *HOPS), has="x-kept: 1", lacks=DROPPED),
        hit(has="x-kept: 1", lacks=DROPPED),
    ),
    case(
        "a_reason_phrase_is_kept",
        "RFC 9112 §4",
        "The phrase of the status line is passed on, from the store too.",
        miss(reply(299, FRESH, reason="Just So"), reason="Just So"),
        hit(status=299, reason="Just So"),
    ),
]

CREDENTIALS = [
    case(
        "the_answer_to_credentials_is_not_shared",
        "RFC 9111 §3.5",
        "`Authorization` goes to the origin, and the answer to it is not stored.",
        miss(ok(FRESH), "authorization: Basic eA==", told="authorization: Basic eA==", cache="!hit !stored"),
        miss(ok(FRESH, body=b"other"), "authorization: Basic eQ==", told="authorization: Basic eQ=="),
        miss(ok(FRESH, body=b"third"), untold="authorization"),
    )
] + [
    stored(
        f"the_answer_to_credentials_is_shared_with_{word}".replace("-", "_"),
        "RFC 9111 §3.5",
        "With `public`, `must-revalidate` or `s-maxage` the origin says that such an answer is for all.",
        ok(f"cache-control: {directive}"),
        "authorization: Basic eA==",
    )
    for word, directive in {
        "public": "max-age=100, public",
        "must-revalidate": "max-age=100, must-revalidate",
        "s-maxage": "s-maxage=100",
    }.items()
]

WHOLE = [
    case(
        "an_answer_is_stored_before_its_last_byte_goes_out",
        "RFC 9111 §3",
        "Whoever asks after the first client has its last byte gets a hit.",
        *(step for n in range(5) for step in (miss(ok(FRESH), more=f"/{n}"), hit(more=f"/{n}"))),
    ),
    case(
        "a_body_that_is_too_short_is_no_answer",
        "RFC 9111 §3.3",
        "A body that ends before its Content-Length is broken off for the client too, and not stored.",
        ask(origin=ok(FRESH, length=9, end="close"), gets=b"hello", broken=True),
        miss(ok(FRESH)),
    ),
    case(
        "chunks_without_their_end_are_no_answer",
        "RFC 9111 §3.3",
        "A chunked body that ends without its last chunk is broken off for the client too, and not stored.",
        ask(
            origin=raw("HTTP/1.1 200 OK", FRESH, "transfer-encoding: chunked", body="5\r\nhello\r\n"),
            broken=True,
        ),
        miss(ok(FRESH)),
    ),
    stored(
        "a_chunked_body_is_stored_with_its_length",
        "RFC 9112 §7.1",
        "A chunked body is whole with its last chunk, and is stored.",
        ok(FRESH, framing="chunked"),
    ),
    unstored(
        "a_body_that_only_the_end_of_the_connection_ends_is_not_stored",
        "RFC 9111 §3.3, RFC 9112 §8",
        "An answer without length and chunks is served, and not stored.",
        ok(FRESH, framing="close"),
        departs="RFC 9111 allows it. An origin that is killed looks the same as an end, so the body may be a part.",
    ),
    case(
        "a_part_that_nobody_asked_for_is_refused",
        "RFC 9111 §3.4",
        "A 206 to a request without Range is an error of the origin's (502), and never a whole answer.",
        ask(origin=reply(206, FRESH, "content-range: bytes 0-4/9"), status=502),
        miss(ok(FRESH)),
    ),
    case(
        "early_hints_are_passed_on_and_not_stored",
        "RFC 9110 §15.2, RFC 8297",
        "A 103 goes to the client who waits, before the answer, and is no part of what is stored.",
        miss(ok(FRESH, before=b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), interim=(103,)),
        hit(interim=(), lacks="link"),
    ),
]

CASES = (*STATUSES, *GUESSED, *REFUSED, *FIELDS, *CREDENTIALS, *WHOLE)
