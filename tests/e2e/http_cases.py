"""All cases of `test_http.py` by area, and the page made of them: `python -m tests.e2e.http_cases > docs/http.md`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.e2e import (
    http_client,
    http_conditions,
    http_forwarding,
    http_freshness,
    http_keys,
    http_ranges,
    http_stale,
    http_storing,
    http_validation,
)
from tests.e2e.http_steps import Case

AREAS: dict[str, tuple[Case, ...]] = {
    "Storing": http_storing.CASES,
    "Keys": http_keys.KEYS,
    "Invalidation": http_keys.INVALIDATION,
    "Freshness": http_freshness.CASES,
    "Stale answers": http_stale.CASES,
    "Directives of clients": http_stale.CLIENTS,
    "Validation with the origin": http_validation.CASES,
    "Conditions of clients": http_conditions.CASES,
    "Ranges": http_ranges.CASES,
    "What goes to the origin and back": (*http_forwarding.METHODS, *http_forwarding.FIELDS),
    "Where a body ends": http_forwarding.FRAMING,
    "What a client sees": http_client.CASES,
}

CASES = tuple(case for cases in AREAS.values() for case in cases)

COMMAND = "python -m tests.e2e.http_cases > docs/http.md"

INTRODUCTION = f"""\
# HTTP, clause by clause

What an `http` mirror does with a request and with an answer, and where the rule stands: it is a shared cache in the
sense of RFC 9111. Each line is shown by tests of `tests/e2e/test_http.py`, which run through a real server and a
scripted origin on sockets (`scripts/test tests/e2e/test_http.py -k NAME` runs one of them). The clauses are those of
RFC 9110 (HTTP), 9111 (caching), 9112 (HTTP/1.1), 5861 (stale answers), 8246 (`immutable`), 9211 (`Cache-Status`), 9213
(`CDN-Cache-Control`), and of those named beside them.

Where we do other than a clause recommends or allows, or are stricter, it stands with its reason under
[Departures](#departures). Package mirrors (`pypi`, `npm`, `apt`) overrule the origin's freshness by rules of their own;
this page is not about them.

This page is made from the table of the tests; do not edit it: `{COMMAND}`.
"""


def document() -> str:
    """The page."""
    return "\n".join(_paragraphs())


def _paragraphs() -> Iterator[str]:
    yield INTRODUCTION
    for area, cases in AREAS.items():
        yield f"## {area}\n\n| clause | what we do | test |\n|---|---|---|"
        yield from (f"| {clause} | {says} | {_names(names)} |" for (clause, says), names in _grouped(cases).items())
        yield ""
    yield "## Departures\n"
    reasons: defaultdict[str, list[Case]] = defaultdict(list)
    for case in CASES:
        if case.departs:
            reasons[case.departs].append(case)
    for reason, cases in reasons.items():
        first = cases[0]
        yield f"- **{first.clause}**: {_text(first.says)} {reason} ({_names([case.name for case in cases])})"
    yield ""


def _grouped(cases: tuple[Case, ...]) -> dict[tuple[str, str], list[str]]:
    """The names of the tests by clause and sentence."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for case in cases:
        found[case.clause, _text(case.says)].append(case.name)
    return found


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _text(says: str) -> str:
    return says.replace("|", "\\|")


if __name__ == "__main__":
    print(document(), end="")
