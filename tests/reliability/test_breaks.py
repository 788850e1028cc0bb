"""What is broken on purpose can still be broken so: the text is there, once, the tests too, and each row has a break.
That the tests turn red is seen by `python -m tests.reliability.breaks`, which takes an hour."""

from __future__ import annotations

import pytest

from tests.reliability.breaking import Run, judged
from tests.reliability.breaks import BREAKS, ROOT, Break, Change, main, named_in, of_row
from tests.reliability.failing import Failed
from tests.reliability.rows import ROWS


@pytest.mark.parametrize("each", BREAKS, ids=lambda each: each.why)
def test_a_break_still_applies_and_its_tests_are_there(each: Break) -> None:
    assert set(each.rows) <= ROWS.keys()
    for change in each.changes:
        assert change.applied(ROOT) != (ROOT / "mirror" / change.file).read_text()
    for test in each.tests:
        path, _, name = test.partition("[")[0].partition("::")
        known = named_in(path)
        assert name in ("", *known) or any(other.startswith(f"{name}::") for other in known), test


def test_no_two_breaks_are_the_same() -> None:
    assert len({(each.changes, each.tests) for each in BREAKS}) == len(BREAKS)
    assert len({each.why for each in BREAKS}) == len(BREAKS)


@pytest.mark.parametrize("number", [row.number for row in ROWS.values() if not row.without])
def test_each_row_that_has_tests_has_a_break(number: int) -> None:
    assert of_row(number), f"how do the tests of row {number} turn red? (tests/reliability/breaks.toml)"


def test_what_does_not_stand_there_once_is_no_break() -> None:
    for old in ("what is nowhere", "from"):
        with pytest.raises(ValueError, match="times"):
            Change("app.py", old, "").applied(ROOT)


@pytest.mark.parametrize(
    ("kind", "text", "red"),
    [
        ("AssertionError", "assert 1 == 2", True),
        ("Failed", "Timeout (>60.0s) from pytest-timeout.", True),
        ("OriginError", "the upstream is gone", True),
        ("ImportError", "cannot import name", False),
        ("NameError", "name 'x' is not defined", False),
        ("collection", "SyntaxError", False),
        ("AssertionError", "the server did not start: ...", False),
    ],
)
def test_a_program_that_is_none_any_more_is_no_proof(kind: str, text: str, red: bool) -> None:
    run = Run(1, frozenset(), (Failed("tests/test_a.py::test_b", kind, text),), 1.0, "")
    assert judged(run).red == red


def test_green_is_no_proof_and_what_does_not_come_to_an_end_is() -> None:
    assert not judged(Run(0, frozenset({"tests/test_a.py::test_b"}), (), 1.0, "1 passed")).red
    assert judged(Run(-1, frozenset(), (), 240.0, "")).red


def test_a_list_tells_each_break_of_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--row", "2", "--list"]) == 0
    told = capsys.readouterr().out
    assert [each.why in told for each in BREAKS] == [2 in each.rows for each in BREAKS]
