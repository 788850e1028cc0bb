"""The index of Python packages without faults is what it says, and its faults are what they say."""

from __future__ import annotations

import gzip
import http.client
import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from urllib.parse import urlsplit

import pytest

from tests.instruments.python_faults import FAULTS
from tests.instruments.python_index import PythonIndex, python_index
from tests.instruments.python_packages import world
from tests.instruments.python_pages import JSON, V1_HTML, etag

Answer = tuple[int, http.client.HTTPMessage, bytes]


@pytest.fixture(scope="module")
def real() -> Iterator[PythonIndex]:
    with python_index("real") as index:
        yield index


@pytest.fixture(scope="module")
def poor() -> Iterator[PythonIndex]:
    with python_index("poor") as index:
        yield index


def ask(url: str, *, method: str = "GET", **fields: str) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        given = {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request(method, parts.path, headers=given)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_the_world_is_always_the_same_bytes_and_its_wheels_are_wheels() -> None:
    files = [file for project in world().values() for file in project.files]
    assert [file.sha256 for file in files] == [file.sha256 for project in world().values() for file in project.files]
    for file in files:
        if file.name.endswith(".whl"):
            with zipfile.ZipFile(BytesIO(file.body)) as wheel:
                assert wheel.testzip() is None
                assert file.metadata in [wheel.read(name) for name in wheel.namelist() if name.endswith("METADATA")]


@pytest.mark.parametrize(
    ("accept", "type_"),
    [
        ({}, "text/html; charset=UTF-8"),
        ({"accept": "text/plain"}, "text/html; charset=UTF-8"),
        ({"accept": f"{V1_HTML};q=0.5, {JSON};q=0.4"}, V1_HTML),
        ({"accept": "application/vnd.pypi.simple.latest+json"}, JSON),
    ],
)
def test_the_real_one_chooses_by_accept(real: PythonIndex, accept: dict[str, str], type_: str) -> None:
    status, fields, body = ask(f"{real.simple}/tool/", **accept)
    assert (status, fields["content-type"], fields["etag"]) == (200, type_, etag(body))
    assert (fields["cache-control"], fields["vary"]) == ("max-age=600, public", "Accept, Accept-Encoding")
    assert fields["x-pypi-last-serial"]
    assert body.startswith(b"{") == (type_ == JSON)


def test_the_real_one_compresses_and_its_tag_is_that_of_the_page(real: PythonIndex) -> None:
    plain = ask(f"{real.simple}/tool/", accept=JSON)
    status, fields, body = ask(f"{real.simple}/tool/", accept=JSON, accept_encoding="gzip")
    assert (status, fields["content-encoding"], fields["etag"]) == (200, "gzip", plain[1]["etag"])
    assert gzip.decompress(body) == plain[2]
    status, fields, body = ask(f"{real.simple}/tool/", accept=JSON, if_none_match=plain[1]["etag"])
    assert (status, body, fields["vary"]) == (304, b"", "Accept, Accept-Encoding")


def test_the_real_one_redirects_to_the_one_address_of_a_project(real: PythonIndex, poor: PythonIndex) -> None:
    for path in ("/lib_core/", "/LIB-CORE", "/Lib.Core/", "/lib-core"):
        status, fields, _ = ask(real.simple + path)
        assert (status, fields["location"]) == (301, "/simple/lib-core/")
    assert ask(f"{poor.simple}/lib_core/")[0] == 200
    assert (ask(f"{poor.simple}/lib-core")[0], ask(f"{poor.simple}/lib-core")[1]["location"]) == (
        308,
        "/simple/lib-core/",
    )


def test_files_of_the_real_one_have_ranges_and_are_never_a_304(real: PythonIndex) -> None:
    file = real.projects["speed"].files[0]
    url = real.files.url(file.path)
    status, fields, body = ask(url)
    assert (status, body, "immutable" in fields["cache-control"]) == (200, file.body, True)
    assert ask(url, if_none_match=fields["etag"])[0] == 200
    assert ask(url, range="bytes=-7")[::2] == (206, file.body[-7:])
    assert ask(url, range="bytes=5-9", if_range=fields["last-modified"])[::2] == (206, file.body[5:10])
    assert ask(url, range="bytes=5-9", if_range='"other"')[0] == 200
    assert ask(url, range=f"bytes={len(file.body)}-")[0] == 416
    assert ask(url.replace("%2B", "+"))[0] == 404
    assert ask(f"{url}.metadata", accept_encoding="gzip")[1]["content-encoding"] == "gzip"
    assert ask(f"{url}.metadata")[2] == file.metadata


def test_the_poor_one_has_nothing_but_html(poor: PythonIndex) -> None:
    file = poor.projects["speed"].files[0]
    pages = [ask(f"{poor.simple}/speed/", accept=JSON, accept_encoding="gzip"), ask(poor.files.url(file.path))]
    for status, fields, _ in pages:
        named = {name.lower() for name in fields}
        assert (status, named) == (200, {"date", "content-type", "content-length"})
    assert pages[0][1]["content-type"] == "text/html"
    assert b"core-metadata" not in pages[0][2]
    assert ask(poor.files.url(file.path), range="bytes=0-9")[::2] == (200, file.body)
    assert ask(poor.files.url(f"{file.path}.metadata"))[::2] == (200, file.metadata)


def test_a_fault_befalls_as_many_requests_as_it_should(real: PythonIndex) -> None:
    file = real.single("fault-count")[1]
    real.fault(file.path, "500", times=2)
    assert [ask(real.files.url(file.path))[0] for _ in range(3)] == [500, 500, 200]
    real.fault(file.path, "429")
    assert ask(real.files.url(file.path))[1]["retry-after"] == "1"
    real.mend(file.path)
    assert ask(real.files.url(file.path))[2] == file.body


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - {"held", "silent", "drip", "304 without vary"}))
def test_each_fault_is_one(real: PythonIndex, name: str) -> None:
    file = real.single(f"fault-{sorted(FAULTS).index(name)}")[1]
    fine = ask(real.files.url(file.path))
    real.fault(file.path, name)
    try:
        faulty = ask(real.files.url(file.path))
    except (http.client.HTTPException, ConnectionError):
        return
    for answer in (fine, faulty):
        del answer[1]["date"]
    assert (faulty[0], faulty[1].items(), faulty[2]) != (fine[0], fine[1].items(), fine[2])


def test_what_went_astray_is_on_the_host_beyond(real: PythonIndex) -> None:
    file = real.single("astray")[1]
    real.astray(file.path)
    status, fields, _ = ask(real.files.url(file.path))
    assert (status, fields["location"]) == (302, real.beyond.url(file.path))
    assert ask(fields["location"])[2] == file.body
    assert real.beyond.requests(file.path) == 1


def test_down_is_down_and_up_is_up(real: PythonIndex) -> None:
    real.down()
    with pytest.raises(ConnectionRefusedError):
        ask(f"{real.simple}/tool/")
    real.up()
    assert json.loads(ask(f"{real.simple}/tool/", accept=JSON)[2])["versions"] == ["1.0", "2.0", "0.9"]
