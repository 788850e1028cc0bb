"""What a client sees of the cache: Cache-Status, Via, Age, HEAD, HTTP/1.0, collapsed requests, errors."""

from __future__ import annotations

from tests.e2e.http_steps import HANGUP, ask, case, hit, miss, ok, reply

CC = "cache-control: "
FRESH = f"{CC}max-age=1000"
TAG = 'etag: "one"'
STATUS = "RFC 9211 §2"

STATUSES = (
    case("a_miss_and_a_hit_say_so", STATUS, "A miss is `fwd=uri-miss; fwd-status=200; stored`, then `hit; ttl=...`.",
         miss(ok(FRESH), has=("cache-status: mirror; fwd=uri-miss; fwd-status=200; stored", "x-cache: MISS")),
         hit(has=(r"cache-status~^mirror; hit; ttl=(1000|99\d)$", "x-cache: HIT"))),
    case("a_miss_that_is_not_stored_says_so", STATUS, "There is no `stored` where nothing was.",
         miss(ok(f"{CC}no-store"), has="cache-status: mirror; fwd=uri-miss; fwd-status=200")),
    case("another_variant_says_so", "RFC 9211 §2.2", "Where only other variants are stored it is `fwd=vary-miss`.",
         miss(ok(FRESH, "vary: x-a"), "x-a: 1"),
         miss(ok(FRESH, "vary: x-a"), "x-a: 2", has="cache-status: mirror; fwd=vary-miss; fwd-status=200; stored")),
    case("a_validation_says_so", "RFC 9211 §2.2, §2.3", "A validation is `fwd=stale; fwd-status=304`.",
         miss(ok(FRESH, "age: 1000", TAG)),
         ask(origin=reply(304, TAG), has=("cache-status: mirror; fwd=stale; fwd-status=304", "x-cache: REVALIDATED"))),
    case("a_stale_answer_says_why", "RFC 9211 §2.4, §2.8",
         "A stale answer in place of an error is `hit; ttl=-5; detail=stale-if-error`.",
         miss(ok(FRESH, "age: 1005", TAG)),
         hit(origin=HANGUP, has=(r"cache-status~^mirror; hit; ttl=-([5-9]|1\d); detail=stale-if-error$",
                                 "x-cache: STALE"))),
    case("what_is_not_for_the_cache_says_so", "RFC 9211 §2.2",
         "Other methods are `fwd=method`, a client's `no-store` is `fwd=request`.",
         miss(ok(), method="POST", has=("cache-status: mirror; fwd=method; fwd-status=200", "x-cache: BYPASS")),
         miss(ok(), f"{CC}no-store", has=("cache-status: mirror; fwd=request; fwd-status=200", "x-cache: BYPASS"))),
    case("the_status_of_a_cache_before_us_stays", STATUS,
         "Our Cache-Status is appended to what a cache before us said.",
         miss(ok(FRESH, "cache-status: other; hit"),
              has="cache-status: other; hit, mirror; fwd=uri-miss; fwd-status=200; stored"),
         hit(has=r"cache-status~^other; hit, mirror; hit; ttl=\d+$")),
    case("a_collapsed_request_says_so", "RFC 9211 §2.6, RFC 9111 §4",
         "Who asks while the answer comes in follows it, and the origin is asked once.",
         miss(ok(FRESH, hold=2), meanwhile=ask(gets=b"hello", cache="collapsed")), hit()),
    case("an_answer_for_one_client_is_not_shared_while_it_comes", "RFC 9111 §4, §5.2.2.7",
         "Who asks while a `private` answer comes in gets one of its own.",
         ask(origin=(ok(f"{CC}private", hold=2), ok(f"{CC}private", body=b"other")), gets=b"hello",
             meanwhile=ask(gets=b"other", cache="!collapsed"))),
    case("another_variant_is_not_shared_while_it_comes", "RFC 9111 §4.1",
         "Who asks for another variant than the one that comes in gets one of its own.",
         ask("x-a: 1", origin=(ok(FRESH, "vary: x-a", hold=2), ok(FRESH, "vary: x-a", body=b"other")), gets=b"hello",
             meanwhile=ask("x-a: 2", gets=b"other", cache="!collapsed"))),
)  # fmt: skip

FIELDS = (
    case("via_names_us_behind_the_others", "RFC 9110 §7.6.3", "`Via` grows by us in both directions.",
         miss(ok(FRESH, "via: 1.1 other"), "via: 1.0 first", told="via: 1.0 first, 1.1 mirror",
              has="via: 1.1 other, 1.1 mirror"), hit(has="via: 1.1 other, 1.1 mirror")),
    case("an_answer_that_was_not_stored_has_no_age_of_ours", "RFC 9111 §5.1",
         "`Age` means that it comes from a cache: an answer of the origin's has only what it brought.",
         miss(ok(FRESH), lacks="age"), miss(ok(FRESH, "age: 7"), more="/b", has="age: 7")),
    case("a_stored_length_is_told", "RFC 9110 §8.6", "`Content-Length` whenever it is known, from the store always.",
         miss(ok(FRESH, framing="chunked"), has="content-length: 5", lacks="transfer-encoding"),
         hit(has="content-length: 5", lacks="transfer-encoding")),
    case("ranges_are_offered", "RFC 9110 §14.3", "A 200 of known length carries `Accept-Ranges: bytes`.",
         miss(ok(FRESH), has="accept-ranges: bytes"), hit(has="accept-ranges: bytes")),
    case("errors_of_ours_are_problems", "RFC 9457 §3",
         "Errors of ours are JSON with a `detail` for a person, and `no-store`.",
         ask(origin=HANGUP, status=502, has=("content-type: application/problem+json", f"{CC}no-store", "date~GMT$",
                                             "retry-after: 5", "via: 1.1 mirror"))),
)  # fmt: skip

HEADS = (
    case("a_cold_head_asks_the_origin_with_head", "RFC 9110 §9.3.2",
         "HEAD says what GET would, and no body is fetched for it.",
         ask(method="HEAD", origin=ok(FRESH, TAG, "x-a: 1"), gets=b"", told=":method: HEAD",
             has=("content-length: 5", TAG, "x-a: 1", FRESH), cache="fwd=uri-miss fwd-status=200 !stored"),
         miss(ok(FRESH, TAG))),
    case("a_head_is_answered_from_a_stored_get", "RFC 9111 §4", "What is stored for GET is one to HEAD, less the body.",
         miss(ok(FRESH, TAG, "x-a: 1")),
         hit(method="HEAD", gets=b"", has=("content-length: 5", TAG, "x-a: 1", FRESH, r"age~^\d$"))),
    case("a_head_of_a_404_is_a_404", "RFC 9110 §9.3.2", "HEAD of a stored 404 is a 404.",
         miss(reply(404, FRESH)), hit(method="HEAD", status=404, gets=b"", has="content-length: 5")),
    case("a_204_has_neither_body_nor_length", "RFC 9110 §8.6, §15.3.5",
         "A 204 has neither body nor length, from the store neither.",
         miss(reply(204, FRESH), lacks=("content-length", "transfer-encoding")),
         hit(status=204, gets=b"", lacks=("content-length", "transfer-encoding"))),
)  # fmt: skip

OLD = (
    case("http_1_0_gets_no_chunks", "RFC 9112 §7.1, §6.3",
         "HTTP/1.0 gets no chunks: the connection ends a body of unknown length, one from the store has a length.",
         miss(ok(FRESH, framing="close"), version="1.0", close=True, lacks=("transfer-encoding", "content-length")),
         miss(ok(FRESH, framing="chunked"), version="1.0", has="content-length: 5", lacks="transfer-encoding"),
         hit(version="1.0", has="content-length: 5", lacks="transfer-encoding")),
    case("http_1_1_gets_chunks_where_no_length_is_known", "RFC 9112 §6.3",
         "HTTP/1.1 gets chunks where no length is known, so that the end can be told from a break.",
         miss(ok(framing="close"), has="transfer-encoding: chunked")),
    case("a_broken_body_is_reset_for_http_1_0", "RFC 9112 §8",
         "Where the end of the connection ends a body, a break is a reset.",
         ask(origin=ok(FRESH, length=9, end="close"), version="1.0", broken=True), miss(ok(FRESH))),
)  # fmt: skip

CASES = (*STATUSES, *FIELDS, *HEADS, *OLD)
