"""docs/reliability.md has every row, and each has tests that there are, or a reason why there are none."""

from __future__ import annotations

import re

import pytest

from tests.reliability.breaks import ROOT, named_in
from tests.reliability.rows import ROWS

PAGE = (ROOT / "docs" / "reliability.md").read_text()
SECTION = re.compile(r'^### <a id="row-(\d+)"></a>\d+\. (.*?)$(.*?)(?=^##|\Z)', re.MULTILINE | re.DOTALL)
SECTIONS = {int(number): (name, text) for number, name, text in SECTION.findall(PAGE)}


def test_the_page_has_every_row_and_no_other() -> None:
    assert {number: name for number, (name, _) in SECTIONS.items()} == {row.number: row.name for row in ROWS.values()}


@pytest.mark.parametrize("number", ROWS)
def test_a_row_has_tests_that_there_are_or_a_reason(number: int) -> None:
    _, text = SECTIONS[number]
    assert ROWS[number].promise in text
    named = re.findall(r"^- `(tests/[^`]+?\.py)::([^`]+)`", text, re.MULTILINE)
    for path, test in named:
        assert test in named_in(path), f"{path}::{test}: make the page again (it says how)"
    assert named or (ROWS[number].without and ROWS[number].without in text)


def test_no_row_fails() -> None:
    assert "**fails" not in PAGE
    assert "| fails" not in PAGE


def test_the_page_names_no_machine_and_is_in_the_contents() -> None:
    assert not re.search(r"/(home|root|work|tmp)/", PAGE)
    for name in ("reliability.md", "security.md"):
        assert name in (ROOT / "mkdocs.yml").read_text()


def test_what_security_md_leans_on_is_there() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    for number in re.findall(r"reliability\.md#row-(\d+)", text):
        assert int(number) in ROWS
    for path in re.findall(r"`(tests/[^`]+\.py)`", text):
        assert (ROOT / path).exists(), path
