"""What is left under a view of what a search finds, and of the list of all packages."""

from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest

from mirror.ecosystems.instants import written
from mirror.ecosystems.searches import shown
from mirror.ecosystems.views import View
from mirror.errors import OriginError
from mirror.model import Headers
from mirror.policy.artifact import Artifact, Verdict
from mirror.policy.names import selector
from tests.policy.builders import DAY, NOW, advisory, exemption, gatekeeper, rule

JSON = Headers((("content-type", "application/json"),))
WEEK = 7 * DAY


def package(name: str = "six", version: str = "2.0.0", days: float = 30.0, **more: Any) -> dict[str, Any]:
    links = {"npm": f"https://registry.example.com/{name}"}
    return {"name": name, "version": version, "date": written(NOW - days * DAY), "links": links} | more


def view(*advisories: dict[str, Any], **policy: Any) -> View:
    known = gatekeeper("npm", *advisories, **policy)
    return lambda artifact: known.verdict(artifact, NOW)


def searched(*packages: Any, seen: View | None, housed: bool = False) -> list[Any]:
    """The packages that a search shows."""
    document = {"objects": [{"package": each, "score": 1} for each in packages], "total": 70, "time": "now"}
    told = json.loads(shown(json.dumps(document).encode(), JSON, view=seen, housed=housed).body)
    assert (told["total"], told["time"]) == (70, "now")
    assert all(each["score"] == 1 for each in told["objects"])
    return [each["package"] for each in told["objects"]]


OTHER = package("seven")
MALICIOUS = {"name": "MAL-1", "ecosystem": "npm", "kind": "SEMVER"}
WHOLE: dict[str, View] = {
    "deny": view(deny=(rule("six"),)),
    "malicious": view(advisory("six", ("introduced", "0"), **MALICIOUS)),
    "private": view(private=(selector("six"),)),
    "private, and the house has one": view(private=(selector("six"),), housed=True),
    "allow": view(allow=(rule("seven"),)),
}


@pytest.mark.parametrize("why", WHOLE)
def test_a_package_that_nobody_gets_is_not_found(why: str) -> None:
    assert searched(package(), OTHER, seen=WHOLE[why]) == [OTHER]


@pytest.mark.parametrize("why", WHOLE)
def test_nor_is_it_in_a_list_of_all(why: str) -> None:
    every = {"_updated": 5, "six": package(), "seven": OTHER}
    assert json.loads(shown(json.dumps(every).encode(), JSON, view=WHOLE[why]).body) == {"_updated": 5, "seven": OTHER}
    several = [package(), OTHER, "six"]
    assert json.loads(shown(json.dumps(several).encode(), JSON, view=WHOLE[why]).body) == [OTHER]


def test_the_house_finds_its_own() -> None:
    assert searched(package(), seen=WHOLE["private, and the house has one"], housed=True) == [package()]


@pytest.mark.parametrize(
    "held",
    [
        view(min_age=60 * DAY),
        view(deny=(rule("six", ecosystem="npm", versions=">=2"),)),
        view(advisory("six", versions=["2.0.0"], **MALICIOUS)),
        view(deny=(rule("six", licenses="MIT"),)),
    ],
)
def test_of_a_version_that_is_refused_nothing_is_told(held: View) -> None:
    stated = package(license="MIT", description="two and three", dist={"tarball": "x"}, dependencies={"x": "1"})
    (told,) = searched(stated, seen=held)
    assert told == {"name": "six", "links": stated["links"], "description": "two and three"}


def test_one_that_gets_through_is_told_as_it_is() -> None:
    stated = package(days=2, license="MIT", keywords=["x"])
    for let in (view(min_age=WEEK, exempt=(exemption("six"),)), view(min_age=WEEK, mode="audit"), None):
        assert searched(stated, seen=let) == [stated]
    assert searched(package(days=8), seen=view(min_age=WEEK)) == [package(days=8)]


def test_of_a_package_allowed_in_some_versions_the_others_are_not_told() -> None:
    seen = view(allow=(rule("six", ecosystem="npm", versions="2.x"),))
    assert searched(package(), package("six", "3.0.0"), seen=seen) == [package()]


def test_what_has_no_date_is_held_as_everywhere() -> None:
    undated = {"name": "six", "version": "2.0.0"}
    assert searched(undated, seen=view(min_age=WEEK)) == [{"name": "six"}]
    assert searched(undated, seen=view(min_age=WEEK, unknown="pass")) == [undated]


def test_tags_of_refused_versions_are_left_out_of_a_list() -> None:
    named = {"versions": {"2.0.0": "latest", "1.0.0": "old"}, "dist-tags": {"latest": "2.0.0", "old": "1.0.0"}}
    times = {"1.0.0": written(NOW - 90 * DAY), "2.0.0": written(NOW - DAY), "modified": written(NOW)}
    told = json.loads(shown(json.dumps({"six": named | {"time": times}}).encode(), JSON, view=view(min_age=WEEK)).body)
    assert told["six"]["versions"] == {"1.0.0": "old"}
    assert told["six"]["dist-tags"] == {"old": "1.0.0"}
    assert [*told["six"]["time"]] == ["1.0.0", "modified"]


@pytest.mark.parametrize(("days", "told"), [(30, ["2.0.0"]), (2, [])])
def test_no_version_is_newer_than_the_last_change(days: float, told: list[str]) -> None:
    listed = {"six": {"versions": {"2.0.0": "latest"}, "time": {"modified": written(NOW - days * DAY)}}}
    found = json.loads(shown(json.dumps(listed).encode(), JSON, view=view(min_age=WEEK)).body)
    assert [*found["six"]["versions"]] == told


def test_it_changes_when_something_matures() -> None:
    document = json.dumps({"objects": [{"package": package(days=2)}, {"package": package("x", days=4)}]}).encode()
    assert shown(document, JSON, view=view(min_age=WEEK)).until == NOW + 3 * DAY
    assert shown(document, JSON).until == inf


def test_what_names_no_package_is_not_told() -> None:
    assert searched("six", None, {}, {"name": 5}, {"name": "a\nb"}, OTHER, seen=view(min_age=WEEK)) == [OTHER]


def test_a_package_that_is_listed_under_another_name_is_judged_by_both() -> None:
    for name, stated in (("six", "seven"), ("seven", "six")):
        every = json.dumps({name: package(stated)}).encode()
        assert json.loads(shown(every, JSON, view=WHOLE["deny"]).body) == {}


def test_the_date_of_a_version_and_its_license_are_what_is_judged() -> None:
    asked: list[Artifact] = []

    def remembered(artifact: Artifact) -> Verdict:
        asked.append(artifact)
        return Verdict(True, "none")

    assert searched(package(license="MIT"), seen=remembered) == [package(license="MIT")]
    assert asked[-1] == Artifact("npm", "six", "2.0.0", published=NOW - 30 * DAY, license="MIT")


@pytest.mark.parametrize("document", [b"<html>", b"5", b'"x"', b'{"objects"', b"[" * 100_000])
def test_what_is_no_list_is_the_origins_fault(document: bytes) -> None:
    with pytest.raises(OriginError):
        shown(document, JSON)


@pytest.mark.parametrize("version", [{"x": 1}, ["2.0.0"], None, 7])
def test_a_tag_that_names_no_version_breaks_nothing(version: Any) -> None:
    """Found by fuzzing: what is no text cannot be looked up among the refused."""
    tagged = package("six", **{"dist-tags": {"latest": "2.0.0", "odd": version}})
    (told,) = searched(tagged, seen=view(deny=(rule("pkg:npm/six@2.0.0"),)))
    assert told["dist-tags"] == {"odd": version}
