"""The legacy JSON API: what its documents say of files, and how their links become ours."""

from __future__ import annotations

import json

import pytest

from mirror.ecosystems import legacy_json
from mirror.errors import OriginError
from mirror.model import Digest, Fact, Headers

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
