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
from mirror.errors import OriginError
from mirror.model import Digest, Fact, Headers

CORGI = "application/vnd.npm.install-v1+json"
OURS = "http://host:8000/npm"
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
    return packuments.facts(json.dumps(document).encode(), Headers(), package=name)


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
        Fact("/@scope/name/-/name-1.0.0.tgz", url.format("1.0.0"), Digest("sha512", SHA512.hexdigest())),
        Fact("/@scope/name/-/name-0.2.0.tgz", url.format("0.2.0") + "?a=b", Digest("sha1", "ab" * 20)),
        Fact("/@scope/name/-/name-0.1.0.tgz", url.format("0.1.0"), None),
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
        packuments.facts(body, Headers(), package="six")


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


def test_a_manifest_is_rewritten_like_a_packument() -> None:
    manifest = {"name": "x", "dist": {"tarball": "https://upstream.test/@scope/name/-/name-1.0.0.tgz"}}
    body = packuments.manifest_rewritten(
        json.dumps(manifest).encode(), Headers(), package="@scope/name", mount=OURS
    ).body
    assert json.loads(body)["dist"]["tarball"] == f"{OURS}/@scope/name/-/name-1.0.0.tgz"
    with pytest.raises(OriginError):
        packuments.manifest_rewritten(b"[]", Headers(), package="x", mount=OURS)
