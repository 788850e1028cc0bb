"""Limits that clients have of their own, behind a mirror of upstreams that state no dates."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.node_clients import Home, needed
from tests.instruments.origin import Origin
from tests.instruments.server import Served, served
from tests.instruments.thing import wheel

pytestmark = pytest.mark.timeout(200)

CONFIG = """
[cache]
min_free = "1MB"
[policy]
dates = "first-seen"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
[mirrors.npm]
ecosystem = "npm"
upstream = "{0}/npm"
"""
UV = str(Path(sys.executable).with_name("uv"))
BEFORE, AFTER = "2020-01-01", "2199-01-01"


def tarball() -> bytes:
    text, packed = json.dumps({"name": "thing", "version": "1.0.0"}).encode(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/package.json")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return packed.getvalue()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with Origin() as origin:
        name, body = "thing-1.0-py3-none-any.whl", wheel("1.0")
        link = f'<a href="{origin.url(f"/p/{name}")}#sha256={hashlib.sha256(body).hexdigest()}">{name}</a>'
        origin.route(f"/p/{name}", body=body)
        origin.route("/simple/thing/", headers=[("Content-Type", "text/html")], body=link.encode())
        packed = tarball()
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()
        dist = {"tarball": origin.url("/npm/thing/-/thing-1.0.0.tgz"), "integrity": integrity}
        versions = {"1.0.0": {"name": "thing", "version": "1.0.0", "dist": dist}}
        packument = {"name": "thing", "dist-tags": {"latest": "1.0.0"}, "versions": versions}
        origin.route("/npm/thing/-/thing-1.0.0.tgz", body=packed)
        origin.route("/npm/thing", headers=[("Content-Type", "application/json")], body=json.dumps(packument).encode())
        with served(tmp_path / "mirror", CONFIG.format(origin.url().rstrip("/"))) as running:
            yield running


async def test_uv_excludes_what_the_mirror_has_seen_later_and_nothing_else(server: Served, tmp_path: Path) -> None:
    home = Home(tmp_path)
    (home.project / "in").write_text("thing")
    uv = (UV, "pip", "compile", "--no-config", "--no-cache", "-q", "--python", sys.executable, "in")
    index = ("--index-url", server.url("/pypi/simple/"), "--exclude-newer")
    assert "thing==1.0" in await home.run(*uv, *index, AFTER)
    code, said = await home.tried(*uv, *index, BEFORE)
    assert (code, "exclude-newer" in said) == (1, True), said


async def test_npm_takes_nothing_that_the_mirror_has_seen_later(server: Served, tmp_path: Path) -> None:
    needed("npm")
    home = Home(tmp_path)
    (home.project / "package.json").write_text('{"name": "app", "version": "1.0.0"}')
    npm = ("npm", "install", "thing", "--no-audit", "--no-fund", "--registry", server.url("/npm/"), "--before")
    code, said = await home.tried(*npm, BEFORE)
    assert (code, "ENOVERSIONS" in said) == (1, True), said
    await home.run(*npm, AFTER)
    assert (home.project / "node_modules" / "thing").is_dir()
