"""What is left of a project's page under a view, in each form and of each form; and dates added."""

from __future__ import annotations

import json
from math import inf
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from mirror.ecosystems import simple_pages
from mirror.ecosystems.instants import written
from mirror.ecosystems.views import FIRST_SEEN, Seen, View, artifact
from mirror.model import Headers, Rewritten
from mirror.policy.artifact import Artifact
from tests.ecosystems import test_simple_agreement as agreement
from tests.ecosystems.simple_forms import FILES, JSON, PAGE, SDIST, V1_HTML, W_SHA, WHEEL, Page, linked
from tests.ecosystems.views import DAY, NOW, Hiding, cooldown, everything, files

OLD = "six-1.16.0-py2.py3-none-any.whl"
FORMS = (JSON, V1_HTML, "text/html")


def listed(file: str, days: float | None = 100.0, **keys: Any) -> dict[str, Any]:
    time = {} if days is None else {"upload-time": written(NOW - days * DAY)}
    return {"filename": file, "url": FILES + file, "hashes": {"sha256": W_SHA}, "size": 5} | time | keys


def page(*files: dict[str, Any], **more: Any) -> dict[str, Any]:
    versions = {"versions": ["1.16.0", "1.17.0"]}
    return {"meta": {"api-version": "1.4"}, "name": "six", "files": list(files)} | versions | more


def made(
    document: object, form: str = JSON, view: View | None = None, seen: Seen | None = None, sent: str = JSON
) -> Rewritten:
    body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
    headers = Headers.of({"content-type": sent})
    return simple_pages.rewritten(body, headers, page=PAGE, form=form, view=view, seen=seen, dates=seen)


def names(answer: Rewritten, form: str) -> list[str]:
    if form == JSON:
        return [file["filename"] for file in json.loads(answer.body)["files"]]
    return [unquote((a["href"] or "").partition("#")[0].rpartition("/")[2]) for a in Page(answer.body).anchors]


def read(*args: Any, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made(*args, **more).body)
    return found


@pytest.mark.parametrize("form", FORMS)
class TestInEveryForm:
    def test_a_file_that_is_too_young_is_not_listed(self, form: str) -> None:
        document = page(listed(OLD), listed(SDIST, 1.0), listed(WHEEL, 5.0))
        assert names(made(document, form, cooldown(3)), form) == [OLD, WHEEL]
        assert made(document, form, cooldown(3)).until == NOW + 2 * DAY
        assert made(document, form).until == inf

    def test_the_same_goes_for_an_html_page_by_what_it_says(self, form: str) -> None:
        young = f'data-upload-time="{written(NOW - DAY)}"'
        old = f'data-upload-time="{written(NOW - 9 * DAY)}"'
        text = linked(old, OLD) + linked(young, SDIST) + linked(old)
        assert names(made(text, form, cooldown(3), sent="text/html"), form) == [OLD, WHEEL]
        assert made(text, form, cooldown(3), sent="text/html").until == NOW + 2 * DAY

    def test_what_html_does_not_date_is_as_old_as_the_mirror_knows_it(self, form: str) -> None:
        seen = {f"/files/packages/b7/ce/{OLD}": NOW - 9 * DAY, f"/files/packages/b7/ce/{SDIST}": NOW - DAY}.get
        text = linked("", OLD) + linked("", SDIST) + linked()
        assert names(made(text, form, cooldown(3), seen, sent="text/html"), form) == [OLD]

    def test_where_all_are_hidden_it_is_a_page_without_files(self, form: str) -> None:
        # A 404 would make uv ask the next index for the project, a 403 would make it speak of credentials.
        """PROTOCOLS I.pypi."""
        for document, sent in ((page(listed(WHEEL)), JSON), (linked(), "text/html")):
            assert names(made(document, form, cooldown(2000), sent=sent), form) == []

    def test_yanked_files_and_quarantine_stay_what_they_are(self, form: str) -> None:
        """PROTOCOLS G.3."""
        document = page(listed(OLD, yanked="broken"), listed(WHEEL, 1.0))
        answer = made(document, form, cooldown(3))
        if form == JSON:
            assert json.loads(answer.body)["files"][0]["yanked"] == "broken"
        else:
            assert Page(answer.body).anchors[0]["data-yanked"] == "broken"
        shut = page(listed(OLD), **{"project-status": {"status": "quarantined"}})
        assert made(shut, form, everything()).body == made(shut, form).body


class TestVersions:
    def test_a_version_goes_with_its_last_file(self) -> None:
        """PROTOCOLS G.3."""
        document = page(listed(OLD), listed(SDIST, 1.0), listed(WHEEL, 1.0))
        assert read(document, JSON, cooldown(3))["versions"] == ["1.16.0"]
        assert read(document, JSON, files({WHEEL}))["versions"] == ["1.16.0"]
        assert read(document, JSON, files({SDIST, OLD}))["versions"] == ["1.17.0"]
        assert read(document, JSON, files({SDIST}))["versions"] == ["1.16.0", "1.17.0"]

    def test_in_any_spelling_and_no_other_one_goes(self) -> None:
        document = page(listed(WHEEL), listed(SDIST), listed("six-1.0.tar.gz"), listed("odd.zip"))
        document["versions"] = ["v1.17", "1.16.0", "1.0.0", "0.1", "1.17.0.post1", 5]
        gone = files({WHEEL, "six-1.0.tar.gz", "odd.zip"})
        assert read(document, JSON, gone)["versions"] == ["1.16.0", "0.1", "1.17.0.post1", 5]

    def test_those_of_html_are_what_the_files_left_say(self) -> None:
        text = linked('data-size="5"') + linked('data-size="6"', SDIST)
        assert read(text, JSON, files({WHEEL}), sent="text/html")["versions"] == ["1.16.0"]


class TestJudged:
    def test_each_file_is_asked_for_once_with_what_is_known_of_it(self) -> None:
        view, seen = everything(), {f"/files/packages/b7/ce/{SDIST}": NOW - 7}.get
        made(page(listed(WHEEL), listed(SDIST, None), listed("odd", 1.0)), JSON, view, seen)
        assert view.asked == [
            Artifact("pypi", "six", "1.17.0", WHEEL, NOW - 100 * DAY),
            Artifact("pypi", "six", "1.16.0", SDIST, None, NOW - 7),
            Artifact("pypi", "six", "", "odd", NOW - DAY),
        ]

    def test_it_is_the_links_name_that_counts_because_that_is_what_is_asked_for(self) -> None:
        view = everything()
        made(page(listed(WHEEL, filename="six-1.0-py3-none-any.whl")), JSON, view)
        assert view.asked == [Artifact("pypi", "six", "1.17.0", WHEEL, NOW - 100 * DAY)]

    def test_the_artifacts_door_asks_of_the_same_and_so_does_what_stands_beside_a_file(self) -> None:
        view = everything()
        document = page(listed(WHEEL, **{"core-metadata": True, "gpg-sig": True}), listed("six-2%2B3.zip", None))
        made(document, JSON, view)
        body = json.dumps(document).encode()
        facts = list(simple_pages.facts(body, Headers.of({"content-type": JSON}), page=PAGE))
        assert [fact.name.rpartition(".")[2] for fact in facts] == ["whl", "metadata", "asc", "zip"]
        first, second = view.asked
        assert [artifact("pypi", fact) for fact in facts] == [first, first, first, second]
        assert second.file == "six-2+3.zip"

    @pytest.mark.parametrize("odd", ["soon", "2020-01-01T00:00:00", 5, None, "2020-01-01"])
    def test_a_time_that_names_no_instant_is_unknown(self, odd: object) -> None:
        document = page(listed(WHEEL, **{"upload-time": odd}))
        (fact, _) = simple_pages.facts(json.dumps(document).encode(), Headers.of({"content-type": JSON}), page=PAGE)
        assert fact.published is None
        assert names(made(document, JSON, cooldown(3)), JSON) == []


class TestHtmlInPlace:
    def test_a_link_goes_with_its_line_and_all_else_stays(self) -> None:
        text = f"<html><body>\n{linked('', OLD)}{linked()}<p>end</p>\n<!--SERIAL 5--></body></html>"
        answer = made(text, "text/html", files({OLD}), sent="text/html").body
        assert answer == made(text.replace(linked("", OLD), ""), "text/html", sent="text/html").body

    @pytest.mark.parametrize(
        "link",
        [
            f'<a href="{FILES}{WHEEL}">',
            f"<A HREF={FILES}{WHEEL}>{WHEEL}",
            f'<a href="{FILES}{WHEEL}"><b>{WHEEL}</b></a>',
            f'<a href="{FILES}{WHEEL}" title="</a>">{WHEEL}</A ><br>',
            f"<a data-x='>' href='{FILES}six-1.17.0-py2.py3%2Dnone-any.whl'>x</a>",
        ],
    )
    @pytest.mark.parametrize("behind", ["", "x", f'<a href="{FILES}{SDIST}">{SDIST}</a>', "<!-- x", "</a><hr>"])
    def test_however_it_is_written_the_link_is_gone_and_the_others_stay(self, link: str, behind: str) -> None:
        answer = made(linked("", OLD) + link + behind, "text/html", files({WHEEL}), sent="text/html")
        assert names(answer, "text/html") == [OLD] + ([SDIST] if SDIST in behind else [])


class TestDatesAdded:
    def test_files_without_a_time_get_the_instant_at_which_they_were_first_seen(self) -> None:
        """FIELD T9, uv#12449."""
        document = page(listed(WHEEL), listed(SDIST, None), listed(OLD, None, **{"upload-time": None}))
        seen = {f"/files/packages/b7/ce/{name}": NOW - 7 for name in (WHEEL, SDIST)}.get
        found = read(document, JSON, None, seen)
        assert found.pop(FIRST_SEEN) == [SDIST]
        assert found["files"][1].pop("upload-time") == written(NOW - 7)
        assert found == read(document)

    def test_those_that_another_mirror_has_marked_stay_marked(self) -> None:
        document = page(listed(WHEEL), listed(SDIST, None), **{FIRST_SEEN: [WHEEL]})
        assert read(document, JSON, None, lambda _: NOW)[FIRST_SEEN] == [WHEEL, SDIST]

    def test_a_page_made_from_html_has_them_too(self) -> None:
        found = read(linked() + linked("", SDIST), JSON, None, lambda _: NOW, sent="text/html")
        assert found[FIRST_SEEN] == [WHEEL, SDIST]
        assert [file["upload-time"] for file in found["files"]] == [written(NOW)] * 2

    def test_where_all_have_a_time_nothing_is_added(self) -> None:
        document = page(listed(WHEEL), listed(SDIST))
        assert made(document, JSON, None, lambda _: NOW).body == made(document).body

    def test_html_is_as_it_was(self) -> None:
        document = page(listed(WHEEL, None))
        assert made(document, V1_HTML, None, lambda _: NOW).body == made(document, V1_HTML).body
        assert made(linked(), V1_HTML, None, lambda _: NOW, sent="text/html").body == (
            made(linked(), V1_HTML, sent="text/html").body
        )


@given(agreement.files(), st.sets(st.integers(0, 4)))
def test_all_forms_list_the_same_files_and_those_are_what_they_were(
    given_files: list[dict[str, Any]], gone: set[int]
) -> None:
    document = agreement.page(given_files).decode()

    def hides() -> Hiding:
        count = iter(range(99))
        return Hiding(lambda _: next(count) in gone)

    whole, shown = read(document), read(document, JSON, hides())
    kept = [at for at in range(len(given_files)) if at not in gone]
    assert shown["files"] == [whole["files"][at] for at in kept]
    for form in (V1_HTML, "text/html"):
        before, after = Page(made(document, form).body), Page(made(document, form, hides()).body)
        assert after.anchors == [before.anchors[at] for at in kept]
        again = made(document, form).body.decode()
        assert Page(made(again, form, hides(), sent=form).body).anchors == [
            Page(made(again, form, sent=form).body).anchors[at] for at in kept
        ]


@given(agreement.files(), st.sampled_from(FORMS), st.sampled_from(FORMS))
def test_a_view_that_lets_all_pass_changes_nothing(given_files: list[dict[str, Any]], sent: str, form: str) -> None:
    document = made(agreement.page(given_files).decode(), sent).body.decode()
    view = everything()
    assert made(document, form, view, sent=sent).body == made(document, form, sent=sent).body


def test_what_clients_parse_of_what_is_left_is_right() -> None:
    document = page(listed(OLD), listed(SDIST, 5.0), listed(WHEEL, 1.0))
    shown = read(document, JSON, cooldown(3))
    versions = {str(parse_wheel_filename(OLD)[1]), str(parse_sdist_filename(SDIST)[1])}
    assert set(shown["versions"]) == versions
    assert shown["meta"]["api-version"] == "1.4"
    assert all({"filename", "url", "hashes", "size", "upload-time"} <= set(file) for file in shown["files"])
