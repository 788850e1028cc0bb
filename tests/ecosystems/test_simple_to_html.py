"""A project's page that came as JSON says the same as HTML."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirror.ecosystems import simple_pages
from mirror.model import Headers
from tests.ecosystems.simple_forms import (
    FILES,
    JSON,
    M_SHA,
    OURS,
    PAGE,
    PROVENANCE,
    V1_HTML,
    W_SHA,
    WHEEL,
    Page,
    described,
    html,
    made,
)


def test_a_link_says_all_that_the_json_said_of_its_file() -> None:
    page = html(
        described(
            requires_python=">=2.7, <4",
            core_metadata={"sha256": M_SHA},
            yanked='no "good" & <old>',
            gpg_sig=True,
            provenance=PROVENANCE,
            size=11050,
            upload_time="2024-12-04T17:35:26.475808Z",
        )
    )
    assert page.anchors == [
        {
            "href": f"{OURS}{WHEEL}#sha256={W_SHA}",
            "data-requires-python": ">=2.7, <4",
            "data-core-metadata": f"sha256={M_SHA}",
            "data-dist-info-metadata": f"sha256={M_SHA}",
            "data-yanked": 'no "good" & <old>',
            "data-gpg-sig": "true",
            "data-provenance": PROVENANCE,
            "data-size": "11050",
            "data-upload-time": "2024-12-04T17:35:26.475808Z",
        }
    ]
    assert page.texts == [WHEEL]


def test_a_link_says_nothing_that_the_json_did_not_say() -> None:
    document = described(requires_python=None, yanked=False, core_metadata=False, provenance=None, gpg_sig=False)
    document["files"][0] |= {"size": -1, "upload-time": "soon"}
    page = html(document)
    assert page.anchors == [{"href": f"{OURS}{WHEEL}#sha256={W_SHA}", "data-gpg-sig": "false"}]


@pytest.mark.parametrize(
    ("yanked", "shown"), [(True, ""), ("reason", "reason"), ("", None), (False, None), (None, None)]
)
def test_only_a_yanked_file_has_the_attribute_that_says_so(yanked: object, shown: str | None) -> None:
    (anchor,) = html(described(yanked=yanked)).anchors
    assert anchor.get("data-yanked", None) == shown
    assert ("data-yanked" in anchor) is (shown is not None)


@pytest.mark.parametrize("form", ["text/html", V1_HTML])
def test_a_page_of_our_making_is_html_of_the_last_version_that_html_has(form: str) -> None:
    page = html(described(), form)
    assert page.metas == {"pypi:repository-version": "1.4"}
    made_of = simple_pages.rewritten(
        json.dumps(described()).encode(), Headers.of({"content-type": JSON}), page=PAGE, form=form
    )
    assert made_of.content_type == f"{form}; charset=utf-8"


@pytest.mark.parametrize(
    ("hashes", "url", "fragment"),
    [
        ({"md5": "0f" * 16, "sha256": "AB" * 32}, "", "#sha256=" + "ab" * 32),
        ({"md5": "0f" * 16}, "", "#md5=" + "0f" * 16),
        ({}, "#sha256=" + "AB" * 32, "#sha256=" + "ab" * 32),
        ({"sha256": '"><script>'}, "", ""),
        ({"other": "ab"}, "", ""),
        ({"sha256": None}, "", ""),
    ],
)
def test_a_link_carries_one_digest_in_lower_case(hashes: dict[str, Any], url: str, fragment: str) -> None:
    document = described(hashes=hashes, url=FILES + WHEEL + url)
    assert html(document).anchors[0]["href"] == f"{OURS}{WHEEL}{fragment}"


@pytest.mark.parametrize("fields", [{"x-pypi-last-serial": "41"}, {"x-pypi-last-serial": "-->"}, {}])
def test_the_serial_is_the_last_line(fields: dict[str, str]) -> None:
    document = described() | {"meta": {"api-version": "1.4", "_last-serial": 42}}
    assert made(json.dumps(document), JSON, "text/html", **fields).endswith(b"\n<!--SERIAL 42-->\n")
    assert b"SERIAL" not in made(json.dumps(described()), JSON, "text/html")


def test_hostile_text_stays_text() -> None:
    evil = '"><script>alert(1)</script>\ud800é'
    document = described(filename=evil, requires_python=evil, yanked=evil, provenance="https://" + evil)
    document |= {"name": evil, "project-status": {"status": evil, "reason": evil}}
    body = made(json.dumps(document), JSON, "text/html")
    assert b"<script" not in body
    page = Page(body)
    assert (len(page.anchors), page.anchors[0]["data-requires-python"]) == (1, evil.replace("\ud800", "?"))
