"""Pages of the simple API through a real mirror, of a real index and of a poor one: which form, which files."""

from __future__ import annotations

import hashlib

import pytest

from tests.e2e.python_mirror import FORMS, HTML, JSON, V1_HTML, Mirror, listed
from tests.instruments.python_packages import UPLOADED, Project, wheel

LATEST_JSON = "application/vnd.pypi.simple.latest+json"
LATEST_HTML = "application/vnd.pypi.simple.latest+html"
PIP = f"{JSON}, {V1_HTML}; q=0.1, {HTML}; q=0.01"
HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()


both = pytest.mark.parametrize("kind", ["real", "poor"])

ACCEPTS = {
    "missing": ((), HTML),
    "anything": (("*/*",), HTML),
    "json": ((JSON,), JSON),
    "v1 html": ((V1_HTML,), V1_HTML),
    "text html": ((HTML,), HTML),
    "latest json": ((LATEST_JSON,), JSON),
    "latest html": ((LATEST_HTML,), V1_HTML),
    "pip": ((PIP,), JSON),
    "json, else anything": ((f"{JSON}, */*;q=0.1",), JSON),
    "html before json": ((f"{JSON};q=0.2, {V1_HTML};q=0.8",), V1_HTML),
    "no json": ((f"{JSON};q=0, */*",), HTML),
    "unknown": (("text/plain",), HTML),
    "any application": (("application/*",), JSON),
    "repeated lines": (("text/plain", f"{HTML};q=0.1", JSON), JSON),
    "repeated lines, other order": ((JSON, f"{HTML};q=0.1"), JSON),
    "capital letters": ((JSON.upper(),), JSON),
}


@both
@pytest.mark.parametrize("accept", ACCEPTS)
def test_the_form_is_chosen_by_accept(python_mirror: Mirror, accept: str) -> None:
    lines, expected = ACCEPTS[accept]
    heard = python_mirror.ask("/pypi/simple/tool/", *(("Accept", line) for line in lines))
    assert heard.status == 200
    media_type, _, parameters = (heard["content-type"] or "").partition(";")
    assert (media_type, heard.body.startswith(b"{")) == (expected, expected == JSON)
    if expected == HTML:
        assert parameters.strip().lower() == "charset=utf-8"


@both
@pytest.mark.parametrize("project", ["tool", "no-such-project"])
def test_a_page_says_that_it_varies(python_mirror: Mirror, project: str) -> None:
    for form in FORMS:
        vary = python_mirror.page(project, form)["vary"] or ""
        assert {name.strip().lower() for name in vary.split(",")} == {"accept", "accept-encoding"}


@both
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"format={JSON}", JSON),
        ("format=application/vnd.pypi.simple.v1%2Bjson", JSON),
        (f"format={LATEST_JSON}", JSON),
        (f"format={V1_HTML}", V1_HTML),
        ("format=text/html", HTML),
    ],
)
def test_the_query_overrules_accept(python_mirror: Mirror, query: str, expected: str) -> None:
    other = HTML if expected == JSON else JSON
    heard = python_mirror.ask(f"/pypi/simple/tool/?{query}", ("Accept", other))
    assert (heard.status, (heard["content-type"] or "").partition(";")[0]) == (200, expected)


@both
@pytest.mark.parametrize("project", ["app", "lib-core", "tool", "speed", "source-only"])
def test_all_forms_list_the_same_files_as_the_index_cold_and_warm(python_mirror: Mirror, project: str) -> None:
    files = python_mirror.index.projects[project].files
    known = [(file.name, file.sha256, file.requires_python) for file in files]
    for _ in ("cold", "warm"):
        for form in FORMS:
            links = python_mirror.links(project, form)
            assert [(link.name, link.sha256, link.requires_python) for link in links] == known
            told = [False if file.yanked is None else file.yanked or True for file in files]
            assert [link.yanked for link in links] == told


@both
def test_all_forms_are_made_of_what_was_fetched_once(python_mirror: Mirror) -> None:
    python_mirror.index.single("once")
    for form in (HTML, JSON, V1_HTML):
        assert python_mirror.page("once", form).status == 200
    asked = python_mirror.index.gets("/simple/once/")
    assert [dict(record.headers)["accept"].partition(",")[0] for record in asked] == [JSON]


@both
def test_a_yanked_file_is_served(python_mirror: Mirror) -> None:
    yanked = next(link for link in python_mirror.links("lib-core") if link.yanked)
    assert python_mirror.ask(yanked.path).status == 200


@pytest.mark.parametrize("form", FORMS)
def test_announced_metadata_is_served_and_its_hash_fits(python_real: Mirror, form: str) -> None:
    wheels = [link for project in ("app", "lib-core", "tool", "speed") for link in python_real.links(project, form)]
    assert all(link.metadata for link in wheels if link.name.endswith(".whl"))
    for link in wheels:
        heard = python_real.ask(f"{link.path}.metadata")
        assert (heard.status, heard["content-encoding"]) == (200, None)
        assert hashlib.sha256(heard.body).hexdigest() == link.metadata != HASH_OF_NOTHING
    assert [link.metadata for link in python_real.links("source-only", form)] == [False]


def test_both_names_of_the_metadata_attribute_are_equal(python_real: Mirror) -> None:
    for link in python_real.links("app", JSON):
        assert link.written["dist-info-metadata"] == link.written["core-metadata"]
    for link in python_real.links("app", HTML):
        assert link.written["data-dist-info-metadata"] == link.written["data-core-metadata"]


@pytest.mark.parametrize("form", FORMS)
def test_no_metadata_is_announced_that_the_index_does_not_announce(python_poor: Mirror, form: str) -> None:
    assert {link.metadata for link in python_poor.links("app", form)} == {False}
    assert b"info-metadata" not in python_poor.page("app", HTML).body


@both
@pytest.mark.parametrize("form", FORMS)
def test_links_are_relative_and_lead_to_the_file(python_mirror: Mirror, form: str) -> None:
    for link in python_mirror.links("speed", form):
        written = link.written.get("url") or link.written["href"]
        assert written.startswith("../../files/packages/")
        assert "?" not in written
        assert link.url.startswith("http://mirror.test/pypi/files/packages/")
        assert python_mirror.ask(link.path).body == python_mirror.index.projects["speed"].files[0].body


@both
@pytest.mark.parametrize("spelling", ["lib_core/", "Lib.Core/", "LIB--core", "lib-core", "lib_core"])
def test_links_lead_to_the_file_after_the_redirect_to_the_name(python_mirror: Mirror, spelling: str) -> None:
    heard = python_mirror.ask(f"/pypi/simple/{spelling}?format={JSON}")
    assert heard.status in (301, 308)
    assert heard["location"] == f"/pypi/simple/lib-core/?format={JSON}"
    page = python_mirror.ask(heard["location"])
    link = listed(page, "/pypi/simple/lib-core/")[0]
    assert hashlib.sha256(python_mirror.ask(link.path).body).hexdigest() == link.sha256


def test_times_and_sizes_are_what_the_index_says(python_real: Mirror) -> None:
    for link, file in zip(python_real.links("lib-core"), python_real.index.projects["lib-core"].files, strict=True):
        assert (link.written["upload-time"], link.written["size"]) == (UPLOADED, len(file.body))
    for link in python_real.links("lib-core", HTML):  # which no standard knows, but uv reads it
        assert link.written["data-upload-time"] == UPLOADED


def test_times_that_a_poor_index_has_are_kept(python_poor: Mirror) -> None:
    times = [UPLOADED, None, UPLOADED]
    assert [link.written.get("upload-time") for link in python_poor.links("lib-core")] == times
    assert [link.written.get("data-upload-time") for link in python_poor.links("lib-core", HTML)] == times


@both
@pytest.mark.parametrize("project", ["app", "lib-core", "tool", "speed", "source-only"])
def test_the_document_is_legal_for_the_version_that_it_states(python_mirror: Mirror, project: str) -> None:
    document = python_mirror.page(project).document
    major, minor = map(int, document["meta"]["api-version"].split("."))
    assert (major, document["name"]) == (1, project)
    sized = all("size" in file for file in document["files"])
    if minor:  # PEP 700
        assert sized
        assert set(document["versions"]) >= {file.version for file in python_mirror.index.projects[project].files}
    else:
        assert not any("size" in file for file in document["files"])
        assert "versions" not in document
    assert bool(minor) == (python_mirror.index.kind == "real")


@pytest.mark.parametrize("form", FORMS)
def test_a_quarantined_project_has_no_files(python_real: Mirror, form: str) -> None:
    assert python_real.links("quarantined", form) == []
    assert python_real.page("quarantined").document["project-status"] == {"status": "quarantined"}


def test_a_project_that_is_quarantined_now_loses_its_files_at_the_next_look(python_real: Mirror) -> None:
    project, _ = python_real.index.single("evil")
    assert len(python_real.links("evil")) == 1
    python_real.index.publish(Project(project.name, (), "quarantined"))
    python_real.expire("/pypi/simple/evil/")
    for form in FORMS:
        assert python_real.links("evil", form) == []


def test_a_release_that_is_new_is_there_at_the_next_look(python_real: Mirror) -> None:
    _, first = python_real.index.single("grows")
    before = python_real.page("grows")
    python_real.index.publish(Project("grows", (first, wheel("grows", "2.0"))))
    python_real.expire("/pypi/simple/grows/")
    after = python_real.page("grows")
    assert after.document["versions"] == ["1.0", "2.0"]
    assert after["etag"] != before["etag"]


@both
def test_the_list_of_projects_is_there_in_each_form(python_mirror: Mirror) -> None:
    names = list(python_mirror.index.projects)
    heard = python_mirror.ask("/pypi/simple/", ("Accept", JSON))
    assert [project["name"] for project in heard.document["projects"]][: len(names)] == names
    for form in (V1_HTML, HTML):
        heard = python_mirror.ask("/pypi/simple/", ("Accept", form))
        assert (heard["content-type"] or "").partition(";")[0] == form
        assert all(f'href="{name}/"'.encode() in heard.body for name in names)


@both
def test_the_legacy_documents_name_files_of_the_mirror(python_mirror: Mirror) -> None:
    for path, shown in (("/pypi/pypi/lib-core/json", "1.1"), ("/pypi/pypi/lib-core/2.0/json", "2.0")):
        document = python_mirror.ask(path).document
        assert document["info"]["version"] == shown
        for file in document["urls"]:
            assert file["url"].startswith(python_mirror.server.url("/pypi/files/packages/"))
            body = python_mirror.ask(file["url"].removeprefix(python_mirror.server.address)).body
            assert hashlib.sha256(body).hexdigest() == file["digests"]["sha256"]
        assert ("releases" in document) == (shown == "1.1")
