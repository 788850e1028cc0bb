"""What a project's page says in each of its forms, whichever the origin sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirror.ecosystems import simple_pages
from mirror.errors import OriginError
from mirror.model import Headers
from tests.ecosystems.simple_forms import (
    FILES,
    JSON,
    M_SHA,
    OURS,
    PAGE,
    SDIST,
    V1_HTML,
    W_SHA,
    WHEEL,
    Page,
    as_json,
    described,
    html,
    linked,
    made,
)


def test_a_gateway_that_says_nothing_of_metadata_is_not_made_to() -> None:
    html_page = made(linked(), "text/html", "text/html")
    assert b"metadata" not in html_page
    assert b"metadata" not in made(linked(), "text/html", JSON)
    assert b"metadata" not in made(json.dumps(described()), JSON, "text/html")
    assert b"metadata" not in made(json.dumps(described()), JSON, JSON)


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        ({"dist-info-metadata": {"sha256": M_SHA}}, {"sha256": M_SHA}),
        ({"data-dist-info-metadata": {"sha256": M_SHA.upper()}}, {"sha256": M_SHA}),
        ({"core-metadata": None, "dist-info-metadata": True}, True),
        ({"core-metadata": {}}, True),
        ({"core-metadata": False, "data-dist-info-metadata": {"sha256": M_SHA}}, False),
        ({"core-metadata": False}, False),
    ],
)
def test_metadata_is_announced_under_both_names_alike_whatever_upstreams_name_was(
    stated: dict[str, Any], shown: object
) -> None:
    document = described() | {"files": [described()["files"][0] | stated]}
    (file,) = json.loads(made(json.dumps(document), JSON, JSON))["files"]
    said = {key: value for key, value in file.items() if "metadata" in key}
    assert all(value == shown for value in said.values())
    assert set(said) == set(stated) | ({"core-metadata", "dist-info-metadata"} if shown else set())
    (anchor,) = html(document).anchors
    text = f"sha256={M_SHA}" if isinstance(shown, dict) else "true" if shown else None
    assert (anchor.get("data-core-metadata"), anchor.get("data-dist-info-metadata")) == (text, text)


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        (f'data-dist-info-metadata="sha256={M_SHA}"', f"sha256={M_SHA}"),
        ("data-core-metadata", "true"),
        ('data-core-metadata="true" data-dist-info-metadata="sha256=00"', "true"),
        ('data-core-metadata="false"', None),
    ],
)
def test_in_html_too_both_names_of_the_attribute_say_the_same(attributes: str, shown: str | None) -> None:
    (anchor,) = Page(made(linked(attributes), "text/html", "text/html")).anchors
    assert (anchor.get("data-core-metadata"), anchor.get("data-dist-info-metadata")) == (shown, shown)
    assert ("data-core-metadata" in anchor) is (shown is not None)
    assert anchor["href"] == f"{OURS}{WHEEL}#sha256={W_SHA}"


def test_metadata_beside_what_we_cannot_serve_is_not_announced() -> None:
    document = described(url="ftp://a.test/" + WHEEL, core_metadata=True)
    assert json.loads(made(json.dumps(document), JSON, JSON))["files"][0]["core-metadata"] is False
    assert "data-core-metadata" not in html(document).anchors[0]


@pytest.mark.parametrize("url", ["http://upstream.test/p", "/integrity/six", 7, ["x"]])
def test_provenance_that_is_no_secure_address_is_left_out(url: object) -> None:
    document = described(provenance=url)
    assert "provenance" not in json.loads(made(json.dumps(document), JSON, JSON))["files"][0]
    assert "data-provenance" not in html(document).anchors[0]


STATUS = {"status": "archived", "reason": "it is <done>"}


@pytest.mark.parametrize(
    "document",
    [
        described() | {"project-status": STATUS},
        described() | {"meta": {"api-version": "1.4", "project-status": STATUS}},
    ],
)
def test_the_status_of_a_project_is_at_the_top_in_json_and_a_meta_in_html(document: dict[str, Any]) -> None:
    passed = json.loads(made(json.dumps(document), JSON, JSON))
    assert (passed["project-status"], passed["meta"]) == (STATUS, {"api-version": "1.4"})
    body = made(json.dumps(document), JSON, "text/html")
    metas = Page(body).metas
    assert metas["pypi:project-status"] == "archived"
    assert metas["pypi:project-status-reason"] == "it is <done>"
    assert as_json(body.decode())["project-status"] == STATUS


@pytest.mark.parametrize(
    "sent",
    [
        (json.dumps(described() | {"project-status": {"status": "quarantined"}}), JSON),
        (json.dumps(described() | {"meta": {"api-version": "1.4", "project-status": "quarantined"}}), JSON),
        ('<meta name="pypi:project-status" content="quarantined">' + linked(), "text/html"),
        (
            '<meta name="pypi:project-status" content="active">'
            '<meta name="pypi:project-status" content=" Quarantined">' + linked(),
            "text/html",
        ),
    ],
)
def test_a_quarantined_project_has_no_files(sent: tuple[str, str]) -> None:
    document = json.loads(made(*sent, JSON))
    assert (document["files"], document["project-status"]["status"]) == ([], "quarantined")
    page = Page(made(*sent, "text/html"))
    assert (page.anchors, page.metas["pypi:project-status"]) == ([], "quarantined")
    headers = Headers.of({"content-type": sent[1]})
    assert list(simple_pages.facts(sent[0].encode(), headers, page=PAGE)) == []


def test_json_that_passes_lists_the_versions_of_all_its_files() -> None:
    document = described() | {"versions": ["0.9"]}
    assert json.loads(made(json.dumps(document), JSON, JSON))["versions"] == ["0.9", "1.17.0"]
    assert "versions" not in json.loads(made(json.dumps(described()), JSON, JSON))


@pytest.mark.parametrize("form", [JSON, V1_HTML, "text/html"])
@pytest.mark.parametrize("version", ["2.0", "", "0.9"])
def test_another_major_version_is_refused_and_a_newer_minor_one_is_not(form: str, version: str) -> None:
    meta = f'<meta name="pypi:repository-version" content="{version}">'
    for body, sent in (
        (meta + linked(), "text/html"),
        (json.dumps(described() | {"meta": {"api-version": version}}), JSON),
    ):
        with pytest.raises(OriginError):
            made(body, sent, form)
        assert made(body.replace(f'"{version}"', '"1.99"'), sent, form)


def test_a_signature_is_a_fact_only_where_the_page_says_that_there_is_one() -> None:
    for body, sent in (
        (linked('data-gpg-sig="true"') + linked(file=SDIST), "text/html"),
        (json.dumps(described(gpg_sig=True)), JSON),
    ):
        found = {
            fact.name: fact for fact in simple_pages.facts(body.encode(), Headers.of({"content-type": sent}), page=PAGE)
        }
        signature = found[f"/files/packages/b7/ce/{WHEEL}.asc"]
        assert (signature.url, signature.digest) == (f"{FILES}{WHEEL}.asc", None)
        assert len([name for name in found if name.endswith(".asc")]) == 1


def test_what_stands_beside_a_file_has_its_query_behind_it() -> None:
    document = described(url=FILES + WHEEL + "?token=1", core_metadata=True)
    headers = Headers.of({"content-type": JSON})
    found = {fact.url for fact in simple_pages.facts(json.dumps(document).encode(), headers, page=PAGE)}
    assert found == {f"{FILES}{WHEEL}?token=1", f"{FILES}{WHEEL}.metadata?token=1"}
    assert json.loads(made(json.dumps(document), JSON, JSON))["files"][0]["url"] == OURS + WHEEL


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_json_has_not_are_the_origins_error_before_the_first_byte(number: str) -> None:
    body = '{"meta":{"api-version":"1.0"},"files":[],"x":' + number + "}"
    with pytest.raises(OriginError):
        simple_pages.rewritten(body.encode(), Headers.of({"content-type": JSON}), page=PAGE, form=JSON)
