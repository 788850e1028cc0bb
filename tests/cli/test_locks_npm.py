"""What is read from package-lock.json in its three versions, and from pnpm-lock.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mirror import locks
from mirror.errors import ConfigError
from mirror.locks import Platform, Wanted

SAMPLES = Path(__file__).parents[1] / "e2e/locks"
TARBALL = "https://upstream.test/{}/-/{}-1.0.0.tgz"


def read(tree: dict[str, Any]) -> tuple[list[Wanted], dict[str, str]]:
    lock = locks.read(json.dumps(tree), "package-lock")
    return lock.wanted, {one.what: one.reason for one in lock.skipped}


def test_paths_below_node_modules_are_packages_and_nothing_else_is() -> None:
    wanted, skipped = read({
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "root", "version": "1.0.0"},
            "packages/mine": {"name": "mine", "version": "1.0.0"},
            "node_modules/mine": {"resolved": "packages/mine", "link": True},
            "node_modules/a": {"version": "1.0.0", "resolved": TARBALL.format("a", "a")},
            "node_modules/b/node_modules/a": {"version": "1.0.0", "resolved": TARBALL.format("a", "a")},
            "node_modules/@acme/c": {"version": "2.0.0-rc.1"},
            "node_modules/alias": {"name": "true", "version": "1.0.0", "resolved": TARBALL.format("true", "true")},
            "node_modules/inner": {"version": "1.0.0", "inBundle": True},
            "node_modules/forked": {"version": "1.0.0", "resolved": "git+ssh://git@upstream.test/x.git#0"},
            "node_modules/local": {"version": "1.0.0", "resolved": "file:local.tgz"},
            "node_modules/other": {"version": "1.0.0", "os": ["win32"], "cpu": ["x64"], "optional": True},
            "node_modules/needed": {"version": "1.0.0", "os": ["!win32"]},
        },
    })  # fmt: skip
    assert wanted == [
        Wanted("npm", "a", "1.0.0", TARBALL.format("a", "a")),
        Wanted("npm", "@acme/c", "2.0.0-rc.1"),
        Wanted("npm", "true", "1.0.0", TARBALL.format("true", "true")),
        Wanted("npm", "other", "1.0.0", platform=Platform(("win32",), ("x64",))),
        Wanted("npm", "needed", "1.0.0"),
    ]
    assert skipped == {
        "mine": "a link to a folder of the project",
        "inner": "bundled: it comes inside another package",
        "forked": "from git, not from a registry",
        "local": "from file, not from a registry",
    }


def test_version_1_is_a_tree() -> None:
    wanted, skipped = read({
        "lockfileVersion": 1,
        "dependencies": {
            "a": {
                "version": "1.0.0",
                "resolved": TARBALL.format("a", "a"),
                "dependencies": {"b": {"version": "1.0.0"}, "inner": {"version": "1.0.0", "bundled": True}},
            },
            "alias": {"version": "npm:@acme/c@1.0.0"},
            "single": {"version": "https://upstream.test/single.tgz"},
            "forked": {"version": "git+https://upstream.test/x.git#0", "from": "x"},
            "local": {"version": "file:../local"},
        },
    })  # fmt: skip
    assert wanted == [
        Wanted("npm", "a", "1.0.0", TARBALL.format("a", "a")),
        Wanted("npm", "b", "1.0.0"),
        Wanted("npm", "@acme/c", "1.0.0"),
        Wanted("", "single", url="https://upstream.test/single.tgz"),
    ]
    assert set(skipped) == {"inner", "forked", "local"}


def test_all_of_a_real_lock_file() -> None:
    text = (SAMPLES / "package-lock.json").read_text()
    lock = locks.read(text, locks.kind("package-lock.json", text))
    paths = [path for path in json.loads(text)["packages"] if path]
    pairs = {(path.rpartition("node_modules/")[2], json.loads(text)["packages"][path]["version"]) for path in paths}
    assert {(one.name, one.version) for one in lock.wanted} == pairs
    assert (len(lock.wanted), lock.skipped) == (len(pairs), [])


@pytest.mark.parametrize(
    "text",
    [
        "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n\npackages:\n\n  '@acme/c@1.0.0':\n"
        "    resolution: {integrity: sha512-x}\n\n  a@1.0.0:\n    resolution: {integrity: sha512-y}\n\n"
        "  far@https://codeload.upstream.test/x/tar.gz/0:\n"
        "    resolution: {tarball: https://codeload.upstream.test/x/tar.gz/0}\n    version: 1.0.0\n\n"
        "  here@file:here:\n    resolution: {directory: here, type: directory}\n\n"
        "snapshots:\n\n  a@1.0.0:\n    dependencies:\n      z: 9.9.9\n",
        "lockfileVersion: '6.0'\n\npackages:\n\n  /@acme/c@1.0.0(peer@2.0.0):\n    resolution: {integrity: sha512-x}\n"
        "    dev: false\n\n  /a@1.0.0:\n    resolution: {integrity: sha512-y}\n\n"
        "  '@codeload.upstream.test/x/tar.gz/0':\n"
        "    resolution: {tarball: https://codeload.upstream.test/x/tar.gz/0}\n\n  file:here:\n"
        "    resolution: {directory: here, type: directory}\n",
        "lockfileVersion: 5.4\n\npackages:\n\n  /@acme/c/1.0.0_peer@2.0.0:\n    resolution: {integrity: sha512-x}\n\n"
        "  /a/1.0.0:\n    resolution: {integrity: sha512-y}\n\n  '@codeload.upstream.test/x/tar.gz/0':\n"
        "    resolution: {tarball: https://codeload.upstream.test/x/tar.gz/0}\n\n  file:here:\n"
        "    resolution: {directory: here, type: directory}\n",
    ],
)
def test_pnpm_lock(text: str) -> None:
    lock = locks.read(text, locks.kind("-", text))
    assert [(one.name, one.version) for one in lock.wanted if one.ecosystem] == [("@acme/c", "1.0.0"), ("a", "1.0.0")]
    assert [one.url for one in lock.wanted if not one.ecosystem] == ["https://codeload.upstream.test/x/tar.gz/0"]
    assert [one.reason for one in lock.skipped] == ["not from a registry"]


@pytest.mark.parametrize(("text", "told"), [("{", "not JSON"), ("[]", "not an object"), ("[" * 10**5, "not JSON")])
def test_what_is_no_lock_file_is_told(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        locks.read(text, "package-lock")
