"""The legacy JSON API: what its documents say of files, and how their links become ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mirror.ecosystems import legacy_json
from mirror.ecosystems.views import artifact
from mirror.errors import OriginError, Withheld
from mirror.model import Digest, Fact, Headers
from mirror.policy.artifact import Artifact
from tests.ecosystems.views import DAY, NOW, Hiding, cooldown, everything

PAGE = "http://upstream.test/pypi/six/json"
MOUNT = "http://host:8000/pypi"
WHEEL = "six-1.17.0-py2.py3-none-any.whl"
SHA = "a1" * 32
FILES = "https://files.upstream.test/packages/b7/ce/"


def test_the_documents_urls_are_below_our_address_and_all_else_stays() -> None:
    file = {"url": FILES + WHEEL, "digests": {"blake2b_256": "00" * 32, "sha256": SHA}, "size": 5}
    document = {"info": {"version": "1", "ü": None}, "releases": {"1": [file], "0": []}, "urls": [file], "x": 1.5}
    body = json.dumps(document).encode()
    rewritten = json.loads(legacy_json.rewritten(body, Headers(), page=PAGE, mount=MOUNT).body)
    ours = file | {"url": f"{MOUNT}/files/packages/b7/ce/{WHEEL}"}
    assert rewritten == document | {"releases": {"1": [ours], "0": []}, "urls": [ours]}
    found = {fact.name: fact for fact in legacy_json.facts(body, Headers(), page=PAGE)}
    name = "/files/packages/b7/ce/" + WHEEL
    assert found[name] == Fact(name, FILES + WHEEL, Digest("sha256", SHA), 5, "six", "1.17.0")


def test_a_versions_document_has_no_releases() -> None:
    body = json.dumps({"info": {}, "urls": [{"url": FILES + WHEEL}]}).encode()
    rewritten = json.loads(legacy_json.rewritten(body, Headers(), page=PAGE, mount=MOUNT).body)
    assert rewritten == {"info": {}, "urls": [{"url": f"{MOUNT}/files/packages/b7/ce/{WHEEL}"}]}


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'"x"',
        b"null",
        b'{"urls":{}}',
        b'{"urls":[],"releases":[1]}',
        b'{"urls":[],"releases":{"1":{}}}',
        b'{"urls":[{}]}',
        b"<html>",
        b'{"urls":[]} {}',
        b'{"urls":[',
        b"\xff",
    ],
)
def test_what_is_no_legacy_document_is_the_origins_error(body: bytes) -> None:
    with pytest.raises(OriginError):
        legacy_json.rewritten(body, Headers(), page=PAGE, mount=MOUNT)
    with pytest.raises(OriginError):
        list(legacy_json.facts(body, Headers(), page=PAGE))


def file(version: str, days: float = 100.0, suffix: str = ".tar.gz", **more: Any) -> dict[str, Any]:
    time = datetime.fromtimestamp(NOW - days * DAY, UTC)
    stated = {"upload_time": f"{time:%Y-%m-%dT%H:%M:%S}", "upload_time_iso_8601": f"{time:%Y-%m-%dT%H:%M:%S.%f}Z"}
    return {"url": f"{FILES}six-{version}{suffix}", "digests": {"sha256": SHA}, "yanked": False} | stated | more


def project(*releases: list[dict[str, Any]], names: str = "", **more: Any) -> dict[str, Any]:
    """A document of versions with these files; it speaks of the last one."""
    versions = names.split() or [f"1.{n}" for n in range(len(releases))]
    about = {"version": versions[-1], "license": "MIT", "license_expression": None, "requires_dist": ["x"]}
    about |= {"release_url": f"https://upstream.test/project/six/{versions[-1]}/", "requires_python": ">=9"} | more
    listed = dict(zip(versions, releases, strict=True))
    return {"info": about, "releases": listed, "urls": list(releases[-1]), "vulnerabilities": ["y"], "last_serial": 1}


def shown(document: dict[str, Any], view: Hiding | None, page: str = PAGE) -> dict[str, Any]:
    made = legacy_json.rewritten(json.dumps(document).encode(), Headers(), page=page, mount=MOUNT, view=view)
    found: dict[str, Any] = json.loads(made.body)
    return found


class TestUnderAView:
    def test_files_go_from_the_releases_and_from_the_version_that_it_speaks_of(self) -> None:
        document = project([file("1.0")], [file("1.1"), file("1.1", 1.0, ".zip")])
        found = shown(document, cooldown(3))
        assert found["urls"] == found["releases"]["1.1"] == shown(document, None)["urls"][:1]
        assert found["info"] == document["info"]
        assert found["vulnerabilities"] == ["y"]

    def test_a_version_without_files_left_goes_and_it_speaks_of_the_latest_left(self) -> None:
        """PROTOCOLS A.3.13."""
        document = project([file("1.0", requires_python=">=3")], [], [file("1.2", 1.0)])
        found = shown(document, cooldown(3))
        assert list(found["releases"]) == ["1.0", "1.1"]
        assert found["urls"] == found["releases"]["1.0"] == shown(document, None)["releases"]["1.0"]
        assert found["info"]["version"] == "1.0"
        assert found["info"]["release_url"] == "https://upstream.test/project/six/1.0/"
        assert found["info"]["requires_python"] == ">=3"
        assert (found["info"]["requires_dist"], "vulnerabilities" in found) == (None, False)

    @pytest.mark.parametrize(
        ("names", "yanked", "latest"),
        [
            ("1.9 1.10 1.2 2.0", "", "1.10"),
            ("1.0 1.1rc1 2.0", "", "1.0"),
            ("1.0rc1 1.0rc2 2.0", "", "1.0rc2"),
            ("1.0 1.1 2.0", "1.1", "1.0"),
            ("1.0 1.1 2.0", "1.0 1.1", "1.1"),
            ("odd 0.1 2.0", "", "0.1"),
        ],
    )
    def test_the_latest_is_final_and_not_yanked_where_there_is_such_a_one(
        self, names: str, yanked: str, latest: str
    ) -> None:
        files = [[file(name, 1.0 if name == "2.0" else 9.0, yanked=name in yanked.split())] for name in names.split()]
        about = shown(project(*files, names=names, yanked=False), cooldown(3))["info"]
        assert about["version"] == latest
        assert about["yanked"] == (latest in yanked.split())

    def test_where_nothing_is_left_the_client_is_refused_with_the_reason(self) -> None:
        alone = {"info": {"version": "1.0"}, "urls": [file("1.0", 1.0)]}
        page = "http://upstream.test/pypi/six/1.0/json"
        for document, at in ((project([file("1.0", 1.0)]), PAGE), (alone, page)):
            with pytest.raises(Withheld, match=r"six 1\.0 is hidden") as caught:
                shown(document, cooldown(3), at)
            assert caught.value.until == NOW + 2 * DAY
        assert shown(alone, everything(), page) == shown(alone, None, page)

    def test_a_version_that_never_had_files_is_not_refused(self) -> None:
        assert shown(project([]), cooldown(3)) == shown(project([]), None)

    def test_each_file_is_asked_for_once_with_the_license_of_the_version_that_is_spoken_of(self) -> None:
        view = everything()
        document = project([file("1.0")], [file("1.1")])
        assert shown(document, view) == shown(document, None)
        assert view.asked == [
            Artifact("pypi", "six", "1.1", "six-1.1.tar.gz", NOW - 100 * DAY, None, "MIT"),
            Artifact("pypi", "six", "1.0", "six-1.0.tar.gz", NOW - 100 * DAY),
        ]
        facts = {f.version: f for f in legacy_json.facts(json.dumps(document).encode(), Headers(), page=PAGE)}
        assert {artifact("pypi", fact) for fact in facts.values()} == set(view.asked)

    @pytest.mark.parametrize(
        ("about", "stated"),
        [
            ({"license_expression": "Apache-2.0", "license": "see file"}, "Apache-2.0"),
            ({"license": "MIT"}, "MIT"),
            ({"license": "The whole text\nof a license"}, ""),
            ({"license": 5}, ""),
            (None, ""),
        ],
    )
    def test_a_license_is_a_short_one_in_a_line(self, about: dict[str, Any] | None, stated: str) -> None:
        body = json.dumps({"info": about, "urls": [file("1.0")]}).encode()
        (fact,) = legacy_json.facts(body, Headers(), page="http://upstream.test/pypi/Six/1.0/json")
        assert (fact.package, fact.license, fact.published) == ("six", stated, NOW - 100 * DAY)
