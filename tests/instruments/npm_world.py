"""A small world of npm packages: their versions, tarballs, and documents in the forms that the registry has. Pure."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from . import bodies

CORGI = "application/vnd.npm.install-v1+json"
JSON = "application/json"
NOISE = 20_000  # bytes in each tarball that do not compress, so that it can be cut, held and asked for in parts

# What an abbreviated document may hold (npm/registry docs/responses/package-metadata.md, and what its clients read).
SHORT = frozenset({"name", "modified", "dist-tags", "versions"})
SHORT_VERSION = frozenset({
    *("name", "version", "deprecated", "dependencies", "optionalDependencies", "devDependencies"),
    *("bundleDependencies", "peerDependencies", "peerDependenciesMeta", "acceptDependencies", "bin", "directories"),
    *("dist", "engines", "os", "cpu", "libc", "funding", "_hasShrinkwrap", "hasInstallScript"),
})  # fmt: skip


@dataclass(frozen=True)
class Version:
    """One version. `file` is its tarball's name where that is not the usual one; without `integrity` it has the shasum
    alone, as before 2017; `signed`: with signatures and attestations."""

    package: str
    number: str = "1.0.0"
    more: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    integrity: bool = True
    signed: bool = False
    published: str = "2020-01-01T00:00:00.000Z"

    def __hash__(self) -> int:
        return hash((self.package, self.number))

    @property
    def name(self) -> str:
        """`package@number`."""
        return f"{self.package}@{self.number}"

    @property
    def path(self) -> str:
        """Of the tarball, below the registry."""
        return f"/{self.package}/-/{self.file or self.package.rpartition('/')[2] + f'-{self.number}.tgz'}"

    @property
    def noise(self) -> bytes:
        """What `data.bin` of the package holds."""
        return bodies.body(self.name, 0, NOISE)

    @cached_property
    def tarball(self) -> bytes:
        manifest = {"name": self.package, "version": self.number, "main": "index.js", **self.more}
        manifest.pop("deprecated", None)
        files = {
            "package.json": json.dumps(manifest).encode(),
            "index.js": f"module.exports = {json.dumps(self.name)}\n".encode(),
            "cli.js": f"#!/usr/bin/env node\nconsole.log({json.dumps(self.name)})\n".encode(),
            "data.bin": self.noise,
        }
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(f"package/{name}")
                member.size, member.mode = len(content), 0o755 if name == "cli.js" else 0o644
                archive.addfile(member, io.BytesIO(content))
        return gzip.compress(packed.getvalue(), mtime=0)

    def dist(self, registry: str) -> dict[str, Any]:
        """`registry` is the URL that the paths stand below."""
        told: dict[str, Any] = {"shasum": hashlib.sha1(self.tarball).hexdigest()}  # noqa: S324
        told["tarball"] = registry + self.path
        if self.integrity:
            told["integrity"] = "sha512-" + base64.b64encode(hashlib.sha512(self.tarball).digest()).decode()
            told |= {"fileCount": 4, "unpackedSize": NOISE + 200}
        if self.signed:
            told["signatures"] = [{"keyid": "SHA256:world", "sig": "MEUCIQDworld"}]
            address = f"{registry}/-/npm/v1/attestations/{self.package.replace('/', '%2f')}@{self.number}"
            told["attestations"] = {"url": address, "provenance": {"predicateType": "https://slsa.dev/provenance/v1"}}
        return told

    def manifest(self, registry: str) -> dict[str, Any]:
        """As it stands in the full document, and at `/<package>/<version>`."""
        return {
            "name": self.package,
            "version": self.number,
            "description": f"{self.package} of the world",
            "main": "index.js",
            **self.more,
            "_id": self.name,
            "_nodeVersion": "20.0.0",
            "_npmUser": {"name": "someone", "email": "someone@example.com"},
            "maintainers": [{"name": "someone", "email": "someone@example.com"}],
            "gitHead": "0" * 40,
            "dist": self.dist(registry),
        }


def full(versions: Iterable[Version], tags: Mapping[str, str], registry: str) -> dict[str, Any]:
    """The full document of one package."""
    versions = list(versions)
    package, dates = versions[0].package, {version.number: version.published for version in versions}
    return {
        "_id": package,
        "_rev": f"{len(versions)}-world",
        "name": package,
        "description": f"{package} of the world",
        "dist-tags": dict(tags),
        "versions": {version.number: version.manifest(registry) for version in versions},
        "time": {"created": min(dates.values()), "modified": max(dates.values()), **dates},
        "maintainers": [{"name": "someone", "email": "someone@example.com"}],
        "readme": f"# {package}\n",
        "license": "MIT",
    }


def short(document: Mapping[str, Any]) -> dict[str, Any]:
    """The abbreviated document that belongs to a full one."""
    versions = {}
    for number, manifest in document["versions"].items():
        versions[number] = {name: value for name, value in manifest.items() if name in SHORT_VERSION}
        if {"preinstall", "install", "postinstall"} & manifest.get("scripts", {}).keys():
            versions[number]["hasInstallScript"] = True
    tags = document["dist-tags"]
    return {"name": document["name"], "modified": document["time"]["modified"], "dist-tags": tags, "versions": versions}


_SCRIPT = "node -e \"require('fs').writeFileSync('made.txt', 'made')\""
_NEEDS = {
    "dependencies": {"@acme/tools": "^1.0.0", "plain": "^1.0.0"},
    "optionalDependencies": {"maybe": "1.0.0", "elsewhere": "1.0.0"},
    "peerDependencies": {"peer": "^1.0.0"},
    "bin": {"app": "cli.js"},
    "engines": {"node": ">=10"},
}

WORLD = (
    Version("app", more=_NEEDS, signed=True),
    Version("@acme/core", signed=True),
    Version("@acme/tools", "1.0.0", {"dependencies": {"@acme/core": "1.0.0"}}),
    Version("@acme/tools", "1.1.0", {"dependencies": {"@acme/core": "1.0.0"}}, signed=True),
    Version("@acme/tools", "2.0.0-beta.1", published="2020-02-01T00:00:00.000Z"),
    Version("plain", "0.9.0", {"deprecated": "use 1.0.0"}, integrity=False, published="2012-01-01T00:00:00.000Z"),
    Version("plain", "1.0.0", integrity=False, published="2013-01-01T00:00:00.000Z"),
    Version("maybe"),
    Version("elsewhere", more={"os": ["aix"]}),
    Version("peer"),
    Version("built", more={"scripts": {"install": _SCRIPT}}),
    Version("legacy", file="legacy-v1.tgz"),
)
TAGS = {"@acme/tools": {"latest": "1.1.0", "next": "2.0.0-beta.1"}}

# A project that has it all, and what of it is installed.
PROJECT = dict.fromkeys(("app", "built", "legacy", "peer", "plain"), "1.0.0")
_LEFT_OUT = {"@acme/tools@1.0.0", "@acme/tools@2.0.0-beta.1", "plain@0.9.0", "elsewhere@1.0.0"}
INSTALLED = {version.name: version for version in WORLD if version.name not in _LEFT_OUT}
