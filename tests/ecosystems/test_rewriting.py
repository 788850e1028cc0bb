"""Rewriting holds for any page: another parser finds the same files, hashes and attributes, all below our mirror."""

from __future__ import annotations

import html
import json
from contextlib import suppress
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import legacy_json, simple_pages, simple_root, simple_types
from mirror.errors import OriginError
from mirror.model import Headers

PAGE = "http://upstream.test/simple/six/"
OURS = "http://host:8000/pypi/simple/six/"
HTML = Headers.of({"content-type": "text/html"})
JSON = Headers.of({"content-type": simple_types.JSON})


class Anchors(HTMLParser):
    """The attributes of a page's `a` tags, as clients that use the standard library's parser read them."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(reversed(attrs)))


SEGMENT = st.text("abcXYZ019._+~é &'\"%<>=", min_size=1, max_size=8).filter(
    lambda segment: segment.strip(".") == segment
)
URL = st.builds(
    lambda start, segments, file, digest: start + "/".join(quote(s, safe="+~&'") for s in [*segments, file]) + digest,
    st.sampled_from(
        ["https://files.upstream.test/", "http://upstream.test:8080/", "//cdn.upstream.test/", "/", "../../"]
    ),
    st.lists(SEGMENT, max_size=3),
    SEGMENT,
    st.sampled_from(["", "#sha256=" + "ab" * 32, "#md5=" + "0f" * 16 + "&egg=x"]),
)
QUOTED = st.sampled_from(['"', "'"])
SPACE = st.sampled_from([" ", "\n  ", "\t", " / "])
OTHER = st.sampled_from(
    [
        "",
        "data-yanked",
        'data-yanked="a > b"',
        'data-requires-python="&gt;=3.8"',
        "data-core-metadata='true'",
        "href=second",
        "x=1",
    ]
)
NOISE = st.sampled_from(
    ["", "text é", "<br/>", "<!-- <a href='no-1.zip'> -->", "<p title='<a href=no>'>", "<abbr href=no>", "a < b"]
)


@st.composite
def anchors(draw: st.DrawFn) -> str:
    mark, escape = draw(QUOTED), draw(st.booleans())
    url = draw(URL)
    value = html.escape(url) if escape else url.replace("&", "&amp;").replace(mark, f"&#{ord(mark)};")
    tag, name = draw(st.sampled_from(["a", "A"])), draw(st.sampled_from(["href", "HREF"]))
    equals = draw(st.sampled_from(["=", " = ", "=\n"]))
    return f"<{tag}{draw(SPACE)}{name}{equals}{mark}{value}{mark}{draw(SPACE)}{draw(OTHER)}>x</{tag}>{draw(NOISE)}"


@given(st.lists(anchors(), max_size=5))
def test_a_rewritten_page_lists_the_same_files_with_the_same_hashes_below_our_mirror(tags: list[str]) -> None:
    body = ("<!DOCTYPE html><body>" + "\n".join(tags)).encode()
    rewritten = simple_pages.rewritten(body, HTML, page=PAGE, form="text/html").body
    facts = {fact.name: fact for fact in simple_pages.facts(body, HTML, page=PAGE)}
    before, after = Anchors(body).found, Anchors(rewritten).found
    assert len(before) == len(after) == len(tags)
    for old, new in zip(before, after, strict=True):
        theirs, fragment = urldefrag(urljoin(PAGE, old.pop("href") or ""))
        href = new.pop("href") or ""
        ours, kept = urldefrag(urljoin(OURS, href))
        stated = old.get("data-core-metadata")
        assert old | ({"data-dist-info-metadata": stated} if stated else {}) == new
        assert href.startswith("../../files/")
        assert fragment == kept
        assert unquote(urlsplit(ours).path) == "/pypi/files" + unquote(urlsplit(theirs).path)
        fact = facts[urlsplit(ours).path.removeprefix("/pypi")]
        assert unquote(urlsplit(fact.url).path) == unquote(urlsplit(theirs).path)


@given(st.lists(URL, max_size=5))
def test_a_rewritten_json_page_resolves_to_the_same_files(urls: list[str]) -> None:
    body = json.dumps({"meta": {"api-version": "1.0"}, "files": [{"url": url} for url in urls]}).encode()
    rewritten = json.loads(simple_pages.rewritten(body, JSON, page=PAGE, form=simple_types.JSON).body)
    names = {fact.name for fact in simple_pages.facts(body, JSON, page=PAGE)}
    for url, file in zip(urls, rewritten["files"], strict=True):
        ours = urlsplit(urljoin(OURS, file["url"])).path
        assert unquote(ours) == "/pypi/files" + unquote(urlsplit(urljoin(PAGE, url)).path)
        assert ours.removeprefix("/pypi") in names


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "<a",
            " href",
            "=",
            '"',
            "'",
            ">",
            "<",
            "/",
            "!--",
            "-->",
            "x",
            "<base",
            "<script",
            "</script",
            "&amp;",
            " ",
            "[",
            "é",
        ]
    )
)


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(st.one_of(st.binary(max_size=200), FRAGMENTS.map(lambda parts: "".join(parts).encode())))
def test_no_html_however_broken_raises_anything_but_an_origin_error(body: bytes) -> None:
    try:
        rewritten = simple_pages.rewritten(body, HTML, page=PAGE, form="text/html").body
        list(simple_pages.facts(body, HTML, page=PAGE))
        simple_root.rewritten(body, HTML, form="text/html")
        for form in (simple_types.JSON, simple_types.V1_HTML):
            json_or_html = simple_pages.rewritten(body, HTML, page=PAGE, form=form).body
            listed = simple_root.rewritten(body, HTML, form=form).body
            if form == simple_types.JSON:
                json.loads(json_or_html), json.loads(listed)
    except OriginError:
        return
    if b"href" not in body.lower():
        assert rewritten == body


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("http://upstream.test/a-1.zip"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["url", "hashes", "size", "core-metadata", "yanked", "filename", "provenance", "status"]),
            inner,
        )
    ),
    max_leaves=12,
)


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(
    st.dictionaries(
        st.sampled_from(["files", "meta", "urls", "releases", "versions", "project-status", "projects"]), VALUES
    )
)
def test_no_json_however_odd_raises_anything_but_an_origin_error(document: dict[str, object]) -> None:
    body = json.dumps(document).encode()
    for read in (
        lambda: simple_pages.rewritten(body, JSON, page=PAGE, form="text/html"),
        lambda: simple_pages.rewritten(body, JSON, page=PAGE, form=simple_types.JSON),
        lambda: list(simple_pages.facts(body, JSON, page=PAGE)),
        lambda: legacy_json.rewritten(body, JSON, page=PAGE, mount="http://host"),
        lambda: list(legacy_json.facts(body, JSON, page=PAGE)),
        lambda: simple_root.rewritten(body, JSON, form="text/html").body,
    ):
        with suppress(OriginError):
            read()
