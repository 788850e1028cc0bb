"""Advisories as OSV publishes them: what they say is malicious, affected, a fix."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest

from mirror.policy.advisories import Advisories, Advisory, read
from mirror.policy.artifact import Artifact
from mirror.policy.versions import SCHEMES
from tests.policy.builders import DAY, NOW, advised, advisory, gatekeeper, said, six

NPM = {"ecosystem": "npm", "kind": "SEMVER"}


def one(known: Advisories, package: str, ecosystem: str = "pypi") -> Advisory:
    (found,) = known.of(ecosystem, package)
    return found


def affected(known: Advisory, ecosystem: str, *versions: str) -> list[str]:
    return [version for version in versions if known.affects(version, SCHEMES[ecosystem].key(version))]


@pytest.mark.parametrize(
    ("events", "inside", "outside"),
    [
        ([("introduced", "0")], ["0.0.1", "9.0.0", "2.0.0-rc.1"], []),
        ([("introduced", "0"), ("fixed", "1.0.2")], ["0.9.0", "1.0.1", "1.0.2-rc.1"], ["1.0.2", "2.0.0"]),
        (
            [("introduced", "1.0.0"), ("fixed", "1.0.2"), ("introduced", "3.0.0"), ("fixed", "3.2.5")],
            ["1.0.1", "3.0.0", "3.2.4"],
            ["0.9.0", "1.0.2", "2.0.0", "3.2.5"],
        ),
        (
            [("fixed", "3.2.5"), ("introduced", "3.0.0"), ("fixed", "1.0.2"), ("introduced", "1.0.0")],
            ["1.0.1", "3.2.4"],
            ["1.0.2", "2.0.0", "3.2.5"],
        ),
        ([("introduced", "1.0.0"), ("last_affected", "1.2.0")], ["1.0.0", "1.2.0"], ["0.1.0", "1.2.1"]),
        ([("introduced", "1.2.0"), ("last_affected", "1.2.0")], ["1.2.0"], ["1.1.9", "1.2.1"]),
        ([("introduced", "0"), ("fixed", "1.0.0"), ("introduced", "1.0.0")], ["0.1.0", "1.0.0", "1.1.0"], []),
        ([("introduced", "1.0.0"), ("limit", "2.0.0")], ["1.0.0", "1.9.0"], ["0.1.0", "2.0.0"]),
        ([("introduced", "1.0.0"), ("limit", "2.0.0"), ("limit", "*")], ["1.0.0", "2.0.0"], ["0.1.0"]),
    ],
)
def test_a_range_is_what_the_schema_says(events: list[Any], inside: list[str], outside: list[str]) -> None:
    known = one(advised(advisory("x", *events, **NPM)), "x", "npm")
    assert affected(known, "npm", *inside, *outside) == inside


def test_a_version_is_affected_that_is_listed_however_it_is_spelled() -> None:
    known = one(advised(advisory("x", versions=["1.0", "2004d"])), "x")
    assert affected(known, "pypi", "1.0", "1.0.0", "2004d", "1.1") == ["1.0", "1.0.0", "2004d"]


def test_a_version_that_cannot_be_read_is_affected_where_all_are() -> None:
    every = one(advised(advisory("x", ("introduced", "0"), name="MAL-1")), "x")
    some = one(advised(advisory("x", ("introduced", "0"), ("fixed", "2"))), "x")
    assert affected(every, "pypi", "2004d", "") == ["2004d", ""]
    assert affected(some, "pypi", "2004d", "") == []


def test_debian_advisories_count_for_apt() -> None:
    events = (("introduced", "0"), ("fixed", "1.2.1-2.2+deb12u3"))
    known = one(advised(advisory("nginx", *events, ecosystem="Debian:12", name="DSA-1-1")), "nginx", "apt")
    assert affected(known, "apt", "1.2.1-2.2+deb12u2", "1.2.1-2.2+deb12u3") == ["1.2.1-2.2+deb12u2"]


def test_names_are_compared_as_their_ecosystem_does() -> None:
    known = advised(advisory("Foo.Bar", ("introduced", "0")), advisory("@acme/x", ("introduced", "0"), name="B", **NPM))
    assert known.of("pypi", "foo-bar")
    assert known.of("npm", "@acme/x")
    assert not known.of("npm", "foo-bar")
    assert not known.of("pypi", "@acme/x")


def test_what_is_withdrawn_does_not_count() -> None:
    warned = advisory("x", ("introduced", "0"))
    taken = warned | {"withdrawn": "2026-09-22T00:00:00Z", "modified": "2026-09-22T00:00:00Z"}
    assert advised(warned).count == 1
    for several in ([taken], [warned, taken], [taken, warned]):
        assert (advised(*several).count, advised(*several).of("pypi", "x")) == (0, ())


def test_of_one_advisory_twice_the_last_modified_counts() -> None:
    old = advisory("x", ("introduced", "0"))
    new = advisory("x", ("introduced", "0"), ("fixed", "1.0")) | {"modified": "2026-09-21T00:00:01Z"}
    for several in ([old, new], [new, old]):
        assert affected(one(advised(*several), "x"), "pypi", "0.9", "1.0") == ["0.9"]


def test_the_order_of_the_documents_does_not_matter() -> None:
    several = [advisory("x", ("introduced", "0"), name=f"GHSA-{number}") for number in range(5)]
    assert advised(*several).digest("pypi") == advised(*reversed(several)).digest("pypi") != ""
    assert advised(*several).digest("pypi") != advised(*several[1:]).digest("pypi")


BROKEN: list[tuple[bytes, str]] = [
    (b"", "document 2: not JSON"),
    (b"{", "document 2: not JSON"),
    (b"\xff\xfe{}", "document 2: not JSON"),
    (b"[" * 100_000, "document 2: not JSON"),
    (b'{"id": ' + b"9" * 5000 + b"}", "document 2: not JSON"),
    (b"3", "document 2: no advisory"),
    (b'{"id": 7}', "document 2: no advisory"),
    (b'[{"id": ""}]', "document 2: no advisory"),
    (b'{"id": "X", "affected": [3]}', "X: no package that can be read"),
    (b'{"id": "X", "affected": [{"package": {"name": 3, "ecosystem": "npm"}}]}', "X: no package that can be read"),
    (json.dumps(advisory("x", ("introduced", "latest"), name="X")).encode(), "X: a range that cannot be read"),
    (json.dumps(advisory("x", ("introduced", "0"), name="X", kind="OTHER")).encode(), "X: a range that cannot be read"),
    (
        b'{"id": "X", "affected": [{"package": {"name": "x", "ecosystem": "npm"}, "ranges": [{"type": "SEMVER",'
        b' "events": [{"introduced": "0", "fixed": "1.0.0"}]}]}]}',
        "X: a range that cannot be read",
    ),
]


@pytest.mark.parametrize(("document", "problem"), BROKEN)
def test_what_cannot_be_read_is_told_of_and_the_rest_counts(document: bytes, problem: str) -> None:
    good = [advisory("six", ("introduced", "0"), name="GHSA-1"), advisory("attrs", ("introduced", "0"), name="GHSA-2")]
    known = read([json.dumps(good[0]).encode(), document, json.dumps(good[1]).encode()])
    assert [found.startswith(problem) for found in known.problems] == [True]
    assert known.count == 2
    assert known.of("pypi", "six")
    assert known.of("pypi", "attrs")


@pytest.mark.parametrize(
    "more",
    [
        {"affected": None},
        {"affected": {}},
        {"aliases": 3},
        {"modified": 3},
        {"modified": "yesterday"},
        {"details": "x"},
    ],
)
def test_what_is_of_the_wrong_kind_stops_nothing(more: dict[str, Any]) -> None:
    known = read([json.dumps(advisory("x", ("introduced", "0")) | more).encode()])
    assert known.problems == ()


def test_of_very_many_problems_the_first_are_told() -> None:
    known = read(b"{" for _ in range(1000))
    assert (len(known.problems), known.problems[-1]) == (51, "and 950 more")


def test_commits_and_other_ecosystems_are_nothing_to_a_mirror() -> None:
    git = advisory("x", ("introduced", "6e5755a2a833bc64852eae12967d0a54d7adf629"), kind="GIT")
    known = advised(git, advisory("serde", ("introduced", "0"), ecosystem="crates.io", name="RUSTSEC-1"))
    assert (known.index, known.count, known.problems) == ({}, 0, ())


def test_a_document_may_be_a_list() -> None:
    several = [advisory("six", ("introduced", "0"), name="A"), advisory("attrs", ("introduced", "0"), name="B")]
    assert read([json.dumps(several).encode()]).count == 2


def test_a_malicious_version_is_refused_at_once_and_the_others_are_not() -> None:
    gate = gatekeeper("pypi", advisory("six", ("introduced", "1.17.0"), ("fixed", "1.17.1"), name="MAL-2026-7"))
    verdict = gate.verdict(six("1.17.0", days=900), NOW)
    assert (said(verdict), verdict.refused) == ((False, "malicious"), True)
    assert verdict.reason == "six 1.17.0 is known to be malicious: MAL-2026-7 (policy 'malicious')"
    assert gate.verdict(six("1.16.0"), NOW).allowed
    assert gate.verdict(six("1.17.1"), NOW).allowed


def test_a_package_that_is_malicious_as_a_whole_is_refused_in_every_version() -> None:
    gate = gatekeeper("npm", advisory("reqeusts", ("introduced", "0"), name="MAL-1", **NPM))
    for version in ("0.0.1", "99.0.0", "weird", ""):
        assert gate.verdict(Artifact("npm", "reqeusts", version), NOW).rule == "malicious", version


def test_an_alias_may_say_that_it_is_malicious() -> None:
    known = advisory("six", ("introduced", "0"), name="GHSA-1", aliases=["CVE-2026-1", "MAL-2026-1"])
    assert gatekeeper("pypi", known).verdict(six(), NOW).rule == "malicious"


def test_a_vulnerable_version_is_not_refused() -> None:
    assert gatekeeper("pypi", advisory("six", ("introduced", "0"))).verdict(six(), NOW).allowed


def test_the_version_that_an_advisory_names_as_the_fix_need_not_wait() -> None:
    """mprpic/cooldowns#13: a cooldown held back security fixes."""
    known = advisory("six", ("introduced", "0"), ("fixed", "1.17.0"), modified="2026-09-20T14:00:00Z")
    gate = gatekeeper("pypi", known, min_age=7 * DAY)
    verdict = gate.verdict(six("1.17", days=1), NOW)
    assert said(verdict) == (True, "fix")
    assert verdict.reason == "six 1.17 fixes GHSA-1: no minimum age (policy 'fix')"
    assert verdict.until == NOW + 6 * DAY
    assert said(gate.verdict(six("1.17", days=1), verdict.until)) == (True, "none")
    assert said(gate.verdict(six("1.16.9", days=1), NOW)) == (False, "cooldown")


def test_a_later_version_than_the_fix_waits() -> None:
    """Else every release of a package that ever had an advisory would get through at once, a malicious one, too."""
    known = advisory("six", ("introduced", "0"), ("fixed", "1.17.0"), modified="2026-09-21T00:00:00Z")
    gate = gatekeeper("pypi", known, min_age=7 * DAY)
    assert said(gate.verdict(six("1.17.1", days=0), NOW)) == (False, "cooldown")
    assert said(gate.verdict(six("9.9.9", days=0), NOW)) == (False, "cooldown")


def test_a_file_that_is_added_to_an_old_fix_waits() -> None:
    known = advisory("six", ("introduced", "0"), ("fixed", "1.17.0"), modified="2025-01-01T00:00:00Z")
    gate = gatekeeper("pypi", known, min_age=7 * DAY)
    assert said(gate.verdict(six("1.17.0", days=0), NOW)) == (False, "cooldown")


@pytest.mark.parametrize(("hours", "rule"), [(23, "fix"), (25, "cooldown")])
def test_a_fix_may_appear_up_to_a_day_behind_its_advisory(hours: int, rule: str) -> None:
    known = advisory("six", ("introduced", "0"), ("fixed", "1.17.0"), modified="2026-09-20T14:13:20Z")
    published = NOW - DAY + hours * 3600
    artifact = Artifact("pypi", "six", "1.17.0", published=published)
    assert gatekeeper("pypi", known, min_age=7 * DAY).verdict(artifact, published + 60).rule == rule


@pytest.mark.parametrize(
    "other",
    [
        advisory("six", ("introduced", "1.17.0"), name="GHSA-2"),
        advisory("six", ("introduced", "0"), ("fixed", "1.18"), name="GHSA-2"),
        advisory("six", versions=["1.17.0"], name="GHSA-2"),
    ],
)
def test_a_fix_that_something_else_affects_waits(other: dict[str, Any]) -> None:
    known = advisory("six", ("introduced", "0"), ("fixed", "1.17.0"), modified="2026-09-21T00:00:00Z")
    assert said(gatekeeper("pypi", known, other, min_age=7 * DAY).verdict(six(days=1), NOW)) == (False, "cooldown")


def test_a_fix_of_nothing_that_was_introduced_before_waits() -> None:
    known = advisory("six", ("fixed", "1.17.0"), ("introduced", "2.0"), modified="2026-09-21T00:00:00Z")
    assert gatekeeper("pypi", known, min_age=7 * DAY).verdict(six(days=1), NOW).rule == "cooldown"


def test_a_fix_gets_through_whose_date_is_not_known() -> None:
    known = advisory("six", ("introduced", "0"), ("fixed", "1.17.0"))
    assert said(gatekeeper("pypi", known, min_age=7 * DAY).verdict(six(days=None), NOW)) == (True, "fix")


def test_whatever_the_order_of_the_documents_the_same_is_known() -> None:
    told = [advisory(package, ("introduced", "0"), name=f"GHSA-{n}") for n in range(12) for package in ("six", f"p{n}")]
    told = [each | {"id": f"{each['id']}-{at}"} for at, each in enumerate(told)]
    one, other = (read(json.dumps(each).encode() for each in order) for order in (told, told[::-1]))
    assert one.index == other.index
    assert (one.digest("pypi"), one.count) == (other.digest("pypi"), 24)
    assert [each.id for each in one.of("pypi", "six")] == sorted(each["id"] for each in told[::2])


def test_what_is_kept_on_the_way_gives_the_garbage_collector_no_work() -> None:
    """Else it stops all threads for a second, where there are hundreds of thousands of advisories."""
    counted = []

    def documents() -> Iterator[bytes]:
        for number in range(3000):
            if number in (500, 2999):
                gc.collect()
                counted.append(len(gc.get_objects()))
            yield json.dumps(advisory(f"p{number}", ("introduced", "0"), name=f"MAL-{number}")).encode()

    assert read(documents()).count == 3000
    assert counted[1] - counted[0] < 500
