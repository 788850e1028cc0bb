"""Real clients of Python packages, in front of an index that has JSON and of one that has nothing but HTML."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.instruments.origin import Origin
from tests.instruments.server import Served, served
from tests.instruments.thing import metadata, wheel

pytestmark = pytest.mark.timeout(300)

CONFIG = """
[cache]
min_free = "1MB"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
"""
UV = str(Path(sys.executable).with_name("uv"))
# 1.0 is old, 2.0 is new, 3.0 was taken back.
TIMES = {"1.0": "2020-01-01T00:00:00Z", "2.0": "2024-01-01T00:00:00.000000Z", "3.0": "2020-01-01T00:00:00Z"}


def digest(body: bytes) -> dict[str, str]:
    return {"sha256": hashlib.sha256(body).hexdigest()}


def offer(origin: Origin, sent: str) -> None:
    """`thing` in three versions, its page as JSON with all that JSON can say, or as HTML with little."""
    files: list[dict[str, Any]] = []
    lines = []
    for version, time in TIMES.items():
        name, body, about = f"thing-{version}-py3-none-any.whl", wheel(version), metadata(version).encode()
        url, yanked = origin.url(f"/packages/aa/bb/{name}"), version == "3.0"
        file = {"filename": name, "url": url, "hashes": digest(body), "size": len(body), "requires-python": ">=3.8"}
        files.append(
            file | {"core-metadata": digest(about), "yanked": "broken" if yanked else False, "upload-time": time}
        )
        said = f'data-requires-python="&gt;=3.8" data-upload-time="{time}"' + " data-yanked" * yanked
        lines.append(f'<a href="{url}#sha256={digest(body)["sha256"]}" {said}>{name}</a><br>')
        origin.route(f"/packages/aa/bb/{name}", body=body)
        if sent == "json":
            origin.route(f"/packages/aa/bb/{name}.metadata", body=about)
    page = {"meta": {"api-version": "1.4"}, "name": "thing", "versions": list(TIMES), "files": files}
    as_json = ("application/vnd.pypi.simple.v1+json", json.dumps(page))
    content_type, text = as_json if sent == "json" else ("text/html", "\n".join(lines))
    origin.route("/simple/thing/", headers=[("Content-Type", content_type)], body=text.encode())


@pytest.fixture(params=["json", "html"])
async def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Served, str]]:
    async with Origin() as origin:
        offer(origin, request.param)
        with served(tmp_path / "mirror", CONFIG.format(origin.url())) as server:
            yield server, request.param


async def run(folder: Path, *command: str) -> str:
    """What the client prints; it has to succeed. In a thread: the upstream lives in this one."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_HTTP_RETRIES": "0",
    }
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=folder, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def index(server: Served) -> tuple[str, ...]:
    return "--index-url", f"http://127.0.0.1:{server.port}/pypi/simple/"


async def test_pip_installs_the_newest_that_was_not_yanked(mirror: tuple[Served, str], tmp_path: Path) -> None:
    server, sent = mirror
    pip = (sys.executable, "-m", "pip", "install", "--no-cache-dir", "--target", "target", *index(server))
    assert "Successfully installed thing-2.0" in await run(tmp_path, *pip, "thing")
    assert ("thing-2.0-py3-none-any.whl.metadata" in server.log()) is (sent == "json")


async def test_uv_minds_the_time_of_upload(mirror: tuple[Served, str], tmp_path: Path) -> None:
    server, _ = mirror
    (tmp_path / "in").write_text("thing")
    uv = (UV, "pip", "compile", "--no-config", "--no-cache", "-q", *index(server), "--python", sys.executable, "in")
    assert "thing==2.0" in await run(tmp_path, *uv)
    assert "thing==1.0" in await run(tmp_path, *uv, "--exclude-newer", "2023-01-01")
