"""A project's page that came as HTML says the same as JSON."""

from __future__ import annotations

import pytest

from mirror.ecosystems import simple_pages
from mirror.model import Headers
from tests.ecosystems.simple_forms import M_SHA, OURS, PAGE, PROVENANCE, SDIST, W_SHA, WHEEL, as_json, linked


def test_json_says_all_that_the_attributes_said() -> None:
    document = as_json(
        linked(
            f'data-requires-python="&gt;=2.7, &lt;4" data-yanked="a &amp; b" data-gpg-sig="true" '
            f'data-provenance="{PROVENANCE}" data-core-metadata="sha256={M_SHA.upper()}" '
            'data-upload-time="2024-12-04T17:35:26.475808Z"'
        )
    )
    assert document == {
        "meta": {"api-version": "1.0"},
        "name": "six",
        "files": [
            {
                "filename": WHEEL,
                "url": OURS + WHEEL,
                "hashes": {"sha256": W_SHA},
                "requires-python": ">=2.7, <4",
                "upload-time": "2024-12-04T17:35:26.475808Z",
                "yanked": "a & b",
                "core-metadata": {"sha256": M_SHA},
                "dist-info-metadata": {"sha256": M_SHA},
                "gpg-sig": True,
                "provenance": PROVENANCE,
            }
        ],
    }


@pytest.mark.parametrize(
    ("attribute", "yanked"),
    [("data-yanked", True), ('data-yanked=""', True), ('data-yanked="False"', "False"), ("", None)],
)
def test_the_attribute_alone_means_yanked(attribute: str, yanked: object) -> None:
    assert as_json(linked(attribute))["files"][0].get("yanked") == yanked


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-12-04T17:35:26Z", "2024-12-04T17:35:26Z"),
        ("2024-12-04T17:35:26.475808+00:00", "2024-12-04T17:35:26.475808Z"),
        ("2024-12-04T18:35:26+01:00", "2024-12-04T17:35:26.000000Z"),
        ("2024-12-04T17:35:26", None),
        ("2024-13-04T17:35:26Z", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_time_of_upload_is_an_instant_or_is_left_out(text: str, time: str | None) -> None:
    assert as_json(linked(f'data-upload-time="{text}"'))["files"][0].get("upload-time") == time


def test_with_all_sizes_known_the_page_says_its_versions() -> None:
    document = as_json(linked('data-size="11050"') + linked('data-size="33031"', SDIST))
    assert (document["meta"], document["versions"]) == ({"api-version": "1.1"}, ["1.17.0", "1.16.0"])
    assert [file["size"] for file in document["files"]] == [11050, 33031]
    stated = as_json('<meta name="pypi:repository-version" content="1.3">' + linked('data-size="1"'))
    assert stated["meta"] == {"api-version": "1.3"}


@pytest.mark.parametrize("version", ["1", "1.0", "1.x"])
def test_what_says_versions_is_at_least_the_version_that_has_them(version: str) -> None:
    document = as_json(f'<meta name="pypi:repository-version" content="{version}">' + linked('data-size="1"'))
    assert document["meta"] == {"api-version": "1.1"}


def test_a_size_in_html_is_no_reason_to_refuse_a_file() -> None:
    found = simple_pages.facts(linked('data-size="1"').encode(), Headers(), page=PAGE)
    assert [fact.size for fact in found] == [None, None]


@pytest.mark.parametrize("size", ["", 'data-size="-1"', 'data-size="11.0 kB"'])
def test_with_one_size_unknown_it_says_neither_sizes_nor_versions(size: str) -> None:
    document = as_json(
        '<meta name="pypi:repository-version" content="1.4">' + linked('data-size="11050"') + linked(size, SDIST)
    )
    assert document["meta"] == {"api-version": "1.0"}
    assert "versions" not in document
    assert not any("size" in file for file in document["files"])


def test_links_that_are_no_files_are_left_out() -> None:
    body = '<a href="https://example.com/">home</a><a name="x">y</a><a href="ftp://a.test/six-1.zip">z</a>' + linked()
    assert [file["filename"] for file in as_json(body)["files"]] == [WHEEL]


@pytest.mark.parametrize("fields", [{"x-pypi-last-serial": "41"}, {}])
def test_the_serial_of_an_html_page_is_in_the_json(fields: dict[str, str]) -> None:
    assert as_json(linked() + "<!--SERIAL 42-->\n", **fields)["meta"]["_last-serial"] == 42


def test_a_base_counts_in_json_too() -> None:
    document = as_json('<base href="https://cdn.test/x/"><a href="six-1.zip#md5=' + "0f" * 16 + '&egg=abc">six</a>')
    assert (document["files"][0]["url"], document["files"][0]["hashes"]) == (
        "../../files/x/six-1.zip",
        {"md5": "0f" * 16},
    )
