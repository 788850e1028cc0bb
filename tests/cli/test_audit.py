"""`mirror audit` reads the files of the record: who got what, whether it is whole, and all of it as CycloneDX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mirror.audit.handed import Decision, handed
from mirror.cli import main
from mirror.model import Mirror, Request
from tests.audit.books import DAY, NOON, Written

CONFIG = '[audit]\nenabled = true\npath = "audit"\n[mirrors.o]\necosystem = "http"\nupstream = "http://upstream.test"\n'
WHEEL = ("pypi", "pypi", "/files/x/six-1.16.0-py3-none-any.whl")
SCOPED = ("npm", "npm", "/@acme/tool/-/tool-2.0.0.tgz")
DEB = ("debian", "apt", "/pool/c/curl_7.50.3-1_i386.deb")
ANY = ("get", "any", "/https/downloads.example.com/tool.tar.gz")


def members(
    artifact: tuple[str, str, str],
    client: str = "10.0.0.1",
    token: str = "",
    *,
    status: int = 200,
    whole: bool = True,
    refused: bool = False,
    digest: str = "ab" * 32,
) -> str:
    name, ecosystem, path = artifact
    decision = Decision("cooldown", allowed=False) if refused else Decision()
    request = Request("GET", path, token=token)
    known = handed(Mirror(name, ecosystem), request, digest, decision, refused=refused)
    assert known is not None
    return known.members(client, status, 11_053, "HIT", whole=whole)


class Line:
    """The command line over a record of a few days."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._config = folder / "config.toml"
        self._config.write_text(CONFIG)
        self._capsys = capsys
        self.record = Written(folder / "audit")

    def write(self, *members: str) -> None:
        self.record.book().append([(self.record.clock.now, each) for each in members])

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["audit", *arguments, "--config", str(self._config)])
        said = self._capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Line:
    line = Line(tmp_path, capsys)
    line.write(members(WHEEL), members(SCOPED, "10.0.0.2", "ci"))
    line.record.clock.now += DAY
    line.write(members(WHEEL, "10.0.0.2"), members(DEB), members(ANY), members(SCOPED, status=403, refused=True))
    return line


def test_who_got_a_package_and_when(line: Line) -> None:
    code, said, told = line.run("who", "six")
    assert (code, told) == (0, "2 records, 2 clients\n")
    assert [row.split() for row in said.splitlines()] == [
        ["time", "client", "token", "package", "version", "file", "bytes", "outcome"],
        ["2026-11-26T12:00:00.000Z", "10.0.0.1", "-", "six", "1.16.0", "six-1.16.0-py3-none-any.whl", "11.1kB", "HIT"],
        ["2026-11-27T12:00:00.000Z", "10.0.0.2", "-", "six", "1.16.0", "six-1.16.0-py3-none-any.whl", "11.1kB", "HIT"],
    ]


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        (("pkg:pypi/six@1.16.0",), 2),
        (("pkg:pypi/six@1.15.0",), 0),
        (("pkg:npm/%40acme/tool",), 2),
        (("@acme/tool@2.0.0",), 2),
        (("six", "--since", "2026-11-27"), 1),
        (("six", "--until", "2026-11-27T12:00"), 1),
        (("six", "--since", "2026-11-26T13:00+01:00"), 2),
        (("six", "--until", "2026-11-26T11:59:59.999"), 0),
    ],
)
def test_who_as_json(line: Line, asked: tuple[str, ...], count: int) -> None:
    code, said, _ = line.run("who", *asked, "--json")
    assert code == 0
    assert len([json.loads(each) for each in said.splitlines()]) == count


def test_so_long_ago(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOON + 1.5 * DAY)
    assert len(line.run("who", "six", "--since", "12h", "--json")[1].splitlines()) == 1
    assert len(line.run("who", "six", "--since", "2d", "--json")[1].splitlines()) == 2


def test_nobody(line: Line) -> None:
    assert line.run("who", "left-pad") == (0, "", "nobody\n")


def test_a_refusal_is_shown_with_its_rule(line: Line) -> None:
    _, said, _ = line.run("who", "@acme/tool")
    assert "REFUSED (cooldown)" in said
    assert " ci " in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("who", "pkg:gem/rails"), "packages of type 'gem' are on no mirror"),
        (("who", "six", "--since", "yesterday"), '"yesterday" is no time'),
    ],
)
def test_what_cannot_be_understood(line: Line, arguments: tuple[str, ...], told: str) -> None:
    code, said, error = line.run(*arguments)
    assert (code, said) == (2, "")
    assert told in error


@pytest.mark.parametrize("arguments", [("who", "six"), ("verify",), ("export",)])
def test_no_record(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, said, error = Line(tmp_path, capsys).run(*arguments)
    assert (code, said) == (2, "")
    assert error.startswith(f"there is no record at {tmp_path}/audit")


def test_a_record_that_is_whole(line: Line) -> None:
    code, said, _ = line.run("verify")
    last = line.record.told()[-1]["n"]
    assert code == 0
    assert f"audit: {last} lines in 2 files: nothing wrong; the last is {last}, " in said
    told = json.loads(line.run("verify", "--json")[1])
    assert (told["lines"], told["wrong"], told["findings"]) == (last, 0, [])


def test_a_record_that_is_not(line: Line) -> None:
    changed = [text.replace(b"10.0.0.2", b"10.0.0.3") for text in line.record.lines(0)]
    line.record.put(changed, 0)
    code, said, _ = line.run("verify")
    assert code == 1
    assert said.splitlines()[0] == (
        "000001.2026-11-26.jsonl:3: record 3 was changed: "
        "the first line of 000002.2026-11-27.jsonl was written behind another one"
    )
    code, said, _ = line.run("verify", "--json")
    (finding,) = json.loads(said)["findings"]
    assert (code, finding["file"], finding["line"], finding["wrong"]) == (1, "000001.2026-11-26.jsonl", 3, True)


def test_a_hash_that_was_noted_elsewhere(line: Line) -> None:
    noted = json.loads(line.run("verify", "--json")[1])["last"]["hash"]
    line.write(members(WHEEL))
    assert line.run("verify", "--known", noted)[0] == 0
    code, said, _ = line.run("verify", "--known", "ab" * 32)
    assert (code, said.splitlines()[-1].partition(": ")[2]) == (1, f"no line has the hash {'ab' * 32}")


def bill(line: Line, *arguments: str) -> dict[str, Any]:
    """The export, which is CycloneDX 1.6 by its schema."""
    code, said, error = line.run("export", *arguments)
    assert (code, error) == (0, "")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(said) is None
    told: dict[str, Any] = json.loads(said)
    return told


def test_all_of_it_as_cyclonedx(line: Line) -> None:
    components = bill(line)["components"]
    assert [each["purl"] for each in components] == [
        "pkg:pypi/six@1.16.0",
        "pkg:npm/%40acme/tool@2.0.0",
        "pkg:deb/debian/curl@7.50.3-1?arch=i386",
        "pkg:generic/tool.tar.gz?download_url=https://downloads.example.com/tool.tar.gz",
    ]
    six, tool, _, got = components
    assert six["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert (tool["group"], tool["name"], tool["version"], tool["type"]) == ("@acme", "tool", "2.0.0", "library")
    assert (got["type"], "version" in got) == ("file", False)
    said = [(each["name"], each["value"]) for each in six["properties"]]
    assert said == [
        ("mirror:file", "six-1.16.0-py3-none-any.whl"),
        ("mirror:first", "2026-11-26T12:00:00.000Z"),
        ("mirror:last", "2026-11-27T12:00:00.000Z"),
        ("mirror:count", "2"),
        ("mirror:client", "10.0.0.1"),
        ("mirror:client", "10.0.0.2"),
    ]


def test_what_one_client_got(line: Line) -> None:
    one = bill(line, "--client", "10.0.0.2")
    assert one["metadata"]["component"]["name"] == "10.0.0.2"
    assert [each["name"] for each in one["components"]] == ["tool", "six"]
    assert [each["name"] for each in bill(line, "--client", "ci")["components"]] == ["tool"]
    assert bill(line, "--client", "10.0.0.99")["components"] == []


def test_what_a_client_did_not_get_is_in_no_bill(line: Line) -> None:
    line.record.clock.now += DAY
    line.write(members(WHEEL, whole=False), members(DEB, status=403, refused=True))
    assert bill(line, "--since", "2026-11-28")["components"] == []


def test_a_bill_of_what_has_no_digest_and_odd_names(line: Line) -> None:
    for artifact in (("o", "http", "/caf%c3%a9"), ("npm", "npm", "/odd/-/x.tgz"), ("o", "http", "/a%22b")):
        line.write(members(artifact, 'a"\x00\u2028b', digest=""))
    assert "hashes" not in bill(line)["components"][-1]


def test_the_records_themselves(line: Line) -> None:
    _, said, _ = line.run("export", "--format", "jsonl", "--client", "10.0.0.2")
    assert [json.loads(each)["package"] for each in said.splitlines()] == ["@acme/tool", "six"]
