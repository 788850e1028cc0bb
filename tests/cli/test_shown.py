"""Sizes, spans and tables as people read them."""

from __future__ import annotations

import pytest

from mirror.cli import shown


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0B"),
        (999, "999B"),
        (1000, "1.0kB"),
        (99_949, "99.9kB"),
        (100_000, "100kB"),
        (999_400, "999kB"),
        (999_600, "1.0MB"),
        (50 * 10**9, "50.0GB"),
        (10**18, "1000PB"),
    ],
)
def test_sizes(count: float | None, text: str) -> None:
    assert shown.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0s"),
        (0.46, "0.5s"),
        (9.96, "10s"),
        (59.6, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (3661, "1h1m"),
        (86400 * 3 + 3600 * 4, "3d4h"),
        (86400 + 5, "1d"),
        (-90, "-1m30s"),
    ],
)
def test_spans(seconds: float | None, text: str) -> None:
    assert shown.span(seconds) == text


def test_plain_tables_are_aligned_and_as_wide_as_they_have_to_be() -> None:
    rows = [["1", "a" * 300], ["100", "[red]b\x1b[0m"]]
    told = shown.table(("n", "key"), rows, right="r")
    assert str(told) == f"  n  key\n  1  {'a' * 300}\n100  [red]b\ufffd[0m"
