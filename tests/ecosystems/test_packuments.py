"""What packuments say of tarballs, and how their URLs become ours."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.ecosystems import packuments
from mirror.errors import NotFound, OriginError
from mirror.model import Digest, Fact, Headers

CORGI = "application/vnd.npm.install-v1+json"
OURS = "http://host:8000/npm"
SCOPED = "@scope/name"
SHA512 = hashlib.sha512(b"tarball")
SRI = "sha512-" + base64.b64encode(SHA512.digest()).decode()


def packument(dists: dict[str, dict[str, Any]], name: str = "@scope/name") -> dict[str, Any]:
    versions = {version: {"version": version, "dist": dist} for version, dist in dists.items()}
    return {"_id": name, "name": name, "dist-tags": {"latest": "1.0.0"}, "versions": versions, "readme": "größe 1.50"}


def rewritten(document: object, name: str = "@scope/name") -> dict[str, Any]:
    body = packuments.rewritten(json.dumps(document).encode(), Headers(), package=name, mount=OURS).body
    result: dict[str, Any] = json.loads(body)
    return result


def facts(document: object, name: str = "@scope/name") -> list[Fact]:
    return list(packuments.facts(json.dumps(document).encode(), Headers(), package=name))


def test_tarballs_and_attestations_are_moved_below_our_address_and_nothing_else_changes() -> None:
    dist: dict[str, Any] = {
        "tarball": "https://cdn.upstream.test/@scope/name/-/name-1.0.0.tgz",
        "integrity": SRI,
        "signatures": [{"keyid": "k", "sig": "s"}],
        "attestations": {"url": "https://upstream.test/-/npm/v1/attestations/@scope%2fname@1.0.0", "provenance": {}},
    }
    document = packument({"1.0.0": dist, "0.9.0": {"shasum": "00" * 20}})
    result = rewritten(document)
    moved = result["versions"]["1.0.0"]["dist"]
    assert moved.pop("tarball") == f"{OURS}/@scope/name/-/name-1.0.0.tgz"
    assert moved["attestations"].pop("url") == f"{OURS}/-/npm/v1/attestations/@scope%2fname@1.0.0"
    dist.pop("tarball")
    dist["attestations"].pop("url")
    assert result == document
    assert list(result) == list(document)


def test_a_packument_says_where_its_tarballs_are_and_what_they_must_be() -> None:
    url = "https://cdn.upstream.test/x/name-{}.tgz"
    document = packument(
        {
            "1.0.0": {"tarball": url.format("1.0.0"), "integrity": f"sha1-xx {SRI}", "shasum": "00" * 20},
            "0.2.0": {"tarball": url.format("0.2.0") + "?a=b#c", "shasum": "AB" * 20},
            "0.1.0": {"tarball": url.format("0.1.0"), "integrity": 5, "shasum": "short"},
            "0.0.1": {"tarball": "ftp://upstream.test/x.tgz"},
        }
    )
    assert facts(document) == [
        Fact(
            "/@scope/name/-/name-1.0.0.tgz",
            url.format("1.0.0"),
            Digest("sha512", SHA512.hexdigest()),
            None,
            SCOPED,
            "1.0.0",
        ),
        Fact(
            "/@scope/name/-/name-0.2.0.tgz",
            url.format("0.2.0") + "?a=b",
            Digest("sha1", "ab" * 20),
            None,
            SCOPED,
            "0.2.0",
        ),
        Fact("/@scope/name/-/name-0.1.0.tgz", url.format("0.1.0"), None, None, SCOPED, "0.1.0"),
    ]


def test_tarballs_that_are_called_the_same_are_told_apart_by_version() -> None:
    document = packument(
        {
            "1.0.0": {"tarball": "https://upstream.test/six/1.0.0/package.tgz"},
            "2.0.0": {"tarball": "https://upstream.test/six/2.0.0/package.tgz"},
            "3.0.0": {"tarball": "https://upstream.test/six/odd%2fname+1.tgz"},
        },
        "six",
    )
    names = ["/six/-/six-1.0.0.tgz", "/six/-/six-2.0.0.tgz", "/six/-/name+1.tgz"]
    assert [fact.name for fact in facts(document, "six")] == names
    versions = rewritten(document, "six")["versions"].values()
    assert [manifest["dist"]["tarball"] for manifest in versions] == [OURS + name for name in names]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"name":"x"}', b'{"name":1,"versions":{}}', b'{"name":"x","versions":[]}']
)
def test_what_is_no_packument_is_the_origins_error(body: bytes) -> None:
    with pytest.raises(OriginError):
        packuments.rewritten(body, Headers(), package="six", mount=OURS)
    with pytest.raises(OriginError):
        list(packuments.facts(body, Headers(), package="six"))


VALUES = st.recursive(
    st.none()
    | st.integers()
    | st.sampled_from(["x", "http://[", "https://upstream.test/a.tgz", "https://upstream.test/%2e%2e"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["dist", "tarball", "integrity", "attestations", "url", "shasum"]), inner)
    ),
    max_leaves=10,
)


@pytest.mark.row(53, at="50 examples of each parser in CI")
@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_no_version_however_odd_breaks_a_packument(versions: dict[str, object]) -> None:
    document = {"name": "six", "versions": versions}
    assert rewritten(document, "six")["versions"].keys() == versions.keys()
    assert all(fact.name.startswith("/six/-/") and fact.url.startswith("https://") for fact in facts(document, "six"))


def test_a_packument_keeps_its_type_and_may_be_stored_compressed() -> None:
    body = gzip.compress(json.dumps(packument({}, "six")).encode())
    headers = Headers.of({"content-encoding": "gzip", "content-type": f"{CORGI}; charset=utf-8"})
    short = packuments.rewritten(body, headers, package="six", mount=OURS)
    assert (short.content_type, json.loads(short.body)) == (CORGI, packument({}, "six"))
    other = headers.set("content-type", "application/octet-stream")
    assert packuments.rewritten(body, other, package="six", mount=OURS).content_type == "application/json"


def manifest(document: object, wanted: str, name: str = "@scope/name") -> dict[str, Any]:
    body = json.dumps(document).encode()
    made = packuments.manifest(body, Headers(), package=name, mount=OURS, wanted=wanted)
    assert made.content_type == "application/json"
    result: dict[str, Any] = json.loads(made.body)
    return result


def test_a_version_and_a_tag_are_parts_of_the_packument_with_the_same_urls() -> None:
    url = "https://upstream.test/six/{}/package.tgz"
    document = packument({version: {"tarball": url.format(version)} for version in ("1.0.0", "2.0.0")}, "six")
    whole = rewritten(document, "six")["versions"]
    assert manifest(document, "2.0.0", "six") == whole["2.0.0"]
    assert manifest(document, "latest", "six") == whole["1.0.0"]
    assert whole["2.0.0"]["dist"]["tarball"] == f"{OURS}/six/-/six-2.0.0.tgz"


@pytest.mark.parametrize("wanted", ["3.0.0", "next", "^1.0.0", "dangling", "odd", "1", "größe"])
def test_what_is_neither_version_nor_tag_is_not_found(wanted: str) -> None:
    document = packument({"1.0.0": {}}) | {"dist-tags": {"latest": "1.0.0", "dangling": "9.9.9", "odd": 5}}
    with pytest.raises(NotFound, match="no version and no dist-tag"):
        manifest(document, wanted)


@pytest.mark.parametrize("tags", [None, [], "latest", {}])
def test_without_tags_no_tag_is_found(tags: object) -> None:
    with pytest.raises(NotFound):
        manifest({"name": "x", "versions": {"1.0.0": {}}, "dist-tags": tags}, "latest")


def test_a_manifest_of_what_is_no_packument_is_the_origins_error() -> None:
    with pytest.raises(OriginError):
        manifest([], "1.0.0")


def test_dist_tags_are_those_of_the_packument() -> None:
    body = b'{"name":"x","dist-tags": {"latest" : "1.0.0"} ,"versions":{}}'
    made = packuments.tags(body, Headers(), package="six")
    assert (made.body, made.content_type) == (b'{"latest" : "1.0.0"}', "application/json")
    assert packuments.tags(b'{"name":"x","versions":{}}', Headers(), package="x").body == b"{}"
    with pytest.raises(OriginError):
        packuments.tags(b"{}", Headers(), package="x")


def short(document: object, media_type: str = "application/json") -> dict[str, Any]:
    headers = Headers.of({"content-type": media_type})
    made = packuments.rewritten(json.dumps(document).encode(), headers, package="x", mount=OURS, short=True)
    assert made.content_type == CORGI
    result: dict[str, Any] = json.loads(made.body)
    return result


def test_the_short_form_is_made_of_the_full_one_where_the_origin_has_no_other() -> None:
    kept = {"name": "x", "version": "1.0.0", "dependencies": {"y": "^1"}, "bin": {"x": "x.js"}, "cpu": ["x64"]}
    kept |= {"dist": {"tarball": "https://upstream.test/x/-/x-1.0.0.tgz"}, "engines": {"node": ">4"}, "funding": "f"}
    left_out = {"description": "no", "scripts": {"test": "x"}, "readme": '"dist":{}', "gitHead": "0" * 40, "_id": "x"}
    document = {
        "_id": "x",
        "name": "x",
        "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": left_out | kept, "0.9.0": {"readme": ""}, "odd": 5},
        "time": {"created": "2019", "modified": "2020-01-01T00:00:00.000Z", "1.0.0": "2019"},
        "readme": "x",
    }
    moved = kept | {"dist": {"tarball": f"{OURS}/x/-/x-1.0.0.tgz"}}
    assert short(document) == {
        "name": "x",
        "modified": "2020-01-01T00:00:00.000Z",
        "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": moved, "0.9.0": {}, "odd": 5},
    }


def test_the_short_form_that_the_origin_has_is_served_whole() -> None:
    document = packument({}, "x") | {"modified": "2020"}
    assert short(document, CORGI) == document
    assert short({"name": "x", "versions": {}, "modified": "2020", "time": {}}) == {
        "name": "x",
        "modified": "2020",
        "versions": {},
    }


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"scripts": {"test": "x"}}, None),
        ({"scripts": {"preinstall": "x"}}, True),
        ({"scripts": {"install": "x"}}, True),
        ({"scripts": {"postinstall": "x"}}, True),
        ({"gypfile": True}, True),
        ({"gypfile": False}, None),
        ({"scripts": ["install"], "gypfile": 1}, None),
        ({"scripts": {"install": "x"}, "hasInstallScript": False}, False),
    ],
)
def test_the_short_form_says_whether_something_runs_when_it_is_installed(
    manifest: dict[str, Any], said: bool | None
) -> None:
    for beside in ({}, {"version": "1.0.0"}):
        made = short({"name": "x", "versions": {"1.0.0": manifest | beside}})["versions"]["1.0.0"]
        assert made == beside | ({} if said is None else {"hasInstallScript": said})
