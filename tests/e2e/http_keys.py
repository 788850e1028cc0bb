"""Which stored answer is one to a request, and what makes it none (RFC 9111 §4, §4.1, §4.4)."""

from __future__ import annotations

from typing import Any

from tests.e2e.http_steps import Case, Step, ask, case, hit, miss, ok, raw, reply

FRESH = "cache-control: max-age=100"


def varied(*names: str, fields: tuple[str, ...] = (), body: bytes = b"hello", **more: Any) -> Step:
    """A miss whose answer varies by these lines of Vary."""
    answer = ok(FRESH, *(f"vary: {name}" for name in names), body=body)
    return miss(answer, *fields, **more)


def same(name: str, says: str, vary: str, first: str, second: str, clause: str = "RFC 9111 §4.1", **more: str) -> Case:
    """These two requests get one answer."""
    return case(name, clause, says, varied(vary, fields=(first,)), hit(second), **more)


def other(name: str, says: str, vary: str, first: str, second: str, clause: str = "RFC 9111 §4.1") -> Case:
    """These two requests get answers of their own, and both are kept."""
    steps = (varied(vary, fields=(first,)), varied(vary, body=b"other", fields=(second,), cache="fwd=vary-miss stored"))
    return case(name, clause, says, *steps, hit(first), hit(second, gets=b"other"))


KEYS = (
    case(
        "the_whole_address_with_its_query_is_the_key",
        "RFC 9111 §2, §4",
        "Path and query count byte for byte: other queries, another case and another encoding are other resources.",
        miss(ok(FRESH), more="/a?b=1"),
        *(miss(ok(FRESH, body=b"other"), more=more) for more in ("/a?b=2", "/a?b=1&", "/a?", "/A?b=1", "/%61?b=1")),
        hit(more="/a?b=1"),
    ),
    case(
        "a_get_does_not_use_what_was_stored_for_another_method",
        "RFC 9111 §4",
        "The answer to a POST is not one to a GET.",
        miss(ok(FRESH), method="POST", cache="fwd=method !stored"),
        miss(ok(FRESH, body=b"other")),
    ),
    case(
        "a_post_never_uses_what_is_stored",
        "RFC 9111 §4",
        "What is stored for GET is no answer to a POST.",
        miss(ok(FRESH)),
        miss(ok(FRESH, body=b"other"), method="POST", cache="fwd=method !stored"),
    ),
    case(
        "the_answer_to_a_post_that_says_so_is_one_to_a_get",
        "RFC 9110 §9.3.3",
        "A POST's 200 with its own address in Content-Location and an explicit lifetime is stored for GET.",
        miss(ok(FRESH, "content-location: {path}"), method="POST"),
        hit(),
    ),
    other(
        "vary_on_one_field",
        "A request with another value of the named field gets an answer of its own.",
        "X-A",
        "x-a: 1",
        "x-a: 2",
    ),
    same(
        "vary_on_one_field_with_the_same_value",
        "A request with the same value of the named field gets the answer.",
        "X-A",
        "x-a: 1",
        "X-A: 1",
    ),
    case(
        "vary_on_several_fields_in_any_order",
        "RFC 9111 §4.1",
        "All named fields have to be the same, in whatever order and lines Vary names them.",
        varied("X-A", "X-B, x-c", fields=("x-a: 1", "x-b: 2", "x-c: 3")),
        hit("x-c: 3", "x-b: 2", "x-a: 1"),
        varied("x-c, x-a", "X-B", body=b"other", fields=("x-a: 1", "x-b: 2", "x-c: 4")),
        hit("x-a: 1", "x-b: 2", "x-c: 3"),
        hit("x-b: 2", "x-a: 1", "x-c: 4", gets=b"other"),
    ),
    case(
        "an_absent_field_is_equal_to_an_absent_one_only",
        "RFC 9111 §4.1",
        "A field that both requests lack is the same; one that is there, even empty, is not the same as none.",
        varied("X-A"),
        hit("x-b: 1"),
        varied("X-A", body=b"other", fields=("x-a:",)),
        hit(),
    ),
    *(
        case(
            name,
            "RFC 9111 §4.1",
            says,
            varied(vary, fields=("x-a: 1",), cache="!stored"),
            varied(vary, body=b"other", fields=("x-a: 1",)),
        )
        for name, says, vary in (
            ("vary_star_is_never_reused", "`Vary: *` matches no request, not even the same one.", "*"),
            ("a_star_among_names_is_never_reused", "`*` anywhere in Vary counts as `*`.", "X-A, *"),
        )
    ),
    same(
        "white_space_in_a_list_does_not_count",
        "Lines are joined, and white space around commas is ignored.",
        "X-A",
        "x-a: 1,2",
        "x-a: 1 ,  2",
    ),
    same(
        "the_order_of_languages_does_not_count",
        "Members of Accept-Language, -Encoding and -Charset are compared without order and case, weights count.",
        "Accept-Language",
        "accept-language: de, en;q=0.5",
        "accept-language: EN; q=0.5, de",
        departs="§4.1 allows to normalise by what a field means, and here only the weights order the members.",
    ),
    other(
        "weights_of_languages_count",
        "The same languages with other weights are another wish.",
        "Accept-Language",
        "accept-language: de, en;q=0.5",
        "accept-language: en, de;q=0.5",
    ),
    case(
        "a_purge_removes_all_variants",
        "RFC 9111 §4.1",
        "An operator's purge of an address removes what is stored under it for whatever fields.",
        varied("X-A", fields=("x-a: 1",)),
        varied("X-A", fields=("x-a: 2",)),
        ask(method="PURGE"),
        varied("X-A", fields=("x-a: 1",), body=b"third"),
        varied("X-A", fields=("x-a: 2",), body=b"fourth"),
    ),
    case(
        "an_answer_that_does_not_vary_any_more_replaces_the_variants",
        "RFC 9111 §4.1",
        "The newest answer counts: where it has no Vary, it is one to every request.",
        varied("X-A", fields=("x-a: 1",)),
        miss(ok(FRESH, body=b"other"), "x-a: 2"),
        hit("x-a: 3", gets=b"other"),
        hit("x-a: 1", gets=b"other"),
    ),
)


def changed(name: str, clause: str, says: str, change: Step, *, forgotten: bool, **more: str) -> Case:
    """A stored answer, a request, and whether the answer is there still."""
    after = miss(ok(FRESH, body=b"other")) if forgotten else hit()
    return case(name, clause, says, miss(ok(FRESH)), change, after, **more)


ELSEWHERE = "http://upstream.test{path}"


def told(name: str, says: str, field: str, *, forgotten: bool, status: int = 200) -> Case:
    """A POST to another address, whose answer names the one that is stored."""
    steps = miss(ok(FRESH), more="/a"), miss(reply(status, field), method="POST", more="/b")
    after = miss(ok(FRESH, body=b"other"), more="/a") if forgotten else hit(more="/a")
    return case(name, "RFC 9111 §4.4", says, *steps, after)


INVALIDATION = (
    *(
        changed(
            f"a_successful_{method.lower()}_invalidates",
            "RFC 9111 §4.4",
            "An unsafe or unknown method may change what GET gets: after a 2xx what is stored is not served again.",
            miss(ok(), method=method),
            forgotten=True,
        )
        for method in ("POST", "PUT", "PATCH", "DELETE", "MKCOL")
    ),
    *(
        changed(
            f"a_{status}_to_a_put_invalidates" if forgotten else f"a_{status}_to_a_put_does_not_invalidate",
            "RFC 9111 §4.4",
            "A 2xx or 3xx to an unsafe method is a success." if forgotten else "An error changes nothing.",
            miss(reply(status), method="PUT"),
            forgotten=forgotten,
        )
        for status, forgotten in ((204, True), (303, True), (404, False), (500, False), (503, False))
    ),
    *(
        changed(
            f"{method.lower()}_does_not_invalidate",
            "RFC 9111 §4.4, RFC 9110 §9.2.1",
            "Safe methods never invalidate.",
            miss(ok(), method=method, gets=None),
            forgotten=False,
        )
        for method in ("OPTIONS", "PROPFIND", "SEARCH")
    ),
    case(
        "an_invalidation_takes_all_variants",
        "RFC 9111 §4.4",
        "All that is stored under the address is forgotten, for whatever fields.",
        varied("X-A", fields=("x-a: 1",)),
        varied("X-A", fields=("x-a: 2",)),
        miss(ok(), method="POST"),
        varied("X-A", fields=("x-a: 1",), body=b"third"),
        varied("X-A", fields=("x-a: 2",), body=b"fourth"),
    ),
    told("location_is_invalidated", "The address in Location is invalidated as well.", "location: {path}/a",
         forgotten=True, status=201),
    told("content_location_is_invalidated", "The address in Content-Location is invalidated as well.",
         "content-location: a", forgotten=True),
    told("an_absolute_location_on_the_same_origin_is_invalidated",
         "An absolute Location on the same origin is invalidated as well.",
         "location: {origin}{path}/a", forgotten=True, status=303),
    told("a_location_on_another_origin_is_not_invalidated",
         "A Location on another origin is not: one origin may not purge what is another's.",
         f"location: {ELSEWHERE}/a", forgotten=False, status=201),
    told("a_content_location_on_another_origin_is_not_invalidated", "Nor a Content-Location on another origin.",
         f"content-location: {ELSEWHERE}/a", forgotten=False),
    told("the_location_of_an_error_is_not_invalidated", "An error invalidates nothing, its Location neither.",
         "location: {path}/a", forgotten=False, status=500),
    changed(
        "a_put_that_the_origin_did_not_answer_invalidates_nothing",
        "RFC 9111 §4.4",
        "Where the origin breaks off, the client gets a 502, and what is stored stays.",
        ask(method="PUT", origin=raw("\0"), status=502),
        forgotten=False,
    ),
)  # fmt: skip

CASES = (*KEYS, *INVALIDATION)
