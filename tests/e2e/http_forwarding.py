"""What goes to the origin and back besides stored answers: methods, bodies, fields, framing (RFC 9110, RFC 9112)."""

from __future__ import annotations

from tests.e2e.http_steps import Case, ask, case, hit, miss, ok, raw, reply

FRESH = "cache-control: max-age=1000"
PLAIN = ("x-a: 1", "content-type: text/x")
POISON = (
    *("x-forwarded-for: 192.0.2.1", "x-forwarded-host: example.com", "x-forwarded-proto: https"),
    *("forwarded: host=example.com", "x-original-url: /admin", "x-rewrite-url: /admin", "x-host: example.com"),
    *("x-http-method-override: DELETE", "x-http-method: DELETE", "x-method-override: DELETE", "x-real-ip: 192.0.2.1"),
)
HOPS = ("te: trailers", "keep-alive: 5", "proxy-authorization: Basic eA==", "proxy-connection: close", "x-hop: 1")
REFUSAL = ("content-type: application/problem+json", "cache-control: no-store")


def names(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line.partition(":")[0] for line in lines)


def sending(method: str, *, chunked: bool) -> Case:
    """A request with a body, which goes on to the origin."""
    how, framing = ("in_chunks", "transfer-encoding: chunked") if chunked else ("with_a_length", "content-length: 9")
    return case(
        f"a_{method.lower()}_{how}_goes_to_the_origin",
        "RFC 9110 §9.3",
        "Method and body go to the origin, framed as they came; the answer goes back, and is not stored.",
        *(
            miss(
                reply(201, FRESH, *PLAIN, body=body),
                "content-type: text/y",
                method=method,
                body=b"some body",
                chunked=chunked,
                sent=b"some body",
                told=(f":method: {method}", framing, "content-type: text/y"),
                has=PLAIN,
                cache="fwd=method fwd-status=201 !stored",
            )
            for body in (b"made", b"made again")
        ),
    )


METHODS = (
    *(sending(method, chunked=chunked) for method in ("POST", "PUT", "PATCH", "DELETE") for chunked in (False, True)),
    case(
        "a_method_without_a_body_goes_to_the_origin",
        "RFC 9110 §9.3.5",
        "A method without a body goes to the origin without one.",
        miss(reply(204), method="DELETE", told=":method: DELETE", untold="transfer-encoding", sent=b""),
    ),
    case(
        "options_goes_to_the_origin_and_is_not_stored",
        "RFC 9110 §9.3.7",
        "OPTIONS is forwarded each time.",
        miss(ok(FRESH, "allow: GET"), method="OPTIONS", has="allow: GET", cache="fwd=method !stored"),
        miss(ok(FRESH, body=b"other"), method="OPTIONS", cache="fwd=method !stored"),
    ),
    case(
        "options_says_how_far_it_may_go",
        "RFC 9110 §7.6.2",
        "`Max-Forwards` is counted down, and at 0 we answer ourselves.",
        miss(ok(), "max-forwards: 3", method="OPTIONS", told="max-forwards: 2"),
        ask("max-forwards: 0", method="OPTIONS", has="allow~GET", gets=b""),
    ),
    case(
        "the_conditions_of_a_put_are_the_origins",
        "RFC 9110 §13.1",
        "What is stored answers no conditions of other methods: they go to the origin, and its 412 comes back.",
        miss(ok(FRESH, 'etag: "one"')),
        miss(reply(412), 'if-match: "one"', method="PUT", body=b"x", told='if-match: "one"'),
        hit(),
    ),
    case(
        "an_expectation_is_met",
        "RFC 9110 §10.1.1",
        "`Expect: 100-continue` is answered by us when the body is wanted, and is not handed on as it came.",
        miss(reply(201), "expect: 100-continue", method="PUT", body=b"x", sent=b"x", interim=(100,)),
    ),
    case(
        "trace_is_refused",
        "RFC 9110 §9.3.8",
        "TRACE gets 405.",
        ask(method="TRACE", status=405, has=(*REFUSAL, "allow~GET")),
        departs="It would show scripts what only the origin should see.",
    ),
    case(
        "connect_is_refused",
        "RFC 9110 §9.3.6",
        "CONNECT gets 405.",
        ask(method="CONNECT", status=405, has=REFUSAL),
        departs="A tunnel is no cache's business.",
    ),
    *(
        case(
            f"a_{method.lower()}_with_a_body_is_refused",
            "RFC 9110 §9.3.1, RFC 9112 §11.2",
            "GET and HEAD with content get 400.",
            ask(method=method, body=b"x", status=400),
            departs="Its content has no meaning, and is how requests are smuggled and stored answers poisoned.",
        )
        for method in ("GET", "HEAD")
    ),
    case(
        "a_redirect_is_handed_on",
        "RFC 9110 §15.4",
        "The client gets the redirect itself, with `Location` as it was.",
        miss(reply(302, "location: http://example.com/x"), has="location: http://example.com/x"),
    ),
    case(
        "an_error_of_the_origin_is_handed_on",
        "RFC 9110 §15.6",
        "Where nothing stored can stand in, a 5xx comes back with its fields and body.",
        miss(reply(503, *PLAIN, "retry-after: 7", body=b"down"), has=(*PLAIN, "retry-after: 7"), reason="Some Reason"),
    ),
    *(
        case(
            f"a_{status}_is_handed_on",
            "RFC 9110 §15, RFC 9112 §4",
            "Odd statuses (299, 599, 999) are handed on with their phrase.",
            miss(reply(status, reason="Odd One"), reason="Odd One"),
        )
        for status in (299, 599, 999)
    ),
    case(
        "a_phrase_may_be_empty",
        "RFC 9112 §4",
        "The phrase of a status line may be missing.",
        miss(reply(299, reason="")),
    ),
    *(
        case(
            f"early_hints_come_before_the_answer_to_a_{method.lower()}",
            "RFC 9110 §15.2, RFC 8297",
            "A 103 is handed on in front of the answer.",
            miss(ok(before=b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 2), method=method, interim=(103, 103)),
        )
        for method in ("GET", "POST")
    ),
    case(
        "http_1_0_gets_no_interim_answer",
        "RFC 9110 §15.2",
        "A client of HTTP/1.0 gets no 103: it would take it for the answer.",
        miss(ok(before=b"HTTP/1.1 103 Early Hints\r\n\r\n"), version="1.0"),
    ),
)

FIELDS = (
    case(
        "the_end_to_end_fields_of_a_request_go_to_the_origin",
        "RFC 9110 §7.6.1",
        "Known and unknown fields are sent as they came, repeated ones too, and `Via` is added.",
        miss(
            ok(),
            *("accept: a/b", "X-Unknown: 1", "x-unknown: 2", "user-agent: curl/8", "accept-encoding: br"),
            told=("accept: a/b", "x-unknown: 1, 2", "user-agent: curl/8", "accept-encoding: br", "via: 1.1 mirror"),
        ),
    ),
    case(
        "the_path_goes_to_the_origin_as_it_came",
        "RFC 9110 §4.2.3",
        "Neither path nor query is decoded, encoded or tidied up.",
        miss(ok(), more="//a%2Fb/%e9/;x=1?q=%20&&r=+", told=":target: {path}//a%2Fb/%e9/;x=1?q=%20&&r=+"),
    ),
    case(
        "the_hop_by_hop_fields_of_a_request_stay_here",
        "RFC 9110 §7.6.1",
        "`Connection`, what it names, and other fields of one connection are not forwarded.",
        miss(ok(), "connection: close, X-Hop", *HOPS, untold=names(HOPS)),
    ),
    case(
        "fields_that_tell_of_another_address_stay_here",
        "RFC 9110 §7.6.1, RFC 9111 §7.1",
        "`Forwarded`, `X-Forwarded-*`, `X-Original-URL`, `X-HTTP-Method-Override` and the like are not forwarded.",
        miss(ok(), *POISON, untold=names(POISON)),
        departs="They are end to end. An origin that believes them answers for another address than the key's, "
        "and that answer would be everybody's (cache poisoning).",
    ),
    case(
        "cookies_go_to_the_origin",
        "RFC 6265 §5.4",
        "A client's cookies are for this origin, and are sent to it.",
        miss(ok("cache-control: private"), "cookie: a=1", told="cookie: a=1"),
    ),
)


def bad(name: str, says: str, *lines: str, body: str = "hello", clause: str = "RFC 9112 §6.3", **more: str) -> Case:
    """An answer whose end cannot be known: 502, and nothing of it is stored."""
    broken = raw("HTTP/1.1 200 OK", FRESH, *lines, body=body)
    return case(name, clause, says, ask(origin=broken, status=502, has=REFUSAL), miss(ok(FRESH)), **more)


FRAMING = (
    bad("an_unknown_transfer_coding_is_a_502", "An answer with an unknown transfer coding is a 502.",
        "transfer-encoding: gzip",
        clause="RFC 9112 §6.1", departs="Its bytes cannot be passed on as if they were decoded, nor stored so."),
    bad("a_coding_beside_chunked_is_a_502", "So is one with another coding below chunked.",
        "transfer-encoding: gzip, chunked", body="5\r\nhello\r\n0\r\n\r\n", clause="RFC 9112 §6.1",
        departs="Its bytes cannot be passed on as if they were decoded, nor stored so."),
    bad("a_length_beside_chunks_is_a_502", "Content-Length together with Transfer-Encoding is a 502.",
        "content-length: 5",
        "transfer-encoding: chunked", body="5\r\nhello\r\n0\r\n\r\n"),
    bad("two_lengths_are_a_502", "Two different lengths have no meaning, and are a 502.", "content-length: 5",
        "content-length: 4"),
    bad("a_length_that_is_no_number_is_a_502", "A malformed length has no meaning, and is a 502.",
        "content-length: +5"),
    bad("the_same_length_twice_is_a_502", "A length in two lines is a 502, even where both are the same.",
        "content-length: 5", "content-length: 5", clause="RFC 9110 §8.6, RFC 9112 §6.3",
        departs="The RFC lets a recipient take the one length, or reject. Two lines are the mark of a smuggler."),
    case("bytes_behind_a_body_are_nobodys", "RFC 9112 §6.3, §9.2",
         "What follows the announced body is dropped, and never the beginning of the next answer.",
         miss(ok(FRESH, behind=b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")), hit(),
         miss(ok(FRESH, body=b"other", again=True), more="/b")),
    case("bytes_behind_a_304_are_nobodys", "RFC 9112 §6.3",
         "What follows a 304 is dropped, and never the beginning of the next answer.",
         miss(ok(FRESH, "age: 1000", 'etag: "one"')),
         ask(origin=reply(304, 'etag: "one"', behind=b"EVIL"), gets=b"hello"),
         miss(ok(FRESH, body=b"other", again=True), more="/b")),
    case("extensions_of_chunks_are_dropped", "RFC 9112 §7.1.1, §7.1.2",
         "Chunk extensions and trailers are not handed on; the body is.",
         ask(origin=raw("HTTP/1.1 200 OK", FRESH, "transfer-encoding: chunked",
                        body="5;x=1\r\nhello\r\n0\r\nx-trailer: 1\r\n\r\n"), gets=b"hello", lacks="x-trailer"),
         hit(lacks="x-trailer")),
)  # fmt: skip

CASES = (*METHODS, *FIELDS, *FRAMING)
