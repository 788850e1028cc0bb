"""The fake APT archive is one that APT itself takes for real, and its faults are on the wire."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.instruments.archive import HTML, PACKAGES, Archive
from tests.instruments.debs import sha256
from tests.instruments.generation import Layout
from tests.instruments.origin import Origin
from tests.instruments.raw import ask
from tests.instruments.signer import Signer, signing

pytestmark = pytest.mark.skipif(
    not all(shutil.which(program) for program in ("gpg", "gpgv", "dpkg-deb")), reason="gpg or dpkg is not installed"
)
RELEASE = "dists/stable/InRelease"


@pytest.fixture(scope="module")
def signer() -> Iterator[Signer]:
    with signing() as signer:
        yield signer


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running


async def test_packages_are_packages(tmp_path: Path) -> None:
    for package in PACKAGES:
        path = tmp_path / "x.deb"
        path.write_bytes(package.deb)
        command = ["dpkg-deb", "--show", "--showformat=${Package} ${Version}", str(path)]
        shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        assert shown.stdout == f"{package.name} {package.version}"


async def test_a_release_lists_what_there_is(origin: Origin, signer: Signer) -> None:
    archive = Archive(origin, signer)
    lines = archive.newest.files["dists/stable/Release"].decode().partition("SHA256:\n")[2].splitlines()
    assert len(lines) == 13
    for digest, size, name in (line.split() for line in lines):
        heard = await ask(origin, archive.path(f"dists/stable/{name}"))
        assert (sha256(heard.body), len(heard.body)) == (digest, int(size))
        hashed = f"dists/stable/{name.rpartition('/')[0]}/by-hash/SHA256/{digest}"
        assert (await ask(origin, archive.path(hashed))).body == heard.body


@pytest.mark.parametrize("poor", [False, True])
async def test_the_real_one_has_validators_and_ranges_and_the_poor_one_has_not(
    poor: bool, origin: Origin, signer: Signer
) -> None:
    archive = Archive(origin, signer, poor=poor)
    path = archive.path(RELEASE)
    heard = await ask(origin, path)
    validators = [heard.headers.get(name) for name in ("last-modified", "etag", "accept-ranges", "cache-control")]
    assert [value is None for value in validators] == [poor] * 4
    part = await ask(origin, path, "Range: bytes=5-9")
    assert (part.status, part.body) == ((200, heard.body) if poor else (206, heard.body[5:10]))
    since = await ask(origin, path, "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT")
    assert since.status == (200 if poor else 304)


async def test_a_generation_comes_in_the_halves_that_are_shown(origin: Origin, signer: Signer) -> None:
    archive = Archive(origin, signer, layout=Layout(by_hash=False))
    old, new = archive.newest, archive.make()
    assert new.files[RELEASE] != old.files[RELEASE]
    assert (await ask(origin, archive.path(RELEASE))).body == old.files[RELEASE]
    archive.show("*/Packages*")
    index = archive.index()
    assert (await ask(origin, archive.path(index))).body == new.files[index] != old.files[index]
    assert (await ask(origin, archive.path(RELEASE))).body == old.files[RELEASE]
    archive.show("*")
    assert (await ask(origin, archive.path(RELEASE))).body == new.files[RELEASE]


@pytest.mark.parametrize("kept", [0, 1])
async def test_old_names_by_digest_go_with_their_generation(kept: int, origin: Origin, signer: Signer) -> None:
    archive = Archive(origin, signer)
    archive.old_hashes = kept
    name = next(name for name in archive.newest.files if "binary-amd64/by-hash/" in name)
    archive.publish()
    body = archive.generations[0].files[name]
    changed = body != archive.newest.files.get(name)
    assert ((await ask(origin, archive.path(name))).status == 404) == (changed and not kept)
    archive.publish()
    assert ((await ask(origin, archive.path(name))).status == 404) == changed


async def test_a_fault_is_there_until_it_is_over(origin: Origin, signer: Signer) -> None:
    archive = Archive(origin, signer)
    path, body = archive.path(RELEASE), archive.newest.files[RELEASE]
    with archive.fault(RELEASE, HTML):
        assert (await ask(origin, path)).body == HTML.body
    with archive.fault(RELEASE, shape="cut=10"):
        assert (await ask(origin, path)).body == body[:10]
    with archive.fault(RELEASE, archive.elsewhere(RELEASE)):
        heard = await ask(origin, path)
        target = (heard.headers.get("location") or "").removeprefix("http://127.0.0.1:").partition("/")
        assert (heard.status, target[0] == str(origin.port)) == (302, False)
        assert (await ask(origin, f"/{target[2]}")).body == body
    archive.flips = True
    tags = {(await ask(origin, path)).headers.get("etag") for _ in range(3)}
    assert len(tags) == 3
    assert archive.asked(RELEASE) == 6


async def test_a_plus_is_found_as_apt_writes_it_alone(origin: Origin, signer: Signer) -> None:
    archive = Archive(origin, signer)
    name = archive.pool("libthing++")
    assert archive.path(name).endswith("/libthing%2b%2b_1:2.4%2bdfsg%7erc1-2_all.deb")
    assert (await ask(origin, archive.path(name))).body[:8] == b"!<arch>\n"
    assert (await ask(origin, archive.path(name).replace("%2b", "+"))).status == 404


async def test_signatures_are_good(origin: Origin, signer: Signer, tmp_path: Path) -> None:
    made = Archive(origin, signer).newest.files
    for name in ("Release", "Release.gpg", "InRelease"):
        (tmp_path / name).write_bytes(made[f"dists/stable/{name}"])
    for files in (["InRelease"], ["Release.gpg", "Release"]):
        command = ["gpgv", "--keyring", str(signer.keyring), *files]
        await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, check=True, capture_output=True)
