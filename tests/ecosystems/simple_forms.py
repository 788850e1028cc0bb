"""Project pages to be made into another form, and what a client reads from them."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

from mirror.ecosystems import simple_pages
from mirror.model import Headers

PAGE = "http://upstream.test/simple/six/"
JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"

WHEEL, SDIST = "six-1.17.0-py2.py3-none-any.whl", "six-1.16.0.tar.gz"
W_SHA, S_SHA, M_SHA = "a1" * 32, "b2" * 32, "c3" * 32
FILES = "https://files.upstream.test/packages/b7/ce/"
OURS = "../../files/packages/b7/ce/"
PROVENANCE = f"https://upstream.test/integrity/six/1.17.0/{WHEEL}/provenance"


class Page(HTMLParser):
    """A page's metas and anchors, as clients that use the standard library's parser read them."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.metas: dict[str, str | None] = {}
        self.anchors: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.inside = False
        self.feed(body.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "meta":
            self.metas[found["name"] or ""] = found["content"]
        if tag == "a":
            self.anchors.append(found)
            self.inside = True

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts.append(data)
        self.inside = False

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def made(body: bytes | str, sent: str, form: str, **fields: str) -> bytes:
    text = body.encode() if isinstance(body, str) else body
    headers = Headers.of({"content-type": sent, **fields})
    return simple_pages.rewritten(text, headers, page=PAGE, form=form).body


def html(document: dict[str, Any], form: str = "text/html", **fields: str) -> Page:
    return Page(made(json.dumps(document), JSON, form, **fields))


def as_json(body: str, **fields: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(made(body, "text/html", JSON, **fields))
    return document


def described(**keys: Any) -> dict[str, Any]:
    """A JSON page with one wheel that has these keys."""
    file = {"filename": WHEEL, "url": FILES + WHEEL, "hashes": {"sha256": W_SHA}}
    keys = {name.replace("_", "-"): value for name, value in keys.items()}
    return {"meta": {"api-version": "1.4"}, "name": "six", "files": [file | keys]}


def linked(attributes: str = "", file: str = WHEEL, fragment: str = f"#sha256={W_SHA}") -> str:
    return f'<a href="{FILES}{file}{fragment}" {attributes}>{file}</a><br>\n'
