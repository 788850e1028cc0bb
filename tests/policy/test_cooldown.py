"""The minimum age: which date counts, when it is reached, and for which packages it is another one."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from mirror.policy.artifact import Artifact
from mirror.policy.rules import Age
from tests.policy.builders import DAY, NOW, age, gatekeeper, said, six

WEEK = 7 * DAY


def test_a_fresh_release_is_held_and_matures() -> None:
    gate = gatekeeper(min_age=WEEK)
    fresh = gate.verdict(six(days=2), NOW)
    assert said(fresh) == (False, "cooldown")
    assert fresh.refused
    assert fresh.until == NOW + 5 * DAY
    assert fresh.dated == "origin"
    expected = "six 1.17.0 is 2 days old; minimum age 7 days (policy 'cooldown'), reached 2026-09-26 14:14 UTC"
    assert fresh.reason == expected
    later = gate.verdict(six(days=2), fresh.until)
    assert (said(later), later.until, later.dated) == ((True, "none"), inf, "origin")


def test_the_minimum_is_inclusive() -> None:
    """PROTOCOLS G.6."""
    gate = gatekeeper(min_age=WEEK)
    assert gate.verdict(six(days=7), NOW).allowed
    assert not gate.verdict(six(days=7), NOW - 0.001).allowed


@pytest.mark.parametrize("published", [None, NOW + 601, 0.0, -5.0, inf, -inf, nan])
def test_a_release_whose_date_is_not_known_is_held(published: float | None) -> None:
    """FIELD T9, nora#679: an unknown date let the release through."""
    verdict = gatekeeper(min_age=WEEK).verdict(Artifact("pypi", "six", "1.17.0", published=published), NOW)
    assert said(verdict) == (False, "unknown")
    assert verdict.reason == "when six 1.17.0 was published is not known; minimum age 7 days (policy 'unknown')"
    assert verdict.dated == ""


def test_it_gets_through_where_that_is_configured() -> None:
    verdict = gatekeeper(min_age=WEEK, unknown="pass").verdict(six(days=None), NOW)
    assert said(verdict) == (True, "unknown")


def test_without_a_minimum_age_nobody_asks_for_dates() -> None:
    assert said(gatekeeper(advised=True).verdict(six(days=None), NOW)) == (True, "none")


def test_a_date_ahead_of_the_clock_is_none_until_the_clock_reaches_it() -> None:
    """PROTOCOLS G.6."""
    gate, ahead = gatekeeper(min_age=WEEK), Artifact("pypi", "six", "1.17.0", published=NOW + 1000)
    assert gate.verdict(ahead, NOW).until == NOW + 400
    assert said(gate.verdict(ahead, NOW + 399)) == (False, "unknown")
    assert said(gate.verdict(ahead, NOW + 400)) == (False, "cooldown")
    assert gate.verdict(ahead, NOW + 400).until == NOW + 1000 + WEEK
    assert "is 0 seconds old" in gate.verdict(ahead, NOW + 400).reason


@pytest.mark.parametrize(
    ("published", "seen", "dates", "expected"),
    [
        (30, 1, "origin", (True, "origin")),  # an old release that nobody asked for before is not new
        (1, 30, "origin", (True, "first seen")),
        (1, 2, "origin", (False, "first seen")),
        (None, 30, "origin", (False, "")),
        (None, 30, "first-seen", (True, "first seen")),
        (None, 1, "first-seen", (False, "first seen")),
        (30, 1, "first-seen", (True, "origin")),
        (-1, 30, "origin", (False, "")),
        (-1, 30, "first-seen", (True, "first seen")),
        (30, -1, "first-seen", (True, "origin")),
        (None, None, "first-seen", (False, "")),
    ],
)
def test_the_earlier_of_two_dates_counts(
    published: float | None, seen: float | None, dates: Any, expected: tuple[bool, str]
) -> None:
    """PROTOCOLS G.5: ages in days, negative ones are ahead of the clock."""
    at = [None if days is None else NOW - days * DAY for days in (published, seen)]
    artifact = Artifact("npm", "x", "1.0.0", published=at[0], first_seen=at[1])
    verdict = gatekeeper("npm", min_age=WEEK, dates=dates).verdict(artifact, NOW)
    assert (verdict.allowed, verdict.dated) == expected


@pytest.mark.parametrize(
    ("package", "expected"),
    [("six", 7), ("django", 1), ("django-filter", 3), ("django-filter-x", 2), ("numpy", 0), ("Django_Filter", 3)],
)
def test_packages_have_ages_of_their_own(package: str, expected: float) -> None:
    """A name counts before a glob, a longer glob before a shorter one."""
    ages = (age("d*", 4), age("django*", 1), age("django-*", 2), age("pkg:pypi/django-filter", 3), age("num*", 0))
    gate = gatekeeper(min_age=WEEK, ages=ages)
    verdict = gate.verdict(Artifact("pypi", package, "1.0", published=NOW - 1), NOW)
    assert verdict.until == (NOW - 1 + expected * DAY if expected else inf)


def test_the_mirrors_own_ages_count_first() -> None:
    ages: tuple[Age, ...] = (age("six", 1), age("*", 3, own=True))
    assert gatekeeper(ages=ages).verdict(six(days=0), NOW).until == NOW + 3 * DAY


def test_of_the_same_glob_twice_the_longer_age_counts() -> None:
    assert gatekeeper(ages=(age("s*", 1), age("s*", 3))).verdict(six(days=0), NOW).until == NOW + 3 * DAY


def test_an_age_of_another_ecosystem_does_not_count() -> None:
    assert gatekeeper(ages=(age("pkg:npm/six", 9),)).verdict(six(days=0), NOW).allowed


def test_a_file_is_judged_by_its_own_date() -> None:
    """PROTOCOLS G.3: a wheel that is added today to an old release is new."""
    gate = gatekeeper(min_age=WEEK)
    assert gate.verdict(six(days=900, file="six-1.17.0.tar.gz"), NOW).allowed
    assert not gate.verdict(six(days=0, file="six-1.17.0-py3-none-any.whl"), NOW).allowed
