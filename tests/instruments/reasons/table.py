"""All reasons as one table; `python -m tests.instruments.reasons.table` prints it as docs/differential.md has it."""

from __future__ import annotations

from ..differences import Difference
from . import of_both, of_nginx, of_squid
from .reason import Reason

REASONS = (*of_both.REASONS, *of_nginx.REASONS, *of_squid.REASONS)

INTRODUCTION = """# The mirror beside nginx and Squid

`tests/e2e/test_differential.py` sends the same 500 generated exchanges through an `http` mirror, Debian's nginx and
Debian's Squid, each in front of the same origin, and compares whether the origin was asked (and conditionally), the
status, the body, the ETag and whether there is an Age. Each difference is covered by a row below, and each row by a
predicate (`tests/instruments/reasons/`). nginx and Squid are set up as in `tests/instruments/peers.py`: no lifetimes of
their own.
"""


def explain(difference: Difference) -> Reason | None:
    """The first reason that covers it."""
    return next((reason for reason in REASONS if reason.covers(difference)), None)


def page() -> str:
    """The page as Markdown."""
    rows = [f"| {', '.join(r.peers)} | {r.name} | {r.clause} | {r.right} |" for r in REASONS]
    head = ["| cache | what it does otherwise | clause | as the clause has it |", "|---|---|---|---|"]
    return "\n".join([INTRODUCTION, *head, *rows, ""])


if __name__ == "__main__":
    print(page(), end="")
