"""Globs over addresses, beside a slow matcher that says what they mean."""

from __future__ import annotations

import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.errors import RequestError
from mirror.operations.globs import beginning, compiled


def means(glob: str, text: str) -> bool:
    """What a glob of letters, slashes, `?`, `*` and `**` means, by trying everything."""

    @cache
    def at(g: int, t: int) -> bool:
        if g == len(glob):
            return t == len(text)
        if glob[g] == "*":
            stars = len(glob[g:]) - len(glob[g:].lstrip("*"))
            crosses = stars > 1
            if at(g + stars, t):
                return True
            return t < len(text) and (crosses or text[t] != "/") and at(g, t + 1)
        return t < len(text) and (glob[g] == text[t] or (glob[g] == "?" and text[t] != "/")) and at(g + 1, t + 1)

    return at(0, 0)


@pytest.mark.parametrize(
    ("glob", "address", "matches"),
    [
        ("/o/*.deb", "/o/a.deb", True),
        ("/o/*.deb", "/o/pool/a.deb", False),
        ("/o/**.deb", "/o/pool/a.deb", True),
        ("/o/**", "/o/", True),
        ("/o/a?c", "/o/abc", True),
        ("/o/a?c", "/o/a/c", False),
        ("/o/a?x=1", "/o/a?x=1", True),  # the question mark of a query is a character, too
        ("/o/[ab]x", "/o/bx", True),
        ("/o/[!ab]x", "/o/bx", False),
        ("/o/[!ab]x", "/o//x", False),
        ("/o/[a-c]x", "/o/cx", True),
        ("/o/[]x]", "/o/]", True),
        ("/o/[^a]", "/o/b", True),
        ("/o/a.b", "/o/axb", False),
        ("/o/a", "/o/a\n", False),
        ("/O/*", "/o/a", False),
        ("**/six-1.0*", "/pypi/files/x/six-1.0.tar.gz", True),
        ("**a**b**", "/aba", True),
        ("**/a*b", "/ax/ab", True),  # the first `/a` is not the one
    ],
)
def test_what_matches(glob: str, address: str, matches: bool) -> None:
    assert (compiled(glob).match(address) is not None) is matches


@given(st.text("ab/*?", max_size=10), st.text("ab/", max_size=12))
def test_it_means_what_trying_everything_says(glob: str, text: str) -> None:
    assert (compiled(glob).match(text) is not None) is means(glob, text)


@pytest.mark.parametrize("glob", ["/o/[ab", "/o/[z-a]", "/o/[", "/o/[]"])
def test_a_bad_set_is_named(glob: str) -> None:
    with pytest.raises(RequestError, match=r"\["):
        compiled(glob)


def test_many_stars_take_no_time() -> None:
    pattern = compiled("/o/" + "**a*" * 300 + "b")
    began = time.process_time()
    assert pattern.match("/o/" + "a/" * 1000) is None
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("glob", "start"), [("/o/a*b", "/o/a"), ("/o/a", "/o/a"), ("**", ""), ("/o/[a]", "/o/"), ("/o/a?", "/o/a")]
)
def test_what_all_that_matches_begins_with(glob: str, start: str) -> None:
    assert beginning(glob) == start
