"""Parts of an answer: from what is stored, and from an origin that is asked for one (RFC 9110 §14, §13.1.5)."""

from __future__ import annotations

from tests.e2e.http_steps import Case, Step, ask, case, hit, miss, ok, reply
from tests.instruments.script import Reply

FRESH = "cache-control: max-age=1000"
TAG = 'etag: "one"'
MODIFIED = "last-modified: {-5000}"
DIGITS = b"0123456789"
STORED = miss(ok(FRESH, TAG, MODIFIED, "date: {-10}", "x-a: 1", "content-type: text/x", body=DIGITS))


def part(wanted: str, start: int, end: int, *fields: str) -> Step:
    """The bytes [start, end) of the stored digits."""
    told = (f"content-range: bytes {start}-{end - 1}/10", f"content-length: {end - start}", TAG, "x-a: 1", FRESH)
    return hit(f"range: {wanted}", *fields, status=206, gets=DIGITS[start:end], has=told)


def whole(*fields: str) -> Step:
    return hit(*fields, gets=DIGITS, lacks="content-range")


def stored(name: str, clause: str, says: str, *steps: Step, departs: str = "") -> Case:
    return case(name, f"RFC 9110 §{clause}", says, STORED, *steps, departs=departs)


PARTS = (
    rb"(?s)--(\w+)\r\nContent-Type: text/x\r\nContent-Range: bytes 7-9/10\r\n\r\n789\r\n"
    rb"--\1\r\nContent-Type: text/x\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n--\1--\r\n"
)
MANY = ",".join(f"{n}-{n}" for n in range(0, 18, 2))
WARM = (
    stored("a_part_of_what_is_stored", "14.2",
           "A part is a 206 with the right `Content-Range` and the fields of the stored 200.",
           part("bytes=2-4", 2, 5)),
    stored("the_last_bytes", "14.1.2", "`bytes=-3` is the last three bytes.", part("bytes=-3", 7, 10)),
    stored("more_last_bytes_than_there_are", "14.1.2", "Of more last bytes than there are all are given.",
           part("bytes=-99", 0, 10)),
    stored("from_a_byte_to_the_end", "14.1.2", "`bytes=7-` goes to the end.", part("bytes=7-", 7, 10)),
    stored("a_range_beyond_the_end_is_cut", "14.1.2", "A range beyond the end goes up to the end.", part("bytes=7-99",
           7, 10)),
    stored("the_unit_has_no_case", "14.1", "The unit has no case: `BYTES=` is bytes.", part("BYTES=2-4", 2, 5)),
    stored("a_range_behind_the_end_is_416", "15.5.17", "A range behind the end is a 416 with `bytes */10`.",
           ask("range: bytes=10-", status=416,
               has=("content-range: bytes */10", "cache-control: no-store"), lacks="x-a")),
    stored("no_last_bytes_are_416", "14.1.2", "`bytes=-0` is a 416.",
           ask("range: bytes=-0", status=416, has="content-range: bytes */10")),
    *(
        stored(f"{word}_is_ignored", "14.2",
               "Other units, and what is malformed, ASCII digits only: `Range` is ignored, 200.",
               whole(f"range: {wanted}"))
        for word, wanted in (
            ("an_unknown_unit", "lines=1-2"),
            ("a_range_without_numbers", "bytes=-"),
            ("a_range_that_is_no_number", "bytes=x-2"),
            ("a_range_that_runs_backwards", "bytes=5-1"),
            ("a_good_range_beside_a_bad_one", "bytes=1-2,x"),
            ("a_signed_range", "bytes=+1-2"),
            ("a_digit_that_is_not_ascii", "bytes=1-\xb2"),
            ("a_range_in_two_units", "bytes=1-2;lines=3-4"),
        )
    ),
    stored("several_ranges_are_several_parts", "14.6",
           "Several ranges are `multipart/byteranges` with a length, in the order asked for.",
           hit("range: bytes=7-,0-1", status=206, gets=None, matches=PARTS, lacks="content-range",
               has=("content-type~^multipart/byteranges; boundary=", "content-length~^[0-9]+$"))),
    stored("several_ranges_that_overlap_are_one", "15.3.7.2", "Ranges that overlap are merged.", part("bytes=2-5,4-7",
           2, 8)),
    stored("of_several_ranges_those_count_that_exist", "14.2", "Of several ranges those behind the end are left out.",
           part("bytes=2-4,50-60", 2, 5)),
    case("too_many_ranges_get_the_whole", "RFC 9110 §14.2, §17.15",
         "More than eight parts are not worth their framing: the whole, 200.",
         miss(ok(FRESH, body=DIGITS * 2)),
         hit(f"range: bytes={MANY}", gets=DIGITS * 2)),
    stored("head_ignores_range", "14.2", "HEAD ignores `Range`.",
           hit("range: bytes=2-4", method="HEAD", gets=b"", has="content-length: 10", lacks="content-range")),
    case("range_of_a_404_is_ignored", "RFC 9110 §14.2", "`Range` is ignored for a stored answer other than 200.",
         miss(reply(404, FRESH)), hit("range: bytes=1-2", status=404)),
    case("nothing_of_nothing", "RFC 9110 §14.1.2", "An empty body has no first byte: 416 with `bytes */0`.",
         miss(ok(FRESH, body=b"")), ask("range: bytes=0-", status=416, has="content-range: bytes */0")),
    stored("if_range_with_the_same_tag", "13.1.5", "`If-Range` with the stored strong tag: the part.",
           part("bytes=2-4", 2, 5, 'if-range: "one"')),
    stored("if_range_with_another_tag", "13.1.5", "`If-Range` with another tag: the whole.",
           whole("range: bytes=2-4", 'if-range: "x"')),
    stored("if_range_compares_strongly", "13.1.5", "`If-Range` with a weak tag, which proves no bytes: the whole.",
           whole("range: bytes=2-4", 'if-range: W/"one"')),
    stored("if_range_with_the_same_date", "13.1.5",
           "`If-Range` with exactly Last-Modified, which is older than `Date`: the part.",
           part("bytes=2-4", 2, 5, "if-range: {-5000}")),
    stored("if_range_with_a_later_date", "13.1.5", "`If-Range` with any other date, a later one too: the whole.",
           whole("range: bytes=2-4", "if-range: {-4000}")),
    stored("if_none_match_goes_before_range", "13.2.2", "A client whose `If-None-Match` is met gets 304, not a part.",
           hit("range: bytes=2-4", 'if-none-match: "one"', status=304, gets=b"")),
    case("if_range_with_a_weak_tag_that_is_stored", "RFC 9110 §13.1.5",
         "`If-Range` with the same weak tag is not enough: the whole.",
         miss(ok(FRESH, 'etag: W/"one"', body=DIGITS)), whole("range: bytes=2-4", 'if-range: W/"one"')),
    case("if_range_with_a_date_of_the_same_second", "RFC 9110 §13.1.5, §8.8.2.2",
         "A Last-Modified that is `Date` may have changed again within its second: the whole.",
         miss(ok(FRESH, "last-modified: {-10}", "date: {-10}", body=DIGITS)),
         whole("range: bytes=2-4", "if-range: {-10}")),
)  # fmt: skip


def piece(start: int, end: int, *fields: str, body: bytes | None = None, size: int = 10) -> Reply:
    """The origin's 206 with the bytes [start, end)."""
    told = f"content-range: bytes {start}-{end - 1}/{size}"
    return reply(206, FRESH, told, *fields, body=DIGITS[start:end] if body is None else body)


OTHER = ok(FRESH, 'etag: "two"', body=b"x" * 10, again=True)
COLD = (
    case(
        "a_part_of_what_is_not_stored_is_asked_of_the_origin",
        "RFC 9110 §14.2, RFC 9111 §3.3",
        "The client waits for its bytes only; the rest is fetched behind it, tied to the first by a strong tag.",
        ask(
            "range: bytes=4-5",
            origin=(piece(4, 10, TAG), piece(0, 4, TAG)),
            status=206,
            gets=b"45",
            has="content-range: bytes 4-5/10",
            behind=True,
            told=("range: bytes=0-3", 'if-range: "one"'),
        ),
        ask(gets=DIGITS),
        hit(gets=DIGITS, until=True),
    ),
    case(
        "an_origin_without_ranges_gives_the_whole",
        "RFC 9110 §14.2",
        "A 200 to the question for a part is stored whole, and the client gets its part.",
        ask("range: bytes=4-5", origin=ok(FRESH, TAG, body=DIGITS), status=206, gets=b"45", told="range: bytes=4-"),
        ask(gets=DIGITS),
        hit(gets=DIGITS),
    ),
    case(
        "a_part_that_nothing_ties_to_the_rest_is_not_stored",
        "RFC 9111 §3.3, §3.4",
        "A 206 without a strong validator goes to the one who asked for it, as the origin has it.",
        ask(
            "range: bytes=4-5",
            origin=(piece(4, 10, 'etag: W/"one"'), piece(4, 6, 'etag: W/"one"')),
            status=206,
            gets=b"45",
            told="range: bytes=4-5",
            cache="!stored",
        ),
        miss(ok(FRESH, TAG, body=DIGITS)),
    ),
    case(
        "a_part_that_may_not_be_stored_is_passed_on",
        "RFC 9111 §3.4, §5.2.2",
        "A 206 with `no-store` is handed on and never becomes part of an answer.",
        ask(
            "range: bytes=4-5",
            origin=(
                reply(206, "cache-control: no-store", TAG, "content-range: bytes 4-9/10", body=b"456789"),
                reply(206, "cache-control: no-store", TAG, "content-range: bytes 4-5/10", body=b"45"),
            ),
            status=206,
            gets=b"45",
            cache="!stored",
        ),
        miss(ok(FRESH, TAG, body=DIGITS)),
    ),
    case(
        "parts_of_two_objects_are_never_joined",
        "RFC 9111 §3.3",
        "A 206 with another tag does not fill the rest; nothing is stored that is made of two.",
        ask(
            "range: bytes=4-5",
            origin=(piece(4, 10, TAG), piece(0, 4, 'etag: "two"', body=b"xxxx")),
            status=206,
            gets=b"45",
            behind=True,
        ),
        ask(origin=OTHER, gets=b"x" * 10, has='etag: "two"', until=True),
    ),
    case(
        "another_part_than_the_one_asked_for_makes_us_ask_for_the_whole",
        "RFC 9110 §15.3.7",
        "Where the `Content-Range` of a 206 begins elsewhere the whole is fetched, and the part is ours.",
        ask(
            "range: bytes=4-5",
            origin=(piece(3, 10, TAG), ok(FRESH, TAG, body=DIGITS)),
            status=206,
            has="content-range: bytes 4-5/10",
            gets=DIGITS[4:6],
        ),
    ),
    case(
        "a_416_of_the_origin_is_checked_with_the_whole",
        "RFC 9110 §15.5.17",
        "Where the origin has no such part the whole is fetched, and the 416 is ours, with the size.",
        ask(
            "range: bytes=50-",
            origin=(reply(416, "content-range: bytes */10", body=b""), ok(FRESH, TAG, body=DIGITS)),
            status=416,
            has="content-range: bytes */10",
        ),
    ),
)

CASES = (*WARM, *COLD)
