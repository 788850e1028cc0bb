"""Validation with the origin: what is asked, which variant an answer is about, what it says of it (RFC 9111 §4.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirror.httpcache.conditional import chosen, contradicts, describes, disproves, offered, renewed, validators
from mirror.model import Entry, Headers
from tests.httpcache.builders import NOW, date, entry, head, headers

STORED = entry(200, NOW - 1000, etag='"a"', last_modified=date(-5000))
SAME = [{"etag": '"a"'}, {"last_modified": date(-5000)}, {"etag": '"a"', "content_length": "10"}]
OTHER = [
    {"etag": '"b"'},
    {"etag": 'W/"a"'},
    {"last_modified": date(-4999)},
    {"etag": '"a"', "content_length": "11"},
]
MUTE = [{}, {"content_length": "10"}]


class TestOffering:
    """RFC 9111 §4.3.1: several stored variants offer all their tags."""

    def test_the_newest_first_each_tag_once(self) -> None:
        entries = (entry(200, NOW - 9, etag='"a"'), entry(200, NOW, etag='W/"b"'), entry(200, NOW - 5, etag='"a"'))
        assert offered(entries) == 'W/"b", "a"'
        assert offered(entries[::2]) == '"a"'

    def test_what_has_no_tag_offers_none(self) -> None:
        assert offered(()) == ""
        assert offered((entry(), entry(etag="unquoted"), entry(last_modified=date(-1000)))) == ""
        assert offered((entry(etag="unquoted"), entry(etag='"a"'))) == '"a"'

    def test_the_tag_is_the_origins_own(self) -> None:
        ours = replace(entry(etag='"ours"'), validators=headers(etag='"its"'))
        assert offered((ours,)) == '"its"'

    def test_at_most_sixteen_and_the_newest_of_them(self) -> None:
        entries = tuple(entry(200, NOW + age, etag=f'"{age}"') for age in range(20))
        assert offered(entries) == ", ".join(f'"{age}"' for age in range(19, 3, -1))


class TestChoosing:
    """RFC 9111 §4.3.4: which stored variant a 304 selects."""

    ENTRIES = (entry(200, NOW - 9, etag='"a"'), entry(200, NOW - 5, etag='W/"a"'), entry(200, NOW, etag='"b"'))

    @pytest.mark.parametrize("tag", ['"a"', 'W/"a"'])
    def test_the_newest_with_the_tag_in_weak_comparison(self, tag: str) -> None:
        assert chosen(self.ENTRIES, head(304, etag=tag)) == self.ENTRIES[1]
        assert chosen(self.ENTRIES[::-1], head(304, etag=tag)) == self.ENTRIES[1]

    @pytest.mark.parametrize("tag", ['"c"', "a", "unquoted", "*", '"a", "b"', ""])
    def test_none_where_the_304_names_none(self, tag: str) -> None:
        entries = (*self.ENTRIES, entry(etag="unquoted"), entry())
        assert chosen(entries, head(304, etag=tag)) is None
        assert chosen((), head(304, etag='"a"')) is None

    def test_the_tag_is_the_origins_own(self) -> None:
        ours = replace(entry(etag='"ours"'), validators=headers(etag='"its"'))
        assert chosen((ours,), head(304, etag='"its"')) == ours
        assert chosen((ours,), head(304, etag='"ours"')) is None


class TestRenewing:
    """RFC 9111 §4.3.4."""

    def test_a_date_of_the_304s_own_is_kept(self) -> None:
        told = renewed(entry(200, NOW - 1000), head(304, NOW, date=date(-5)))
        assert told.head.headers.all("date") == [date(-5)]

    def test_without_one_it_is_dated_by_its_arrival(self) -> None:
        told = renewed(entry(200, NOW - 1000), head(304, NOW, date=""))
        assert told.head.headers.all("date") == [date()]

    @pytest.mark.parametrize("name", ["etag", "last-modified"])
    def test_it_may_give_a_validator_where_there_was_none(self, name: str) -> None:
        answer = head(304, **{name: "new"})
        assert renewed(entry(), answer).validators == Headers(((name, "new"),))
        assert renewed(entry(**{name: "old"}), answer).validators == Headers(((name, "old"),))

    def test_nothing_else_becomes_one(self) -> None:
        assert renewed(entry(), head(304, x_tag="1")).validators == Headers()

    def test_the_time_of_its_exchange_counts_from_now_on(self) -> None:
        answer = replace(head(304), requested_at=NOW - 2)
        told = renewed(entry(200, NOW - 1000, x="1"), answer).head
        assert (told.status, told.requested_at, told.received_at) == (200, NOW - 2, NOW)
        assert told.headers.get("x") == "1"


class TestContradicting:
    """RFC 9111 §4.3.4: a 304 about another representation updates nothing."""

    def test_another_tag_contradicts(self) -> None:
        assert contradicts(entry(etag='"a"'), head(304, etag='"b"'))
        assert not contradicts(entry(etag='"a"'), head(304, etag='W/"a"'))

    @pytest.mark.parametrize(("known", "told"), [("", '"b"'), ('"a"', ""), ("bad", '"b"'), ('"a"', "bad")])
    def test_where_either_has_none_nothing_does(self, known: str, told: str) -> None:
        assert not contradicts(entry(etag=known), head(304, etag=told))


class TestAnswersToHead:
    """RFC 9111 §4.3.5: a HEAD's 200 updates the stored answer to a GET, or shows that it is no longer right."""

    def judged(self, stored: Entry, status: int, **fields: str) -> tuple[bool, bool]:
        answer = head(status, **fields)
        return describes(stored, answer), disproves(stored, answer)

    @pytest.mark.parametrize("fields", SAME)
    def test_it_describes_what_has_its_validators_and_length(self, fields: dict[str, str]) -> None:
        assert self.judged(STORED, 200, **fields) == (True, False)

    @pytest.mark.parametrize("fields", [*OTHER, *MUTE, {"etag": '"a"', "last_modified": date(-4999)}])
    def test_it_disproves_any_other(self, fields: dict[str, str]) -> None:
        assert self.judged(STORED, 200, **fields) == (False, True)

    def test_each_line_of_its_length_has_to_be_right(self) -> None:
        twice = Headers((("etag", '"a"'), ("content-length", "10"), ("content-length", "11")))
        assert disproves(STORED, replace(head(), headers=twice))

    @pytest.mark.parametrize("fields", [*SAME, *OTHER, *MUTE])
    @pytest.mark.parametrize(("stored", "told"), [(200, 404), (200, 206), (404, 200), (404, 404), (203, 203)])
    def test_it_says_nothing_where_either_is_no_200(self, stored: int, told: int, fields: dict[str, str]) -> None:
        assert self.judged(entry(stored, etag='"a"'), told, **fields) == (False, False)


class TestAsking:
    """RFC 9111 §4.3.1, RFC 9110 §13.1.2, §13.1.3."""

    @pytest.mark.parametrize(("name", "condition"), [("etag", "if-none-match"), ("last-modified", "if-modified-since")])
    def test_each_validator_is_one_condition(self, name: str, condition: str) -> None:
        assert validators(Headers(((name, "v"), ("x", "y")))) == Headers(((condition, "v"),))

    def test_an_empty_one_asks_nothing(self) -> None:
        assert validators(headers(etag="", last_modified="")) == Headers()
