"""Whatever the origin sent, its files and their digests are the same in every form and in the facts."""

from __future__ import annotations

import json
from html import escape
from typing import Any
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import simple_pages
from mirror.model import Fact, Headers
from tests.ecosystems.simple_forms import JSON, PAGE, V1_HTML, Page, made

OURS = "http://host:8000/pypi/simple/six/"
HEX = st.text("0123456789abcdefABCDEF", min_size=64, max_size=64)
NAME = st.text("abcXYZ019.+_~é &'\"%<>", min_size=1, max_size=8).filter(lambda name: name.strip(".") == name)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
STATED = st.fixed_dictionaries(
    {},
    optional={
        "requires-python": TEXT.filter(bool),
        "yanked": st.just(True) | TEXT.filter(bool),
        "core-metadata": st.just(True) | HEX.map(lambda value: {"sha256": value.lower()}),
        "gpg-sig": st.booleans(),
        "size": st.integers(0, 10**12),
        "upload-time": st.datetimes().map(lambda time: f"{time:%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0")),
        "provenance": st.just("https://upstream.test/x?a=1&b=2"),
    },
)


@st.composite
def files(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for number, name in enumerate(draw(st.lists(NAME, max_size=5))):
        url = draw(st.sampled_from(["https://files.test/p/", "/p/", "../../p/"])) + f"{number}/{quote(name)}"
        hashes = {"sha256": draw(HEX).lower()} if draw(st.booleans()) else {}
        found.append({"filename": name, "url": url, "hashes": hashes, **draw(STATED)})
    return found


def page(files: list[dict[str, Any]]) -> bytes:
    return json.dumps({"meta": {"api-version": "1.4"}, "name": "six", "files": files}).encode()


def facts(body: bytes, sent: str) -> dict[str, Fact]:
    found = simple_pages.facts(body, Headers.of({"content-type": sent}), page=PAGE)
    return {fact.name: fact for fact in found}


def read(href: str) -> tuple[str, str]:
    """The path below the mirror, and the fragment."""
    url, fragment = urldefrag(urljoin(OURS, href))
    return urlsplit(url).path.removeprefix("/pypi"), fragment


@given(files())
def test_all_forms_list_the_same_files_with_the_same_digests(files: list[dict[str, Any]]) -> None:
    body = page(files)
    listed = json.loads(made(body, JSON, JSON))["files"]
    known = facts(body, JSON)
    expected = [
        (read(file["url"])[0], "".join(f"sha256={value}" for value in file["hashes"].values())) for file in listed
    ]
    assert [digest.removeprefix("sha256=") for _, digest in expected] == [
        known[name].digest.value if known[name].digest else "" for name, _ in expected
    ]
    for form in ("text/html", V1_HTML):
        again = made(body, JSON, form)
        assert [read(anchor["href"] or "") for anchor in Page(again).anchors] == expected
        # Our own HTML, taken for an upstream's: what it says is what the JSON said.
        back = json.loads(made(again, form, JSON))["files"]
        assert [(read(file["url"])[0].count("/files"), file["hashes"]) for file in back] == [
            (2, file["hashes"]) for file in listed
        ]


@given(files())
def test_html_and_back_loses_nothing_that_was_said_of_a_file(files: list[dict[str, Any]]) -> None:
    again = made(page(files), JSON, "text/html")
    back = json.loads(made(again, "text/html", JSON))["files"]
    sized = all("size" in file for file in files)
    for file, found in zip(files, back, strict=True):
        for key in ("requires-python", "yanked", "core-metadata", "gpg-sig", "upload-time", "provenance", "filename"):
            assert found.get(key) == file.get(key), key
        assert found.get("size") == (file.get("size") if sized else None)


@given(files())
def test_every_announced_metadata_has_a_fact_with_its_digest(files: list[dict[str, Any]]) -> None:
    body = page(files)
    for sent, source in ((JSON, body), ("text/html", links(files))):
        known = facts(source, sent)
        for file in json.loads(made(source, sent, JSON))["files"]:
            if metadata := file.get("core-metadata"):
                digest = known[read(file["url"])[0] + ".metadata"].digest
                assert (digest.value if digest else True) == (metadata["sha256"] if digest else metadata)


def links(files: list[dict[str, Any]]) -> bytes:
    """The files as an index writes them that has no JSON."""
    lines = []
    for file in files:
        metadata = file.get("core-metadata", False)
        text = f"sha256={metadata['sha256']}" if isinstance(metadata, dict) else "true"
        said = f'data-dist-info-metadata="{text}"' if metadata else ""
        lines.append(f'<a href="{escape(file["url"])}" {said}>{escape(file["filename"])}</a>')
    return "\n".join(lines).encode()
