"""The scorecard's own tools: markers, figures and outcomes come through to the page."""

from __future__ import annotations

from tests.reliability.breaks import of_row
from tests.reliability.page import page
from tests.reliability.rows import GROUPS, ROWS
from tests.reliability.seen import Outcome, Seen

MACHINE = ("2026-01-02",), ("2 cores",)


def section(text: str, number: int) -> str:
    return text.partition(f'<a id="row-{number}">')[2].partition("### ")[0]


def test_every_row_has_one_number_a_name_and_a_promise() -> None:
    rows = [row for group in GROUPS for row in group.rows]
    assert len(ROWS) == len(rows)
    assert all(row.name and row.promise.endswith((".", "it.")) for row in rows)


def test_a_row_holds_when_its_tests_passed_and_tells_its_figures_once_and_only_its_own_size() -> None:
    node = "tests/test_a.py::test_b"
    outcomes = [Outcome(f"{node}[{n}]", {3: "two places", 4: ""}, "passed", ("0 kept",)) for n in (1, 2)]
    text = page(Seen(*MACHINE, tuple(outcomes)))
    assert "Seen: **holds in part (2 cases)**" in section(text, 3)
    assert "Seen: **holds (2 cases)**" in section(text, 4)
    assert section(text, 3).count("- 0 kept\n") == section(text, 3).count("- two places\n") == 1
    assert f"- `{node}`, 2 cases\n" in section(text, 3)
    assert "two places" not in section(text, 4)
    assert "**no test**" in section(text, 5)


def test_a_row_that_has_tests_tells_how_they_were_seen_red() -> None:
    text = page(Seen(*MACHINE, (Outcome("a.py::test_a", {3: ""}, "passed"),)))
    assert f"Seen red: {'; '.join(each.why for each in of_row(3))}.\n" in section(text, 3)
    assert "Seen red" not in section(text, 4)


def test_one_failure_is_a_row_that_fails_and_a_skip_alone_shows_nothing() -> None:
    outcomes = (
        Outcome("a.py::test_a", {3: ""}, "passed"),
        Outcome("a.py::test_b", {3: ""}, "failed"),
        Outcome("a.py::test_c", {4: ""}, "skipped", why="no nginx here"),
    )
    text = page(Seen(*MACHINE, outcomes))
    assert "Seen: **fails (1 of 2 cases)**" in section(text, 3)
    assert "Seen: **not run**" in section(text, 4)
    assert "no nginx here" in section(text, 4)
