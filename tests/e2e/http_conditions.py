"""Clients who ask whether what they have is right: 304, 412, or the whole (RFC 9110 §13, RFC 9111 §4.3.2)."""

from __future__ import annotations

from tests.e2e.http_steps import Case, ask, case, hit, miss, ok, reply

CC = "cache-control: "
FRESH = f"{CC}max-age=100"
TAG = 'etag: "one"'
MODIFIED = "last-modified: {-5000}"
DATED = ("date: {-10}", "expires: {+500}")
STORED = miss(ok(f"{CC}max-age=1000", TAG, MODIFIED, "vary: x-z", "content-location: /l", "x-a: 1", *DATED))
IN_304 = (TAG, f"{CC}max-age=1000", *DATED, "vary: x-z", "content-location: /l", r"age~^1\d$")
EXTRA = ("content-length", "x-a", "content-type", "transfer-encoding")


def known(name: str, clause: str, says: str, *fields: str) -> Case:
    """A stored answer, and a client who has it already."""
    return case(name, clause, says, STORED, hit(*fields, status=304, gets=b"", has=IN_304, lacks=EXTRA))


def unknown(name: str, clause: str, says: str, *fields: str) -> Case:
    """A stored answer, and a client who has another."""
    return case(name, clause, says, STORED, hit(*fields))


def refused(name: str, clause: str, says: str, *fields: str) -> Case:
    """A stored answer that is not the one of the client's condition."""
    steps = STORED, ask(*fields, status=412, has=f"{CC}no-store", lacks="x-a")
    return case(name, clause, says, *steps)


NONE_MATCH, SINCE, MATCH = "RFC 9110 §13.1.2", "RFC 9110 §13.1.3", "RFC 9110 §13.1.1"

CASES = (
    known("a_client_with_the_same_tag_gets_304", NONE_MATCH,
          "A client with the same tag gets a 304 with `ETag`, `Cache-Control`, `Date`, `Expires`, `Vary` and "
          "`Content-Location`, and nothing else of the origin's.",
          'if-none-match: "one"'),
    known("a_list_of_tags_is_searched", NONE_MATCH,
          "One of several tags in `If-None-Match` is enough, in one line or more.",
          'if-none-match: "x", W/"y"', 'if-none-match: "one"'),
    known("tags_are_compared_weakly", NONE_MATCH, "`If-None-Match` compares weakly: `W/` makes no difference.",
          'if-none-match: W/"one"'),
    known("any_tag_will_do", NONE_MATCH, "`If-None-Match: *` is met by whatever is stored.", "if-none-match: *"),
    unknown("a_client_with_another_tag_gets_the_whole", NONE_MATCH, "A client with another tag gets the whole.",
            'if-none-match: "two"'),
    known("if_none_match_goes_before_if_modified_since", "RFC 9110 §13.2.2",
          "Beside `If-None-Match` `If-Modified-Since` does not count: 304 by the tag.",
          'if-none-match: "one"', "if-modified-since: {-9000}"),
    unknown("if_modified_since_does_not_help_a_tag", "RFC 9110 §13.2.2",
            "Beside `If-None-Match` `If-Modified-Since` does not count: 200 by the tag.",
            'if-none-match: "two"', "if-modified-since: {-5000}"),
    known("a_client_with_the_same_date_gets_304", SINCE, "A client with the date of Last-Modified gets 304.",
          "if-modified-since: {-5000}"),
    known("a_client_with_a_later_date_gets_304", SINCE, "A client with a later date than Last-Modified gets 304.",
          "if-modified-since: {-4000}"),
    unknown("a_client_with_an_earlier_date_gets_the_whole", SINCE, "A client with an earlier date gets the whole.",
            "if-modified-since: {-6000}"),
    unknown("a_condition_that_is_no_date_is_ignored", SINCE, "An `If-Modified-Since` that is no date is ignored.",
            "if-modified-since: yesterday"),
    case("without_last_modified_date_stands_in", "RFC 9111 §4.3.2",
         "`If-Modified-Since` is compared with `Date` where there is no Last-Modified.",
         miss(ok(f"{CC}max-age=1000", "date: {-100}")),
         hit("if-modified-since: {-100}", status=304, gets=b""), hit("if-modified-since: {-200}"),
         departs="None: exactly what §4.3.2 says. It stands here because many caches look at Last-Modified alone."),
    refused("if_match_with_another_tag_is_412", MATCH, "`If-Match` with another tag is a 412.",
            'if-match: "two"'),
    refused("if_match_compares_strongly", MATCH, "`If-Match` compares strongly: a weak tag is a 412.",
            'if-match: W/"one"'),
    unknown("if_match_with_the_same_tag_is_met", MATCH, "`If-Match` with the stored strong tag is met.",
            'if-match: "x", "one"'),
    unknown("if_match_with_a_star_is_met", MATCH, "`If-Match: *` is met by whatever is stored.", "if-match: *"),
    refused("if_unmodified_since_an_earlier_date_is_412", "RFC 9110 §13.1.4",
            "`If-Unmodified-Since` before Last-Modified is a 412.",
            "if-unmodified-since: {-6000}"),
    unknown("if_unmodified_since_is_met", "RFC 9110 §13.1.4", "`If-Unmodified-Since` Last-Modified is met.",
            "if-unmodified-since: {-5000}"),
    case("conditions_count_for_a_200_alone", "RFC 9110 §13.2.1", "A stored 404 goes out whatever the client has.",
         miss(reply(404, FRESH, TAG)), hit('if-none-match: "one"', status=404), hit('if-match: "x"', status=404)),
    case("a_clients_condition_is_ours_to_judge_on_a_miss", "RFC 9111 §4.3.2",
         "The origin is asked for the whole, for all; the client gets its 304 from that.",
         ask('if-none-match: "one"', origin=ok(FRESH, TAG), status=304, gets=b"", untold="if-none-match"),
         ask(gets=b"hello"),
         departs="§4.3.1 would allow to forward it. A 304 stores nothing, and the next client would find no body."),
    case("a_head_gets_304_as_well", "RFC 9110 §13.2.1", "Conditions count for HEAD as for GET.",
         STORED, hit('if-none-match: "one"', method="HEAD", status=304, gets=b"")),
)  # fmt: skip
