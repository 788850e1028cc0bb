"""Which addresses stand for what lock files name: asked of a mirror that is played."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mirror.choosing import Target
from mirror.client import Client, Server
from mirror.errors import ConfigError
from mirror.locks import Platform, Wanted
from mirror.resolving import Resolved, resolve

MIRRORS = {"pypi": "pypi", "npm": "npm", "npm-house": "npm"}
PAGE = {
    "files": [
        {
            "filename": "lib_core-1.0-py3-none-any.whl",
            "url": "../../files/aa/lib_core-1.0-py3-none-any.whl#sha256=aa",
            "hashes": {"sha256": "aa"},
            "core-metadata": {"sha256": "cc"},
        },
        {"filename": "lib_core-1.0.tar.gz", "url": "http://upstream.test/lib_core-1.0.tar.gz", "hashes": {}},
    ]
}


def answer(request: httpx.Request) -> httpx.Response:
    path = request.url.path
    if path == "/-/api/stats":
        return httpx.Response(200, json={"mirrors": {name: {"ecosystem": its} for name, its in MIRRORS.items()}})
    if path == "/pypi/simple/lib-core/" and "application/vnd.pypi.simple.v1+json" in request.headers["accept"]:
        return httpx.Response(200, json=PAGE)
    if path == "/pypi/simple/odd/":
        return httpx.Response(200, json=["odd"])
    return httpx.Response(404, json={"detail": f"{path} is not there"})


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(Server("http://mirror.test"), httpx.MockTransport(answer)) as client:
        yield client


def found(client: Client, *wanted: Wanted, mirror: str = "npm", target: Target | None = None) -> Resolved:
    seen: list[Any] = []
    resolved = resolve(client, list(wanted), mirror, target or Target.here(), lambda *pair: seen.append(pair))
    assert not seen or seen[-1] == (len(seen), len(seen))
    return resolved


def test_python_files_are_those_of_the_mirrors_own_page(client: Client) -> None:
    wanted = Wanted("pypi", "Lib_Core", "==1.0")
    wheel = "/pypi/files/aa/lib_core-1.0-py3-none-any.whl"
    page = "/pypi/simple/lib-core/"
    assert found(client, wanted, wanted).addresses == [page, wheel, f"{wheel}.metadata"]
    every = found(client, wanted, target=Target()).addresses
    assert every == [page, wheel, f"{wheel}.metadata", "http://upstream.test/lib_core-1.0.tar.gz"]


def test_npm_packages_are_where_registries_have_them(client: Client) -> None:
    resolved = found(
        client,
        Wanted("npm", "a", "1.0.0", "https://upstream.test/npm/a/-/a-1.0.0.tgz"),
        Wanted("npm", "@acme/b", "1.0.0+x"),
        Wanted("npm", "@acme/c", "1.0.0", "https://upstream.test/@acme%2fc/-/odd.tgz"),
        Wanted("npm", "d", "1.0.0", "https://upstream.test/download/d"),
        Wanted("", "x", url="https://upstream.test/x"),
    )
    assert resolved.addresses == [
        *("/npm/a", "/npm/a/-/a-1.0.0.tgz"),
        *("/npm/@acme/b", "/npm/@acme/b/-/b-1.0.0%2Bx.tgz"),
        *("/npm/@acme/c", "/npm/@acme/c/-/odd.tgz"),
        *("/npm/d", "https://upstream.test/download/d"),
        "https://upstream.test/x",
    ]


def test_what_is_for_others_is_skipped_and_what_is_not_there_has_failed(client: Client) -> None:
    resolved = found(
        client,
        Wanted("pypi", "lib-core", "==1.0", marker='python_version < "3"'),
        Wanted("npm", "a", "1.0.0", platform=Platform(("no such system",))),
        Wanted("pypi", "missing", "==1.0"),
        Wanted("pypi", "odd", "==1.0"),
        Wanted("pypi", "lib-core", "==2.0"),
    )
    assert (resolved.addresses, [one.what for one in resolved.skipped]) == ([], ["lib-core", "a"])
    assert [(one.what, one.reason) for one in resolved.failed] == [
        ("missing==1.0", "/pypi/simple/missing/ is not there"),
        ("odd==1.0", "/pypi/simple/odd/ is no page of an index"),
        ("lib-core==2.0", "the index has no version that fits ==2.0"),
    ]


@pytest.mark.parametrize(
    ("named", "told"), [("", "which of the npm mirrors: --mirror npm or npm-house"), ("x", "no such mirror")]
)
def test_it_has_to_be_clear_which_mirror_is_meant(client: Client, named: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        found(client, Wanted("npm", "a", "1.0.0"), mirror=named)
