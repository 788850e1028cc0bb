"""npm's dist-tags where versions are hidden: moved as npm itself picks a version, or dropped."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems.dist_tags import precedence, remapped

ORDER = (
    *("0.0.1", "1.0.0-0", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta"),
    *("1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1-canary-3", "1.0.9", "1.0.10", "1.9.0", "10.0.0"),
)


def moved(tags: dict[str, object], hidden: set[str], visible: str, deprecated: str = "") -> dict[str, object]:
    return remapped(tags, hidden, {name: name in deprecated.split() for name in visible.split()})


def rank(version: str) -> object:
    found = precedence(version)
    assert found is not None
    return found.rank


def test_versions_are_in_the_order_of_semantic_versioning() -> None:
    for lower, higher in pairwise(ORDER):
        assert rank(lower) < rank(higher), (lower, higher)  # type: ignore[operator]
    assert rank("v1.0.0+build.5") == rank(" =1.0.0")


@pytest.mark.parametrize("text", ["", "1", "1.0", "1.0.0.0", "latest", "1.0.x", "1.0.0-ä", "1.0.0-", "9" * 17 + ".0.0"])
def test_what_npm_cannot_order_has_no_place(text: str) -> None:
    assert precedence(text) is None


def test_latest_is_the_highest_release_below_the_hidden_one() -> None:
    """PROTOCOLS B.3.10."""
    assert moved({"latest": "2.0.0"}, {"2.0.0"}, "1.0.0 1.2.0 1.10.0 1.9.0") == {"latest": "1.10.0"}


def test_a_back_port_that_was_published_later_is_not_latest() -> None:
    # git-pkgs takes the newest by time, and gets 1.9.9, which was published after 2.0.0.
    """PROTOCOLS I.npm."""
    assert moved({"latest": "2.1.0"}, {"2.1.0"}, "2.0.0 1.9.9") == {"latest": "2.0.0"}


def test_a_version_above_the_hidden_one_is_not_latest() -> None:
    assert moved({"latest": "1.5.0"}, {"1.5.0"}, "1.4.0 2.0.0") == {"latest": "1.4.0"}


def test_a_prerelease_is_not_latest_though_it_is_the_highest() -> None:
    # bokuweb/sakimori#14: latest became a canary.
    """PROTOCOLS I.npm."""
    assert moved({"latest": "2.0.0"}, {"2.0.0"}, "1.4.0 2.0.0-canary.1") == {"latest": "1.4.0"}
    assert moved({"latest": "2.0.0"}, {"2.0.0"}, "2.0.0-rc.1 3.0.0") == {}


def test_latest_that_was_a_prerelease_itself_stays_in_its_line_where_there_is_no_release() -> None:
    assert moved({"latest": "1.0.0-beta.3"}, {"1.0.0-beta.3"}, "1.0.0-beta.2 1.0.0-alpha.9") == {
        "latest": "1.0.0-beta.2"
    }
    assert moved({"latest": "1.0.0-beta.3"}, {"1.0.0-beta.3"}, "1.0.0-beta.2 0.9.0") == {"latest": "0.9.0"}


def test_other_tags_stay_in_the_line_of_the_version_that_they_named() -> None:
    """PROTOCOLS B.3.10."""
    visible = "3.0.0-beta.2 3.0.0-beta.10 3.0.0-rc.1 2.9.0 1.5.0 0.0.0-canary-abc"
    tags: dict[str, object] = {
        "next": "3.0.0-beta.11",
        "old": "1.6.0",
        "canary": "0.0.0-canary-def",
        "x": "3.0.0-dev.1",
    }
    assert moved(tags, set(map(str, tags.values())), visible) == {
        "next": "3.0.0-beta.10",
        "old": "1.5.0",
        "canary": "0.0.0-canary-abc",
    }


def test_a_deprecated_version_is_taken_only_where_all_are() -> None:
    assert moved({"latest": "2.0.0"}, {"2.0.0"}, "1.0.0 1.1.0", "1.1.0") == {"latest": "1.0.0"}
    assert moved({"latest": "2.0.0"}, {"2.0.0"}, "1.0.0 1.1.0", "1.0.0 1.1.0") == {"latest": "1.1.0"}


def test_what_names_a_visible_version_or_none_stays() -> None:
    tags: dict[str, object] = {"latest": "1.0.0", "gone": "9.9.9", "odd": 5, "none": None}
    assert moved(tags, {"2.0.0"}, "1.0.0") == tags


def test_a_hidden_version_that_cannot_be_ordered_leaves_no_tag() -> None:
    assert moved({"latest": "1.0"}, {"1.0"}, "0.9.0") == {}


VERSIONS = st.sampled_from([*ORDER, "odd", "1.0"])


@given(st.dictionaries(st.sampled_from(["latest", "next", "old"]), VERSIONS), st.sets(VERSIONS), st.sets(VERSIONS))
def test_every_tag_names_a_visible_version_not_above_the_one_it_named(
    tags: dict[str, object], hidden: set[str], visible: set[str]
) -> None:
    """PROTOCOLS B.3.10."""
    known = dict.fromkeys(sorted(visible - hidden), False)
    found = remapped(tags, hidden, known)
    assert [tag for tag in tags if tag in found] == list(found)
    for tag, version in found.items():
        before = str(tags[tag])
        if before not in hidden:
            assert version == before
        else:
            assert version in known
            assert rank(str(version)) <= rank(before)  # type: ignore[operator]
