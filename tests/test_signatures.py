"""Releases are signed, or they are not: gpgv tells, with keys that gpg made for this test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.errors import OriginError, StoreError
from mirror.signatures import Gpgv, dearmoured

pytestmark = pytest.mark.skipif(not (shutil.which("gpg") and shutil.which("gpgv")), reason="gpg is not installed")


class Keys:
    """Two keys, `a` and `b`, in a home of their own; only `a`'s is in the keyring."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.chmod(0o700)
        for name in ("a", "b"):
            self.gpg("--quick-generate-key", f"{name}@example.com", "ed25519", "sign", "never")
        self.keyring = home / "a.gpg"
        self.keyring.write_bytes(self.gpg("--export", "a@example.com"))
        self.armoured = home / "a.asc"
        self.armoured.write_bytes(self.gpg("--armor", "--export", "a@example.com"))

    def gpg(self, *arguments: str, text: bytes = b"") -> bytes:
        quiet = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        command = ["gpg", "--homedir", str(self.home), *quiet, *arguments]
        return subprocess.run(command, input=text, capture_output=True, check=True).stdout

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False)

    def signed(self, text: bytes, *names: str) -> bytes:
        users = [part for name in names for part in ("--local-user", f"{name}@example.com")]
        return self.gpg(*users, "--clearsign", text=text)

    def signature(self, text: bytes, name: str) -> bytes:
        return self.gpg("--local-user", f"{name}@example.com", "--armor", "--detach-sign", text=text)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    made = Keys(tmp_path_factory.mktemp("k"))
    yield made
    made.close()


@pytest.mark.parametrize("form", ["keyring", "armoured"])
async def test_what_a_key_of_the_ring_has_signed_is_right(keys: Keys, form: str) -> None:
    ring = str(getattr(keys, form))
    await Gpgv().check(ring, keys.signed(b"Origin: x\n", "a"))
    await Gpgv().check(ring, b"Origin: x\n", keys.signature(b"Origin: x\n", "a"))
    await Gpgv().check(ring, keys.signed(b"Origin: x\n", "b", "a"))  # by an old and a new key


async def test_what_nobody_of_the_ring_has_signed_is_refused(keys: Keys) -> None:
    for signed, signature in [
        (keys.signed(b"Origin: x\n", "b"), None),
        (b"Origin: x\n", None),
        (b"Origin: x\n", keys.signature(b"Origin: x\n", "b")),
        (b"Origin: x\n", b"nonsense"),
    ]:
        with pytest.raises(OriginError, match="no key of the keyring has signed it"):
            await Gpgv().check(str(keys.keyring), signed, signature)


async def test_what_was_changed_after_it_was_signed_is_refused(keys: Keys) -> None:
    with pytest.raises(OriginError, match="badly signed"):
        await Gpgv().check(str(keys.keyring), keys.signed(b"Origin: x\n", "a").replace(b"x", b"y", 1))
    with pytest.raises(OriginError, match="badly signed"):
        await Gpgv().check(str(keys.keyring), b"Origin: y\n", keys.signature(b"Origin: x\n", "a"))


async def test_a_keyring_or_a_program_that_is_not_there_is_told(keys: Keys) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        await Gpgv().check("/nowhere/keys.gpg", b"x")
    with pytest.raises(StoreError, match="cannot be run"):
        await Gpgv("/nowhere/gpgv").check(str(keys.keyring), b"x")


def test_armour_that_ends_early_is_none(keys: Keys) -> None:
    assert dearmoured(keys.armoured.read_bytes() * 2) == keys.keyring.read_bytes() * 2
    with pytest.raises(ValueError, match="no end"):
        dearmoured(keys.armoured.read_bytes()[:-40].replace(b"-----END", b""))


@pytest.mark.parametrize("when", ["expired", "revoked"])
async def test_a_key_that_counts_no_more_has_signed_nothing(tmp_path: Path, when: str) -> None:
    home = tmp_path / "k"
    home.mkdir()
    keys = Keys(home)
    old = "20200101T000000!"
    lasting = "1y" if when == "expired" else "never"
    keys.gpg("--faked-system-time", old, "--quick-generate-key", "c@example.com", "ed25519", "sign", lasting)
    signed = keys.gpg("--faked-system-time", old, "--local-user", "c@example.com", "--clearsign", text=b"Origin: x\n")
    if when == "revoked":
        revocation = next((home / "openpgp-revocs.d").glob(f"{fingerprint(keys)}.rev")).read_text()
        keys.gpg("--import", text=revocation.replace(":-----BEGIN", "-----BEGIN").encode())
    ring = home / "c.gpg"
    ring.write_bytes(keys.gpg("--export", "c@example.com"))
    try:
        with pytest.raises(OriginError, match="no key of the keyring has signed it"):
            await Gpgv().check(str(ring), signed)
    finally:
        keys.close()


def fingerprint(keys: Keys) -> str:
    listed = keys.gpg("--with-colons", "--list-keys", "c@example.com").decode()
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
