"""What is left of a packument under a view: versions, times, dist-tags, one version's manifest; and dates added."""

from __future__ import annotations

import json
import shutil
import subprocess
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import packuments
from mirror.ecosystems.instants import written
from mirror.ecosystems.views import Seen, View, artifact
from mirror.errors import NotFound, OriginError, Withheld
from mirror.model import Headers, Rewritten
from mirror.policy.artifact import Artifact
from tests.ecosystems.test_packument_bytes import documents
from tests.ecosystems.test_packument_bytes import written as json_text
from tests.ecosystems.views import DAY, NOW, Hiding, cooldown, everything, versions

OURS = "http://host:8000/npm"
CORGI = Headers.of({"content-type": packuments.ABBREVIATED})
AGES = {"1.0.0": 900.0, "1.1.0": 400.0, "2.0.0-rc.1": 30.0, "2.0.0": 20.0, "1.1.1": 5.0, "2.1.0": 1.0}


def at(days: float) -> str:
    return written(NOW - days * DAY)


def packument(ages: dict[str, float | None], **more: Any) -> dict[str, Any]:
    """A package `six` with versions of these ages in days."""
    dist = {name: {"tarball": f"https://upstream.test/six/-/six-{name}.tgz"} for name in ages}
    known = {name: at(days) for name, days in ages.items() if days is not None}
    return {
        "_id": "six",
        "name": "six",
        "dist-tags": {"latest": list(ages)[-1], "next": "2.0.0-rc.1"},
        "versions": {name: {"name": "six", "version": name, "license": "MIT", "dist": dist[name]} for name in ages},
        "time": {"created": at(1000), "modified": at(0.5)} | known,
        "readme": "größe 1.50",
    } | more


def made(
    document: object, view: View | None = None, seen: Seen | None = None, fields: Headers = Headers(), **more: bool
) -> Rewritten:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return packuments.rewritten(body, fields, package="six", mount=OURS, view=view, seen=seen, dates=seen, **more)


def read(*args: Any, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made(*args, **more).body)
    return found


def manifest(wanted: str, view: View | None) -> dict[str, Any]:
    body = json.dumps(packument(AGES)).encode()
    made = packuments.manifest(body, Headers(), package="six", mount=OURS, wanted=wanted, view=view)
    found: dict[str, Any] = json.loads(made.body)
    return found


def tags(document: object, view: View | None) -> dict[str, str]:
    body = json.dumps(document).encode()
    found: dict[str, str] = json.loads(packuments.tags(body, Headers(), package="six", view=view).body)
    return found


class TestHidden:
    def test_a_version_that_is_too_young_is_gone_from_everywhere(self) -> None:
        found = read(packument(AGES), cooldown(3))
        assert list(found["versions"]) == ["1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0", "1.1.1"]
        assert list(found["time"]) == ["created", "modified", "1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0", "1.1.1"]
        assert found["dist-tags"] == {"latest": "2.0.0", "next": "2.0.0-rc.1"}
        assert "2.1.0" not in json.dumps(found | {"policyRestrictions": None})

    def test_the_time_of_the_last_change_is_that_of_the_newest_version_left(self) -> None:
        found = read(packument(AGES, modified=at(0.5)), cooldown(3))
        assert found["time"]["modified"] == found["modified"] == at(5)
        assert found["time"]["created"] == at(1000)
        assert read(packument(AGES, modified=at(0.5)), cooldown(3), short=True)["modified"] == at(5)

    def test_where_no_version_left_has_a_time_the_last_change_stays(self) -> None:
        found = read(packument({"1.0.0": None, "2.0.0": 1.0}), versions({"2.0.0"}))
        assert found["time"]["modified"] == at(0.5)

    def test_the_short_form_has_the_same_versions_and_tags(self) -> None:
        long, short = read(packument(AGES), cooldown(10)), read(packument(AGES), cooldown(10), short=True)
        assert list(short["versions"]) == list(long["versions"]) == ["1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0"]
        assert short["dist-tags"] == long["dist-tags"] == {"latest": "2.0.0", "next": "2.0.0-rc.1"}
        assert short["policyRestrictions"] == long["policyRestrictions"]
        assert "time" not in short

    def test_a_short_document_of_the_origin_is_filtered_too(self) -> None:
        document = packument(AGES, modified=at(0.5))
        del document["time"]
        found = made(document, versions({"2.1.0"}), fields=CORGI, short=True)
        assert found.content_type == packuments.ABBREVIATED
        document = json.loads(found.body)
        assert "2.1.0" not in document["versions"]
        assert document["dist-tags"]["latest"] == "2.0.0"

    def test_a_tag_for_which_there_is_no_stand_in_is_dropped(self) -> None:
        """PROTOCOLS I.npm."""
        assert read(packument(AGES), versions({"2.0.0-rc.1"}))["dist-tags"] == {"latest": "2.1.0"}
        assert tags(packument(AGES), versions({"2.0.0-rc.1"})) == {"latest": "2.1.0"}
        assert tags(packument(AGES), cooldown(25)) == {"latest": "1.1.0", "next": "2.0.0-rc.1"}
        assert tags(packument(AGES), None) == packument(AGES)["dist-tags"]

    def test_npm_is_told_why(self) -> None:
        restricted = read(packument(AGES), versions({"2.1.0", "1.1.1"}))["policyRestrictions"]
        assert restricted == {
            "message": "six 1.1.1 is hidden\nsix 2.1.0 is hidden",
            "versions": {name: {"name": "six", "version": name} for name in ("1.1.1", "2.1.0")},
        }

    def test_of_many_reasons_the_last_ones_are_told(self) -> None:
        ages = {f"1.0.{n}": 1.0 for n in range(30)}
        message = read(packument(ages), Hiding(lambda one: one.version != "1.0.0"))["policyRestrictions"]["message"]
        assert message.splitlines()[0] == "six 1.0.20 is hidden"
        assert message.splitlines()[-2:] == ["six 1.0.29 is hidden", "and 19 more"]

    @pytest.mark.parametrize("short", [False, True])
    def test_where_all_are_hidden_the_client_is_refused_with_the_reason(self, short: bool) -> None:
        with pytest.raises(Withheld, match=r"six 2\.1\.0 is hidden") as caught:
            made(packument(AGES), cooldown(2000), short=short)
        assert (caught.value.status, caught.value.until) == (403, NOW + 1100 * DAY)
        with pytest.raises(Withheld):
            tags(packument(AGES), cooldown(2000))

    def test_a_package_that_never_had_a_version_is_not_refused(self) -> None:
        assert read({"name": "six", "versions": {}}, cooldown(3)) == {"name": "six", "versions": {}}

    def test_what_cannot_be_read_as_tags_goes_with_a_hidden_version(self) -> None:
        long = {f"tag-{n}": "2.1.0" for n in range(70_000)}
        for odd in (long, ["2.1.0"], None):
            document = packument(AGES) | {"dist-tags": odd}
            assert read(document, versions({"2.1.0"}))["dist-tags"] == {}
            assert read(document, versions({"2.1.0"}), short=True)["dist-tags"] == {}
            assert read(document, everything())["dist-tags"] == odd

    @pytest.mark.parametrize(
        "text",
        [
            '{"name":"six","versions":{"1":{},"2":{}},"versions":{"1":{},"2":{}}}',
            '{"name":"six","versions":{"1":{},"2":{},"2":{}}}',
            '{"name":"six","dist-tags":{},"versions":{"1":{},"2":{}},"dist-tags":{}}',
            '{"name":"six","versions":{"1":{},"2":{}},"time":{"2":"","2":""}}',
        ],
    )
    def test_a_document_that_says_something_twice_is_not_served_with_the_half_of_it_hidden(self, text: str) -> None:
        with pytest.raises(OriginError, match="two members"):
            made(text.encode(), versions({"2"}))
        assert made(text.encode(), everything()).body == made(text.encode()).body


class TestOneVersion:
    def test_a_hidden_version_is_refused_and_not_unknown(self) -> None:
        with pytest.raises(Withheld, match=r"six 2\.1\.0 is hidden"):
            manifest("2.1.0", cooldown(3))
        with pytest.raises(NotFound):
            manifest("9.9.9", cooldown(3))
        assert manifest("2.0.0", cooldown(3))["version"] == "2.0.0"

    def test_a_tag_is_the_version_that_it_is_moved_to(self) -> None:
        assert manifest("latest", None)["version"] == "2.1.0"
        assert manifest("latest", cooldown(3))["version"] == "2.0.0"
        assert manifest("latest", cooldown(100))["version"] == "1.1.0"
        for days in (50, 2000):
            with pytest.raises(Withheld, match=r"six 2\.0\.0-rc\.1 is hidden"):
                manifest("next", cooldown(days))

    def test_no_other_version_is_judged(self) -> None:
        view = everything()
        manifest("2.0.0", view)
        assert [one.version for one in view.asked] == ["2.0.0"]


class TestUntil:
    def test_it_is_the_earliest_instant_of_all_that_were_judged(self) -> None:
        assert made(packument(AGES), cooldown(10)).until == NOW + 5 * DAY
        assert made(packument(AGES), cooldown(10), short=True).until == NOW + 5 * DAY
        assert made(packument(AGES), everything()).until == inf
        ends = Hiding(lambda _: False, lambda one: NOW + 7 if one.version == "1.0.0" else inf)
        assert made(packument(AGES), ends).until == NOW + 7

    def test_without_a_view_it_is_never(self) -> None:
        assert made(packument(AGES)).until == inf


class TestJudged:
    def test_each_version_is_asked_for_once_with_what_is_known_of_it(self) -> None:
        view = everything()
        document = packument({"1.0.0": 900.0, "1.1.0": None, "2.0.0": 1.0})
        document["versions"]["2.0.0"]["license"] = {"type": "ISC", "url": "https://example.com"}
        document["versions"]["1.1.0"]["license"] = "größe"
        del document["versions"]["1.1.0"]["dist"]
        made(document, view, {"/six/-/six-1.0.0.tgz": NOW - 5}.get)
        assert view.asked == [
            Artifact("npm", "six", "1.0.0", "six-1.0.0.tgz", NOW - 900 * DAY, NOW - 5, "MIT"),
            Artifact("npm", "six", "1.1.0", "", None, None, ""),
            Artifact("npm", "six", "2.0.0", "six-2.0.0.tgz", NOW - DAY, None, "ISC"),
        ]

    def test_the_artifacts_door_asks_of_the_same(self) -> None:
        view = everything()
        body = json.dumps(packument(AGES)).encode()
        made(body, view)
        facts = packuments.facts(body, Headers(), package="six")
        assert [artifact("npm", fact) for fact in facts] == view.asked

    @pytest.mark.parametrize("odd", [None, 5, "soon", "2020-01-01", "2020-01-01T00:00:00"])
    def test_a_time_that_names_no_instant_is_unknown(self, odd: object) -> None:
        document = packument({"1.0.0": None})
        document["time"]["1.0.0"] = odd
        (fact,) = packuments.facts(json.dumps(document).encode(), Headers(), package="six")
        assert fact.published is None
        with pytest.raises(Withheld):
            made(document, cooldown(3))

    def test_large_manifests_and_times_are_read_as_small_ones(self) -> None:
        view = everything()
        large = {f"0.0.{n}": 1000.0 for n in range(30_000)}
        document = packument(large | {"1.0.0": 2.0})
        document["versions"]["1.0.0"] = {"readme": "x" * (2 << 20), "deprecated": "why"} | document["versions"]["1.0.0"]
        found = read(document, Hiding(lambda one: one.version == "0.0.7"))
        assert len(found["versions"]) == len(found["time"]) - 2 == 30_000
        made(document, view)
        assert view.asked[-1] == Artifact("npm", "six", "1.0.0", "six-1.0.0.tgz", NOW - 2 * DAY, None, "MIT")
        moved = packument({"0.9.0": 1000.0, "1.0.0": 2.0, "1.1.0": 1.0})
        moved["versions"]["1.0.0"] = document["versions"]["1.0.0"]
        assert tags(moved, versions({"1.1.0"}))["latest"] == "0.9.0"


class TestDatesAdded:
    def test_versions_without_a_time_get_the_instant_at_which_they_were_first_seen(self) -> None:
        document = packument({"1.0.0": 900.0, "1.1.0": None, "2.0.0": None})
        found = read(document, None, {"/six/-/six-1.1.0.tgz": NOW - 7}.get)
        assert found.pop("_mirror") == {"first-seen": ["1.1.0"]}
        assert found["time"].pop("1.1.0") == written(NOW - 7)
        assert found == read(document)

    @pytest.mark.parametrize("stated", [{}, None, "an object is expected", "absent"])
    def test_a_packument_without_times_gets_them(self, stated: object) -> None:
        """FIELD T9, pnpm#9963."""
        document = packument({"1.0.0": None, "1.1.0": None}) | {"time": stated}
        if stated == "absent":
            del document["time"]
        found = read(document, None, lambda name: NOW)
        assert found["_mirror"] == {"first-seen": ["1.0.0", "1.1.0"]}
        if stated in ({}, "absent"):
            assert found["time"] == dict.fromkeys(["1.0.0", "1.1.0"], written(NOW))
        else:
            assert found["time"] == stated

    def test_what_is_hidden_gets_none_and_what_was_first_seen_long_ago_matures(self) -> None:
        document = packument({"1.0.0": 900.0, "1.1.0": None, "2.0.0": None})
        seen = {"/six/-/six-1.1.0.tgz": NOW - 9 * DAY, "/six/-/six-2.0.0.tgz": NOW - DAY}.get
        found = made(document, cooldown(3), seen)
        shown = json.loads(found.body)
        assert found.until == NOW + 2 * DAY
        assert shown["_mirror"] == {"first-seen": ["1.1.0"]}
        assert {name: when for name, when in shown["time"].items() if name not in ("created", "modified")} == {
            "1.0.0": at(900),
            "1.1.0": at(9),
        }

    def test_where_all_have_a_time_nothing_is_added(self) -> None:
        assert made(packument(AGES), None, lambda name: NOW).body == made(packument(AGES)).body

    def test_the_short_form_that_we_make_has_no_times(self) -> None:
        assert "time" not in read(packument({"1.0.0": None}), None, lambda name: NOW, short=True)


NAMES = st.sampled_from(["1.0.0", "1.1.0", "1.2.0-rc.1", "2.0.0", "3.0.0", "odd ä", "tag"])


@st.composite
def packages(draw: st.DrawFn) -> dict[str, Any]:
    """A packument whose tags name versions that it has."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    document = packument({name: draw(st.none() | st.integers(0, 900).map(float)) for name in names})
    tagged = draw(st.dictionaries(st.sampled_from(["latest", "next", "x"]), st.sampled_from(names)))
    document["time"] |= draw(st.dictionaries(st.sampled_from(["0.0.1", "unpublished"]), st.none() | st.just("")))
    document |= {"dist-tags": tagged}
    return {name: document[name] for name in draw(st.permutations(list(document)))}


@given(packages(), st.data(), st.sets(NAMES))
def test_what_stays_is_byte_for_byte_what_it_was(document: dict[str, Any], data: st.DataObject, gone: set[str]) -> None:
    """PROTOCOLS G.9."""
    body = json_text(document, data.draw).encode()
    full, names = made(body).body, set(document["versions"])
    hidden = names & gone
    if hidden == names:
        with pytest.raises(Withheld):
            made(body, versions(gone))
        return
    found = made(body, versions(gone)).body
    shown, whole = json.loads(found), json.loads(full)
    assert list(shown["versions"]) == [name for name in whole["versions"] if name not in hidden]
    for name in shown["versions"]:
        # As text: a member that stays is not written anew.
        member = text_of(full, name)
        assert member in found.decode()
    for name, version in shown["dist-tags"].items():
        assert version in shown["versions"]
        assert hidden or version == document["dist-tags"][name]
    assert [name for name in whole["time"] if name not in hidden] == list(shown["time"])
    untouched = ("_id", "name", "readme")
    assert {name: shown[name] for name in untouched} == {name: whole[name] for name in untouched}
    assert ("policyRestrictions" in shown) == bool(hidden)
    short = json.loads(made(body, versions(gone), short=True).body)
    assert list(short["versions"]) == list(shown["versions"])
    assert short["dist-tags"] == shown["dist-tags"]
    if not hidden:
        assert found == full


def text_of(body: bytes, version: str) -> str:
    """The manifest of a version, as it is written."""
    made = packuments.manifest(body, Headers(), package="six", mount=OURS, wanted=version)
    return made.body.decode()


@given(documents(), st.data())
def test_a_view_that_lets_all_pass_changes_nothing(document: dict[str, Any], data: st.DataObject) -> None:
    body = json_text(document, data.draw).encode("utf-8", "backslashreplace")
    view = everything()
    assert made(body, view).body == made(body).body
    assert len(view.asked) == len(document["versions"])
    assert made(body, view, short=True).body == made(body, short=True).body


@given(documents(), st.data())
def test_nothing_else_of_any_document_changes_with_a_version(document: dict[str, Any], data: st.DataObject) -> None:
    body = json_text(document, data.draw).encode("utf-8", "backslashreplace")
    names = list(document["versions"])
    gone = data.draw(st.sets(st.sampled_from(names), max_size=len(names) - 1)) if len(names) > 1 else set()
    hides = Hiding(lambda one, left=list(names): left.pop(0) in gone)  # odd names are "" to the view
    found = json.loads(made(body, hides).body)
    expected = json.loads(made(body).body)
    expected["versions"] = {name: of for name, of in expected["versions"].items() if name not in gone}
    found.pop("policyRestrictions", None)
    for name in ("dist-tags", "time", "modified"):
        found.pop(name, None)
        expected.pop(name, None)
    assert found == expected


def picked(document: dict[str, Any], wanted: str, tmp_path: Path) -> str:
    """What npm's own code takes of it: a version, or what it prints."""
    folder = Path(shutil.which("npm") or pytest.skip("npm is not installed")).resolve().parents[1]
    code = folder / "node_modules/npm-pick-manifest"
    if not code.is_dir():
        pytest.skip("npm's own npm-pick-manifest is not there")
    (tmp_path / "packument.json").write_text(json.dumps(document))
    script = "const [code, file, wanted] = process.argv.slice(1);const pick = require(code);"
    script += "try{console.log(pick(require(file), wanted).version)}catch(e){console.log(e.code + ' ' + e.message)}"
    command = ["node", "-e", script, str(code), str(tmp_path / "packument.json"), wanted]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.mark.parametrize("short", [False, True])
def test_npm_itself_takes_the_newest_that_is_left_and_prints_why_another_is_not(short: bool, tmp_path: Path) -> None:
    shown = read(packument(AGES), cooldown(10), short=short)
    for wanted, version in {"": "2.0.0", "latest": "2.0.0", "^1.0.0": "1.1.0", "next": "2.0.0-rc.1"}.items():
        assert picked(shown, wanted, tmp_path) == version
    for wanted in ("2.1.0", "^2.1.0", "~1.1.1"):
        said = picked(shown, wanted, tmp_path)
        assert said.startswith("E403 ")
        assert "six 2.1.0 is hidden" in said
    assert picked(shown, "9.9.9", tmp_path).startswith("ETARGET")
