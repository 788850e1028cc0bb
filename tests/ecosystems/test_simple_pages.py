"""What pages of the simple API say of files, and how their links become ours."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from mirror.ecosystems import simple_pages
from mirror.errors import OriginError
from mirror.model import Digest, Fact, Headers, Rewritten

PAGE = "http://upstream.test/simple/six/"
JSON = "application/vnd.pypi.simple.v1+json"

WHEEL = "six-1.17.0-py2.py3-none-any.whl"
SDIST = "six-1.17.0.tar.gz"
W_SHA, S_SHA, M_SHA = "a1" * 32, "b2" * 32, "c3" * 32
FILES = "https://files.upstream.test/packages/b7/ce/"


def fields(content_type: str) -> Headers:
    return Headers.of({"content-type": content_type})


def page(body: str, content_type: str = "text/html", form: str = "") -> Rewritten:
    """The page in the form that it has, or in `form`."""
    form = form or (JSON if content_type.startswith((JSON, "application/json")) else "text/html")
    return simple_pages.rewritten(body.encode(), fields(content_type), page=PAGE, form=form)


def facts(body: str, content_type: str = "text/html") -> dict[str, Fact]:
    found = list(simple_pages.facts(body.encode(), fields(content_type), page=PAGE))
    assert len({fact.name for fact in found}) == len(found)
    return {fact.name: fact for fact in found}


HTML_PAGE = f"""<!DOCTYPE html>
<html>
  <head><meta name="pypi:repository-version" content="1.4"><title>Links for <a href="x.whl"></title></head>
  <body>
    <!-- <a href="https://files.upstream.test/commented-1.0.zip">no</a> -->
    <h1>Links for six — é</h1>
    <a href="{FILES}{WHEEL}#sha256={W_SHA}" data-requires-python="&gt;=2.7, !=3.0.*"
      data-dist-info-metadata="sha256={M_SHA}" data-core-metadata="sha256={M_SHA}">{WHEEL}</a><br />
    <A data-yanked='because > of "x"' HREF = '{FILES}{SDIST}?sig=1&amp;e=2#sha256={S_SHA}'>{SDIST}</A>
    <a href=../../packages/old/six-0.9.zip#md5={"0f" * 16}&amp;egg=six-0.9>six-0.9.zip</a>
    <a href="https://example.com/">home page</a> <a href="mailto:x@example.com">mail</a> <a name="top">top</a>
  </body>
</html>
<!--SERIAL 1-->"""

JSON_PAGE: dict[str, Any] = {
    "meta": {"api-version": "1.4", "_last-serial": 12},
    "name": "six",
    "versions": ["1.17.0", "1.0.0", "0.9"],
    "unknown": {"ü": 1.5},
    "files": [
        {
            "filename": WHEEL,
            "url": FILES + WHEEL,
            "hashes": {"md5": "0f" * 16, "sha256": W_SHA},
            "size": 11050,
            "yanked": False,
            "core-metadata": {"sha256": M_SHA},
        },
        {"filename": SDIST, "url": "../../packages/s/" + SDIST, "hashes": {"sha256": S_SHA}, "core-metadata": True},
        {
            "filename": "six-1.0-py3-none-any.whl",
            "url": FILES + "six-1.0-py3-none-any.whl",
            "hashes": {},
            "core-metadata": False,
        },
        {"filename": "six-0.9-py3-none-any.whl", "url": FILES + "six-0.9-py3-none-any.whl", "hashes": {}, "size": -1},
    ],
}


def test_links_of_an_html_page_become_relative_and_every_other_byte_stays() -> None:
    rewritten = page(HTML_PAGE).body.decode()
    expected = HTML_PAGE
    for old, new in [
        (f'"{FILES}{WHEEL}#', f'"../../files/packages/b7/ce/{WHEEL}#'),
        (f"'{FILES}{SDIST}?sig=1&amp;e=2#sha256={S_SHA}'", f'"../../files/packages/b7/ce/{SDIST}#sha256={S_SHA}"'),
        ("=../../packages/old/six-0.9.zip#md5=", '="../../files/packages/old/six-0.9.zip#md5='),
        ("&amp;egg=six-0.9>", '&amp;egg=six-0.9">'),
    ]:
        assert old in expected
        expected = expected.replace(old, new)
    assert rewritten == expected


def test_an_html_page_says_where_its_files_are_and_what_they_must_be() -> None:
    found = facts(HTML_PAGE)
    assert found["/files/packages/b7/ce/" + WHEEL] == Fact(
        *("/files/packages/b7/ce/" + WHEEL, FILES + WHEEL, Digest("sha256", W_SHA), None, "six", "1.17.0")
    )
    assert found[f"/files/packages/b7/ce/{WHEEL}.metadata"] == Fact(
        *(f"/files/packages/b7/ce/{WHEEL}.metadata", f"{FILES}{WHEEL}.metadata", Digest("sha256", M_SHA)),
        *(None, "six", "1.17.0"),
    )
    assert found["/files/packages/b7/ce/" + SDIST].url == f"{FILES}{SDIST}?sig=1&e=2"
    old = found["/files/packages/old/six-0.9.zip"]
    assert (old.url, old.digest) == ("http://upstream.test/packages/old/six-0.9.zip", Digest("md5", "0f" * 16))
    assert len(found) == 4


def test_a_json_page_keeps_all_but_its_urls() -> None:
    rewritten = json.loads(page(json.dumps(JSON_PAGE), JSON).body)
    urls = [file["url"] for file in rewritten["files"]]
    assert urls[:2] == [f"../../files/packages/b7/ce/{WHEEL}", f"../../files/packages/s/{SDIST}"]
    for file, original in zip(rewritten["files"], JSON_PAGE["files"], strict=True):
        file["url"] = original["url"]
        if original.get("core-metadata"):
            assert file.pop("dist-info-metadata") == file["core-metadata"]
    assert rewritten == JSON_PAGE
    assert list(rewritten) == list(JSON_PAGE)


def test_a_json_page_says_sizes_and_which_metadata_there_is() -> None:
    found = facts(json.dumps(JSON_PAGE), JSON)
    name = "/files/packages/b7/ce/"
    assert found[name + WHEEL] == Fact(name + WHEEL, FILES + WHEEL, Digest("sha256", W_SHA), 11050, "six", "1.17.0")
    assert found[f"{name}{WHEEL}.metadata"].digest == Digest("sha256", M_SHA)
    assert found[f"/files/packages/s/{SDIST}"].url == f"http://upstream.test/packages/s/{SDIST}"
    announced = found[f"/files/packages/s/{SDIST}.metadata"]
    assert (announced.digest, announced.url) == (None, f"http://upstream.test/packages/s/{SDIST}.metadata")
    assert f"{name}six-1.0-py3-none-any.whl.metadata" not in found
    silent = found[f"{name}six-0.9-py3-none-any.whl"]
    assert (silent.digest, silent.size) == (None, None)
    assert found[f"{name}six-0.9-py3-none-any.whl.metadata"].digest is None


def test_the_type_of_the_answer_decides_how_it_is_read() -> None:
    assert page(HTML_PAGE, "text/html").body == page(HTML_PAGE).body
    assert facts(json.dumps(JSON_PAGE), "application/json") == facts(json.dumps(JSON_PAGE), f"{JSON}; x=y")


def test_a_page_with_a_base_resolves_against_it_and_loses_it() -> None:
    body = '<head><base target="_top" href="https://files.upstream.test/x/"></head><a href="y/six-1.zip">six</a>'
    assert page(body).body == b'<head><base target="_top" ></head><a href="../../files/x/y/six-1.zip">six</a>'
    assert facts(body)["/files/x/y/six-1.zip"].url == "https://files.upstream.test/x/y/six-1.zip"


def test_only_files_on_http_hosts_are_facts() -> None:
    links = ["ftp://upstream.test/six-1.zip", "file:///etc/six-1.zip", "https:///six-1.zip", "javascript:six-1.zip"]
    links += [
        "http://[/six-1.zip",
        "http://upstream.test:99999/six-1.zip",
        "https://upstream.test/%2e%2e/six-1.zip",
        "#six",
        "",
    ]
    body = "".join(f'<a href="{link}">x</a>' for link in links)
    assert facts(body) == {}
    assert page(body).body == body.encode()


@pytest.mark.parametrize("tail", ["<a href='x", "<a ", "<!--", "<script>", '<a href="six-1.zip'])
def test_a_page_that_ends_within_a_tag_keeps_its_bytes(tail: str) -> None:
    assert page("<p>" + tail).body == b"<p>" + tail.encode()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{", JSON),
        ("[]", JSON),
        ("{}", JSON),
        ('{"files":{}}', JSON),
        ('{"files":[1]}', JSON),
        ('{"files":[{"url":7}]}', JSON),
        ('{"meta":{"api-version":"2.0"},"files":[]}', JSON),
        ('{"meta":{"api-version":1},"files":[]}', JSON),
        ('{"meta":[],"files":[]}', JSON),
        ("<a>", "application/vnd.pypi.simple.v2+json"),
        ("%PDF", "application/pdf"),
        ('<meta name="pypi:repository-version" content="2.0">', "text/html"),
        ('<base href="http://[">', "text/html"),
    ],
)
def test_what_is_no_page_is_the_origins_error(body: str, content_type: str) -> None:
    with pytest.raises(OriginError):
        page(body, content_type)
    with pytest.raises(OriginError):
        facts(body, content_type)


def test_a_page_that_is_stored_compressed_is_read_all_the_same() -> None:
    headers = fields("text/html").set("content-encoding", "gzip")
    packed = gzip.compress(HTML_PAGE.encode())
    rewritten = simple_pages.rewritten(packed, headers, page=PAGE, form="text/html")
    assert rewritten.body == page(HTML_PAGE).body
    assert {fact.name: fact for fact in simple_pages.facts(packed, headers, page=PAGE)} == facts(HTML_PAGE)


def test_html_keeps_upstreams_charset_and_json_has_none() -> None:
    assert page("<a>").content_type == "text/html; charset=utf-8"
    assert page("<a>", "text/html; charset=latin-1").content_type == "text/html; charset=latin-1"
    assert page(json.dumps(JSON_PAGE), f"{JSON}; charset=utf-8").content_type == JSON
