"""The list of all projects: its three forms, made while it is sent."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator

import pytest

from mirror.ecosystems import simple_root
from mirror.errors import OriginError
from mirror.model import Headers, Rewritten

JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
LISTED = b'{ "meta": {"api-version": "1.4", "_last-serial": 7}, "projects": [{"name": "Foo_Bar"}, {"name": "six"}] }'
LINKS = b'<a href="/simple/six/">six</a><a href="https://upstream.test/simple/Foo.Bar">F</a><a href="?page=2">2</a>'


def root(body: bytes, sent: str, form: str, **fields: str) -> Rewritten:
    return simple_root.rewritten(body, Headers.of({"content-type": sent, **fields}), form=form)


def test_links_of_html_lead_to_our_pages_and_every_other_byte_stays() -> None:
    body = b'<base href="/x/">' + LINKS + b"\xff"
    made = root(body, "text/html", "text/html")
    assert made.body == b'<base ><a href="six/">six</a><a href="Foo.Bar/">F</a><a href="?page=2">2</a>\xff'


def test_json_passes_as_it_is() -> None:
    made = root(LISTED, JSON, JSON)
    assert (made.body, made.content_type) == (LISTED, JSON)
    packed = root(gzip.compress(LISTED), f"{JSON}; charset=utf-8", JSON, **{"content-encoding": "gzip"})
    assert packed.body == LISTED


@pytest.mark.parametrize("form", ["text/html", V1_HTML])
def test_html_is_made_of_json(form: str) -> None:
    body = LISTED.replace(b'"six"', b'"s\\u0069x"').replace(b"]", b', {"name": "<b>"}, {"name": "\xc3\xa9"}]')
    made = root(body, JSON, form)
    text = made.body.decode()
    assert re.findall('<a href="(.*)">(.*)</a>', text) == [("foo-bar/", "Foo_Bar"), ("six/", "six")]
    assert '<meta name="pypi:repository-version" content="1.4">' in text
    assert text.endswith("<!--SERIAL 7-->\n")
    assert made.content_type == f"{form}; charset=utf-8"


def test_json_is_made_of_html() -> None:
    body = LINKS + b'<a href="/simple/foo-bar/">Foo_&#66;ar</a><a href="x">'
    made = root(body, "text/html", JSON, **{"x-pypi-last-serial": "9"})
    assert json.loads(made.body) == {
        "meta": {"api-version": "1.0", "_last-serial": 9},
        "projects": [{"name": "six"}, {"name": "Foo.Bar"}, {"name": "Foo_Bar"}, {"name": "x"}],
    }
    assert made.content_type == JSON
    assert json.loads(root(b"", "text/html", JSON).body)["projects"] == []


@pytest.mark.parametrize("form", [JSON, "text/html"])
@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"[]", JSON),
        (b"{}", JSON),
        (b'{"projects":{}}', JSON),
        (b'{"projects":[1]}', JSON),
        (b'{"projects":[{"name":1}]}', JSON),
        (LISTED[:-1], JSON),
        (LISTED + b"x", JSON),
        (LISTED.replace(b"1.4", b"2.0"), JSON),
        (LISTED.replace(b'{"api-version": "1.4", "_last-serial": 7}', b"[]"), JSON),
        (LISTED.replace(b"7", b"NaN"), JSON),
        (b'{"projects":' + b"[" * 100_000, JSON),
        (b'<meta name="pypi:repository-version" content="2.0"><a href="six/">six</a>', "text/html"),
        (b"%PDF", "application/pdf"),
    ],
)
def test_what_is_no_list_is_the_origins_error_before_the_first_byte(form: str, body: bytes, sent: str) -> None:
    with pytest.raises(OriginError):
        root(body, sent, form)


@pytest.mark.parametrize("form", [JSON, "text/html"])
@pytest.mark.parametrize("sent", [JSON, "text/html"])
def test_a_large_list_is_made_while_it_is_taken_in_pieces_of_one_size(sent: str, form: str) -> None:
    names = [f"project-{number}" for number in range(50_000)]
    listed = json.dumps({"projects": [{"name": name} for name in names]})
    body = listed if sent == JSON else "".join(f'<a href="{name}/">{name}</a>' for name in names)
    made = root(body.encode(), sent, form)
    assert isinstance(made.pieces, Iterator)
    pieces = list(made.pieces)
    assert len(pieces) > 5
    assert max(map(len, pieces)) < 256 * 1024
    pattern = r'"name": ?"([^"]*)"' if form == JSON else r'href="([^"]*)/"'
    assert re.findall(pattern, b"".join(pieces).decode()) == names
