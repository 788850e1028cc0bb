"""The rules allocate nothing for fields that they do not ask for: an answer with hundreds of them costs no memory."""

from __future__ import annotations

import tracemalloc

import pytest

from mirror.httpcache.decision import Hit, before
from mirror.model import Rule
from tests.httpcache.builders import NOW, date, entry, plan, request

RULES = [Rule(), Rule(ttl=600.0), Rule(ttl=600.0, package=True)]


def allocated(fields: int, rule: Rule, **fresh: str) -> int:
    """The most bytes that a decision about an answer with so many further fields held at once."""
    further = {f"x_{number}": "value" for number in range(fields)}
    stored, asked, planned = entry(200, NOW, **further, **fresh), request(cache_control="max-age=60"), plan(rule)
    assert isinstance(before(asked, planned, stored, NOW + 1), Hit)
    tracemalloc.start()
    try:
        before(asked, planned, stored, NOW + 1)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fresh", [{"cache_control": "max-age=60, public"}, {"expires": date(60)}])
def test_no_rule_allocates_per_stored_field(rule: Rule, fresh: dict[str, str]) -> None:
    assert allocated(500, rule, **fresh) <= allocated(5, rule, **fresh) + 100
