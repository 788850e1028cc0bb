"""Who got what: the search of the bytes finds what reading every line would find, and nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from mirror.audit import searching
from mirror.audit.handed import handed
from mirror.audit.searching import search
from mirror.audit.wanted import EVERYTHING, by_client, wanted
from mirror.ecosystems.simple_versions import canonical
from mirror.errors import ConfigError
from mirror.model import Mirror, Request
from tests.audit.books import DAY, NOON, Written

MIRRORS = {"npm": Mirror("npm", "npm"), "pypi": Mirror("pypi", "pypi"), "debian": Mirror("debian", "apt")}
PATHS = [
    *(("pypi", f"/files/x/{name}-{version}.tar.gz") for name in ("six", "sixer", "zope.interface") for version in "12"),
    ("pypi", "/files/x/six-1.0-py3-none-any.whl"),
    ("npm", "/six/-/six-1.0.0.tgz"),
    ("npm", "/@six/six/-/six-1.0.0.tgz"),
    ("npm", '/odd/-/"package":"six","version":"1".tgz'.replace('"', "%22")),
    ("debian", "/pool/s/six_1.0-1_amd64.deb"),
    ("debian", "/pool/s/six_1.0-1_arm64.deb"),
]
ASKED = [
    *("pkg:pypi/six", "pkg:pypi/six@1", "pkg:pypi/Six@1.0.0", "pkg:pypi/zope.interface@2", "pkg:npm/six"),
    *("pkg:npm/%40six/six@1.0.0", "pkg:npm/six@2", "pkg:deb/debian/six@1.0-1?arch=arm64", "pkg:deb/six"),
    *("six", "six@1", "SIX", "@six/six", "@six/six@1.0.0", "zope.interface", "zope-interface@1.0", "nobody"),
]


@pytest.fixture
def record(tmp_path: Path) -> Written:
    return Written(tmp_path / "audit", max_file=6000)


def members(mirror: str, path: str, client: str = "10.0.0.1", token: str = "") -> str:
    known = handed(MIRRORS[mirror], Request("GET", path, token=token), "ab" * 32)
    assert known is not None
    return known.members(client, 200, 100, "HIT", whole=True)


def filled(record: Written) -> None:
    for number in range(6):
        batch = [(NOON + number, members(*each, client=f"10.0.0.{number}")) for each in PATHS]
        record.book().append(batch)


def naively(record: Written, asked: str) -> list[int]:
    """The numbers of the records about that, told from every line."""
    purl = PackageURL.from_string(asked) if asked.startswith("pkg:") else None
    name, _, version = asked[1:].rpartition("@") if "@" in asked[1:] else (asked[1:], "", "")
    name = asked[0] + name
    found = []
    for told in record.told():
        if told["event"] != "given":
            continue
        own = PackageURL.from_string(told["purl"])
        if purl is None:
            right = told["package"] in (name, name.lower().replace(".", "-"))
        else:
            version = purl.version or ""
            spaced = purl.type == "deb" or own.namespace == purl.namespace
            right = (own.type, own.name) == (purl.type, purl.name.replace(".", "-")) and spaced
            right = right and purl.qualifiers.items() <= own.qualifiers.items()
        if right and (not version or canonical(told["version"]) == canonical(version)):
            found.append(told["n"])
    return found


@pytest.mark.parametrize("chunk", [100, 1000, 1 << 18])
@pytest.mark.parametrize("asked", ASKED)
def test_it_finds_what_reading_every_line_finds(
    record: Written, asked: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "CHUNK", chunk)
    filled(record)
    assert len(record.files()) > 3
    found = [told["n"] for told in search(record.folder, wanted(asked))]
    assert found == naively(record, asked)
    assert bool(found) == (asked not in ("nobody", "pkg:npm/six@2"))


def test_everything_is_found_and_nothing_of_the_record_itself(record: Written) -> None:
    filled(record)
    assert [told["n"] for told in search(record.folder, EVERYTHING)] == [
        told["n"] for told in record.told() if told["event"] == "given"
    ]


def test_a_client_is_found_by_address_and_by_token(record: Written) -> None:
    lines = [("10.0.0.1", ""), ("10.0.0.12", ""), ("10.0.0.2", "ci"), ("ci", "")]
    record.book().append([(NOON, members("npm", "/six/-/six-1.0.0.tgz", *each)) for each in lines])
    numbers = {name: [told["n"] - 2 for told in search(record.folder, by_client(name))] for name in ("10.0.0.1", "ci")}
    assert numbers == {"10.0.0.1": [0], "ci": [2, 3]}


def test_only_what_is_within_the_time(record: Written) -> None:
    for _ in range(4):
        record.given(2)
        record.clock.now += DAY

    def days(since: str, until: str = "~") -> list[str]:
        found = search(record.folder, wanted("six"), since, until)
        return sorted({told["time"][8:10] for told in found})

    assert days("") == ["26", "27", "28", "29"]
    assert days("2026-11-28T00:00:00.000Z") == ["28", "29"]
    assert days("2026-11-27T12:00:00.000Z", "2026-11-28T12:00:00.000Z") == ["27"]
    assert days("2026-12-01T00:00:00.000Z") == []


def test_a_tenth_of_a_million_records_is_searched_in_a_tenth_of_a_second(record: Written) -> None:
    """Of CPU; `python -m bench.audit` has the whole million, and the clock on the wall."""
    paths = [("pypi", f"/files/x/package-{number}-1.{number}-py3-none-any.whl") for number in range(500)]
    made = [members(*path) for path in paths]
    for _ in range(10):
        record.book().append([(NOON, members("pypi", "/files/x/six-1.tar.gz")), *((NOON, each) for each in made * 20)])
    spent = []
    for _ in range(5):
        began = time.process_time()
        assert len(list(search(record.folder, wanted("pkg:pypi/six@1.0")))) == 10
        spent.append(time.process_time() - began)
    assert min(spent) < 0.1


def test_lines_that_are_none_are_passed_over(record: Written) -> None:
    record.given(3)
    with record.files()[-1].open("ab") as file:
        file.write(b'{"n":5,"event":"given","package":"six","version":"1.0"')
    assert len(list(search(record.folder, wanted("six")))) == 3


@pytest.mark.parametrize("asked", ["pkg:", "pkg:gem/rails", "pkg:pypi"])
def test_what_is_no_package_url_of_ours_is_said(asked: str) -> None:
    with pytest.raises(ConfigError):
        wanted(asked)


texts = st.text(st.characters() | st.sampled_from('"\\,:'), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(names=st.lists(texts, min_size=1, max_size=8), asked=texts, data=st.data())
def test_whatever_the_names_are(tmp_path: Path, names: list[str], asked: str, data: st.DataObject) -> None:
    from urllib.parse import quote

    record = Written(tmp_path / str(uuid4()))
    asked = data.draw(st.sampled_from([asked, *names]))
    mirror = Mirror("o", "http")
    known = [handed(mirror, Request("GET", f"/{quote(name, errors='replace')}")) for name in names]
    lines = [each.members(name, 200, 1, "HIT", whole=True) for each, name in zip(known, names, strict=True) if each]
    record.book().append([(NOON, line) for line in lines])
    told: list[dict[str, Any]] = [json.loads(f"{{{line}}}") for line in lines]
    found = [line["client"] for line in search(record.folder, by_client(asked))]
    assert found == [line["client"] for line in told if line["client"] == asked]


def test_what_a_crash_left_of_a_line_hides_no_line_behind_it(record: Written) -> None:
    record.given(1)
    torn = b'{"n":4,"event":"given","package":"six","version":"1'
    with record.files()[-1].open("ab") as file:
        file.write(torn + b"\n")
    record.book().append([(NOON, members("pypi", "/files/x/six-1.7.tar.gz"))])
    assert [told["version"] for told in search(record.folder, wanted("six@1.7"))] == ["1.7"]


@pytest.mark.parametrize("client", ["10.0.0.1", 'q"\\é', ""])
def test_a_line_tells_what_its_json_says_whoever_got_it_and_however_often(record: Written, client: str) -> None:
    for path in PATHS:
        batch = [(NOON + at, members(*path, client=f"{client}{at}", token="ci" * (at % 2))) for at in range(4)]
        record.book().append(batch)
    found = list(search(record.folder, EVERYTHING))
    assert found == [told for told in record.told() if told["event"] == "given"]
    assert [list(told) for told in found] == [list(told) for told in record.told() if told["event"] == "given"]


def test_lines_that_end_in_the_same_bytes_are_parsed_once(record: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    record.book().append(
        [(NOON + at, members("pypi", "/files/x/six-1.tar.gz", client=f"10.0.0.{at}")) for at in range(9)]
    )
    parsed = []
    monkeypatch.setattr(
        searching.json, "loads", lambda text: parsed.append(text) or json.JSONDecoder().decode(text.decode())
    )
    assert len({told["client"] for told in search(record.folder, wanted("pkg:pypi/six"))}) == 9
    assert len(parsed) == 2  # the first line, and its end
