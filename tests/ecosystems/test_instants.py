"""Instants in documents: which texts name one, and how ours are written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import instants

AT = datetime(2026, 11, 28, 7, 22, 57, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-28T07:22:57Z", AT),
        ("2026-11-28T07:22:57+00:00", AT),
        ("2026-11-28T09:22:57.5+02:00", AT + 0.5),
        ("2026-11-28T07:22:57.250Z", AT + 0.25),
        ("2026-11-28T07:22:57.123456Z", AT + 0.123456),
        ("2026-11-28T07:22:57.123456789Z", AT + 0.123456),
    ],
)
def test_a_time_with_a_zone_is_an_instant(text: str, expected: float) -> None:
    """PROTOCOLS G.6."""
    assert instants.seconds(text) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-28T07:22:57", "2026-11-28", "", "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+25:00"),
        *("1700000000", 1700000000, None, True, {}, [], "\ud800", "2026-11-28T07:22:57ZZ", "2026-11-28T07:22:61Z"),
    ],
)
def test_what_names_no_instant_is_none(text: object) -> None:
    assert instants.seconds(text) is None


@given(st.text() | st.datetimes(timezones=st.timezones()).map(datetime.isoformat))
def test_no_text_breaks_it(text: str) -> None:
    assert isinstance(instants.seconds(text), float | None)


@given(st.floats(0, 4e9))
def test_what_is_written_is_read_to_the_millisecond(instant: float) -> None:
    text = instants.written(instant)
    assert text.endswith("Z")
    assert instants.seconds(text) == pytest.approx(instant, abs=0.001)
