"""Frozen time: what a cut-off means, and the verdict of a gate that has one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mirror import frozen
from mirror.errors import NotFound
from mirror.model import Mirror
from mirror.policy.artifact import OPEN, Artifact
from mirror.policy.frozen import AsOf, Frozen
from mirror.policy.gatekeeper import gate
from mirror.policy.rules import Policy
from tests.policy.builders import DAY, NOW, rule


def day(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).date().isoformat()


def as_of(text: str, known: Mirror | None = None, now: float = NOW) -> Mirror:
    found = frozen.mirror({"o": known or Mirror("o", "pypi")}, f"o@{text}", now)
    assert found is not None
    return found[0]


class TestCutOff:
    @pytest.mark.parametrize(
        ("text", "last"),
        [
            ("2026-02-28", "2026-02-28T23:59:59.999999+00:00"),
            ("2026-02-28T12:00:00Z", "2026-02-28T12:00:00+00:00"),
        ],
    )
    def test_a_day_counts_to_its_end_and_an_instant_is_the_last(self, text: str, last: str) -> None:
        at = datetime.fromisoformat(last).timestamp()
        known = as_of(text).gate
        assert not known.verdict(Artifact("pypi", "six", "1.0", published=at), NOW).refused
        assert known.verdict(Artifact("pypi", "six", "1.0", published=at + 0.001), NOW).rule == "frozen"

    @pytest.mark.parametrize(
        "text", ["", "yesterday", "2026-2-1", "2026-02-30", "2026-02-01T12:00", "2026-02-01T25:00:00Z"]
    )
    def test_what_is_no_day_is_not_there(self, text: str) -> None:
        with pytest.raises(NotFound, match="is no day"):
            as_of(text)

    def test_nor_is_the_future_but_today_is(self) -> None:
        with pytest.raises(NotFound, match="in the future"):
            as_of(day(NOW + DAY))
        with pytest.raises(NotFound, match="in the future"):
            as_of("9999-12-31")
        as_of(day(NOW))

    @pytest.mark.parametrize("ecosystem", ["http", "any"])
    def test_a_mirror_of_files_knows_no_days(self, ecosystem: str) -> None:
        with pytest.raises(NotFound, match=f"ecosystem {ecosystem}"):
            as_of("2026-01-01", Mirror("o", ecosystem))

    def test_it_is_the_mirror_itself_but_for_its_gate(self) -> None:
        known = Mirror("o", "npm", ("https://upstream.test",), access="token", max_size=5)
        variant = as_of("2026-01-01", known)
        assert (variant.name, variant.access, variant.max_size) == ("o", "token", 5)
        assert frozen.plain(variant) == known
        assert variant.gate.fingerprint != as_of("2026-01-02", known).gate.fingerprint != ""


class TestVerdict:
    END = NOW - 30 * DAY

    def of(self, known: Policy | None = None, **dates: float | None) -> tuple[bool, str]:
        inner = OPEN if known is None else gate(known)
        said = Frozen(inner, AsOf(self.END, "then")).verdict(Artifact("pypi", "six", "1.0", **dates), NOW)
        return said.refused, said.rule

    def test_the_earlier_date_counts(self) -> None:
        assert self.of(published=self.END - 1) == (False, "none")
        assert self.of(published=self.END) == (True, "frozen")
        assert self.of(published=self.END + 9, first_seen=self.END - 1) == (False, "none")
        assert self.of(published=self.END - 1, first_seen=self.END + 9) == (False, "none")

    def test_no_date_is_as_the_policy_has_it(self) -> None:
        assert self.of() == (True, "unknown")
        assert self.of(Policy("pypi", unknown="pass")) == (False, "none")
        assert self.of(Policy("pypi", min_age=9.0, unknown="pass")) == (False, "unknown")
        assert self.of(published=-1.0) == (True, "unknown")

    def test_what_was_seen_before_was_there_and_what_was_seen_later_counts_where_that_is_a_date(self) -> None:
        assert self.of(first_seen=self.END - 1) == (False, "none")
        assert self.of(first_seen=self.END + 1) == (True, "unknown")
        assert self.of(Policy("pypi", dates="first-seen"), first_seen=self.END + 1) == (True, "frozen")

    def test_other_rules_stay_in_force_and_are_the_ones_that_are_told(self) -> None:
        denied = Policy("pypi", deny=(rule("six"),), min_age=9.0)
        assert self.of(denied, published=self.END - 1) == (True, "deny")
        assert self.of(denied, published=NOW) == (True, "deny")
        young = Policy("pypi", min_age=90 * DAY)
        assert self.of(young, published=self.END - 1) == (True, "cooldown")
        assert self.of(young, published=NOW) == (True, "frozen")

    def test_it_is_in_force_where_the_policy_is_not(self) -> None:
        assert self.of(Policy("pypi", mode="audit", min_age=9.0), published=NOW) == (True, "frozen")
