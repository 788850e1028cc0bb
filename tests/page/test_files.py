"""The page's files: how they are served, and what must not stand in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.instruments.server import Served, http_mirror, served

UI = Path(__file__).parents[2] / "mirror" / "web" / "ui"
NAMES = sorted(path.name for path in UI.iterdir())
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("files"), http_mirror(NOWHERE)) as found:
        yield found


def ask(server: Served, path: str, method: str = "GET", **fields: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize("path", ["/-/", *(f"/-/ui/{name}" for name in NAMES if name != "index.html")])
def test_each_file_comes_as_what_it_is_under_a_policy_that_lets_nothing_else_in(server: Served, path: str) -> None:
    answer, body = ask(server, path)
    name = "index.html" if path == "/-/" else path.rpartition("/")[2]
    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert (answer.status, body) == (200, (UI / name).read_bytes())
    assert answer.headers["Content-Type"].split(";")[0] == kinds[name.rpartition(".")[2]]
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_browser_that_has_a_file_does_not_get_it_again(server: Served) -> None:
    etag = ask(server, "/-/ui/main.js")[0].headers["ETag"]
    answer, body = ask(server, "/-/ui/main.js", If_None_Match=f'"other", W/{etag}')
    assert (answer.status, body, answer.headers["ETag"]) == (304, b"", etag)
    assert ask(server, "/-/ui/main.js", If_None_Match='"other"')[0].status == 200


def test_head_is_answered_like_get_without_the_body(server: Served) -> None:
    answer, body = ask(server, "/-/", "HEAD")
    assert (answer.status, body) == (200, b"")
    assert answer.headers["Content-Length"] == str((UI / "index.html").stat().st_size)


def test_the_address_without_slash_leads_to_the_page(server: Served) -> None:
    answer, _ = ask(server, "/-")
    assert (answer.status, answer.headers["Location"]) == (308, "/-/")


@pytest.mark.parametrize("path", ["/-/ui/", "/-/ui/nothing.js", "/-/ui/index.html", "/-/ui/..%2fpage.py", "/-/ui/%00"])
def test_there_are_no_other_files(server: Served, path: str) -> None:
    assert ask(server, path)[0].status == 404


def test_without_the_page_there_is_nothing_but_the_api(tmp_path: Path) -> None:
    config = http_mirror(NOWHERE) + "[admin]\npage = false\n"
    with served(tmp_path, config) as server:
        assert [ask(server, path)[0].status for path in ("/-", "/-/", "/-/ui/main.js")] == [404, 404, 404]
        assert ask(server, "/-/api/stats")[0].status == 200
        file = server.folder / "config.toml"
        file.write_text(file.read_text().replace("page = false", "page = true"))
        assert ask(server, "/-/api/reload", "POST")[0].status == 200
        assert ask(server, "/-/")[0].status == 200


@pytest.mark.parametrize("workers", [3])
def test_each_of_several_processes_answers_it(tmp_path: Path, workers: int) -> None:
    with served(tmp_path, http_mirror(NOWHERE), workers) as server:
        assert {ask(server, path)[0].status for path in ["/-/", "/-/ui/main.js"] * 6} == {200}
        assert {ask(server, "/-")[0].status for _ in range(6)} == {308}


def test_nothing_in_the_files_comes_from_elsewhere_or_makes_markup_of_text() -> None:
    for name in NAMES:
        text = (UI / name).read_text()
        assert set(re.findall(r"(?:https?:)?//[a-z][\w.-]*", text)) <= {"http://www.w3.org"} or name.endswith(".js")
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="):
            assert forbidden not in text, (name, forbidden)
    page = (UI / "index.html").read_text()
    assert not re.findall(r"<script(?![^>]*\bsrc=)", page)
    assert not re.findall(r"\son[a-z]+=", page)


def test_every_name_that_the_modules_import_and_every_id_that_they_look_for_is_there() -> None:
    page = (UI / "index.html").read_text()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for name in NAMES:
        text = (UI / name).read_text()
        assert set(re.findall(r'from "\./([\w.]+)"', text)) <= set(NAMES), name
        assert set(re.findall(r'\$\("([\w-]+)"\)', text)) <= set(ids), name
    assert set(re.findall(r'ui/([\w.]+)"', page)) <= set(NAMES)
