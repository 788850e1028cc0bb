"""One package, `thing`, as a registry of Python packages and one of npm's have it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile

from .origin import Origin


def offer(origin: Origin) -> None:
    """The package below `/simple` and below `/npm` of the origin."""
    file, archive = wheel(), tarball()
    name = "thing-1.0-py3-none-any.whl"
    page = f'<a href="/files/{name}#sha256={hashlib.sha256(file).hexdigest()}">{name}</a>'
    origin.route("/simple/thing/", headers=[("Content-Type", "text/html")], body=page.encode())
    origin.route(f"/files/{name}", body=file)
    as_json = [("Content-Type", "application/json")]
    origin.route("/npm/thing", headers=as_json, body=packument(origin, archive))
    origin.route("/npm/thing/-/thing-1.0.0.tgz", body=archive)


def wheel(version: str = "1.0") -> bytes:
    """This version of thing, without a module."""
    folder = f"thing-{version}.dist-info"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(f"{folder}/METADATA", metadata(version))
        file.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{folder}/RECORD", "")
    return content.getvalue()


def metadata(version: str = "1.0") -> str:
    """What the wheel says of itself."""
    return f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n"


def tarball() -> bytes:
    """thing 1.0.0, its manifest alone."""
    content, manifest = io.BytesIO(), b'{"name":"thing","version":"1.0.0"}'
    with tarfile.open(fileobj=content, mode="w:gz") as file:
        member = tarfile.TarInfo("package/package.json")
        member.size = len(manifest)
        file.addfile(member, io.BytesIO(manifest))
    return content.getvalue()


def packument(origin: Origin, archive: bytes) -> bytes:
    dist = {"tarball": origin.url("/npm/thing/-/thing-1.0.0.tgz"), "shasum": hashlib.sha1(archive).hexdigest()}  # noqa: S324
    version = {"name": "thing", "version": "1.0.0", "dist": dist}
    full = {"name": "thing", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    return json.dumps(full | {"time": {"1.0.0": "2020-01-01T00:00:00.000Z"}}).encode()  # Yarn 4 leaves out the newest
