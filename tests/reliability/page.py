"""Prints docs/reliability.md from what runs have shown, as JSON: `python -m tests.reliability.page FILE...`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.report import results
from tests.reliability.breaks import of_row
from tests.reliability.rows import GROUPS, ROWS, Row
from tests.reliability.seen import Outcome, Seen, read

_HEAD = """\
# What it holds against

Nothing is believed here that a test does not show. Each row below is a promise for the case that something goes wrong
(a killed process, a full disk, an upstream that lies, an attack), with the tests that show it, what they showed last,
and what is known of others. The tests run in CI with all the others; "not run" is said of this page's run alone.

This page is made from a run of these tests: seen {days} on {machines}. All tests of all rows, and the page anew:

    MIRROR_TEST_ROWS=rows.json scripts/test -m row
    .venv/bin/python -m tests.reliability.page rows.json > docs/reliability.md

A test that cannot fail shows nothing. "Seen red" says how the code was broken on purpose, and that a test of the row
noticed it. That can be seen again, for all rows (an hour) or for one (`--row 41`):

    .venv/bin/python -m tests.reliability.breaks

"Holds in part": the tests show it at a smaller size than is promised, or a part of it; the lines below say which.
Peers were read (source, documentation, bug trackers), not run, unless it says "measured" or "side by side": there they
stand before the same origin, set up as their manuals say.
"""


def page(seen: Seen) -> str:
    return "\n".join(_lines(seen))


def _lines(seen: Seen) -> Iterator[str]:
    yield _HEAD.format(days=_and(seen.days), machines=_and(seen.machines))
    shown = {number: [one for one in seen.outcomes if number in one.rows] for number in ROWS}
    for group in GROUPS:
        yield from (f"## {group.name}", "", "| | row | seen |", "|---|---|---|")
        for row in group.rows:
            yield f"| {row.number} | [{row.name}](#row-{row.number}) | {_verdict(row, shown[row.number])} |"
        yield ""
    for group in GROUPS:
        yield from (f"## {group.name}, row by row", "")
        for row in group.rows:
            yield from _section(row, shown[row.number])


def _section(row: Row, outcomes: list[Outcome]) -> Iterator[str]:
    yield from (f'### <a id="row-{row.number}"></a>{row.number}. {row.name}', "", row.promise, "")
    yield from (f"Seen: **{_verdict(row, outcomes)}**.", "")
    figures = dict.fromkeys(text for one in outcomes for text in (one.rows[row.number], *one.figures) if text)
    if figures:
        yield from (*(f"- {figure}" for figure in figures), "")
    for reason in filter(None, (row.lacking, "" if outcomes else row.without)):
        yield from (f"Not shown: {reason}", "")
    if outcomes:
        yield from (f"Tests (`scripts/test --row={row.number}`):", "", *_tests(outcomes), "")
    if outcomes and (breaks := of_row(row.number)):
        yield from (f"Seen red: {'; '.join(each.why for each in breaks)}.", "")
    yield from (f"Peers: {row.peers or 'not looked at.'}", "")
    if measured := [f"{name}: {told[str(row.number)]}" for name, told in _peers().items() if str(row.number) in told]:
        yield from (f"Side by side (`python -m bench.peers`): {'; '.join(measured)}.", "")


def _peers() -> dict[str, dict[str, str]]:
    """What was seen of each cache, by the row's number."""
    kept = results.load("peers") or {}
    seen: dict[str, dict[str, str]] = kept.get("seen", {})
    return seen


def _tests(outcomes: list[Outcome]) -> Iterator[str]:
    for test in dict.fromkeys(one.test for one in outcomes):
        cases = [one for one in outcomes if one.test == test]
        times = f", {len(cases)} cases" if len(cases) > 1 else ""
        bad = [f"{one.outcome}{': ' + one.why if one.why else ''}" for one in cases if one.outcome != "passed"]
        yield f"- `{test}`{times}{' (' + '; '.join(dict.fromkeys(bad)) + ')' if bad else ''}"


def _verdict(row: Row, outcomes: list[Outcome]) -> str:
    """A word or two for a row. It holds as promised where a test that ran names no smaller size."""
    ran = [one for one in outcomes if one.outcome != "skipped"]
    if not ran:
        return "not run" if outcomes else "no test"
    cases = f"{len(ran)} case{'s' * (len(ran) > 1)}"
    if failed := sum(one.outcome == "failed" for one in ran):
        return f"fails ({failed} of {cases})"
    whole = not row.lacking and any(not one.rows[row.number] for one in ran)
    return f"{'holds' if whole else 'holds in part'} ({cases})"


def _and(texts: tuple[str, ...]) -> str:
    return " and ".join(texts)


if __name__ == "__main__":
    sys.stdout.write(page(read(map(Path, sys.argv[1:]))))
