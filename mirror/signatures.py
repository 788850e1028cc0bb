"""OpenPGP signatures, checked by gpgv as APT does it."""

from __future__ import annotations

import asyncio
import binascii
import re
import tempfile
from pathlib import Path

from mirror.errors import OriginError, StoreError

_ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_DEADLINE = 30.0


class Gpgv:
    """See `ports.Signatures`; `program` is gpgv. A keyring may be armoured or not."""

    def __init__(self, program: str = "gpgv") -> None:
        self._program = program

    async def check(self, keyring: str, signed: bytes, signature: bytes | None = None) -> None:
        """See `ports.Signatures.check`; StoreError where gpgv or the keyring cannot be used."""
        with tempfile.TemporaryDirectory(prefix="mirror-gpgv-") as folder:
            arguments = await asyncio.to_thread(_files, Path(folder), Path(keyring), signed, signature)
            said = await self._run(folder, arguments)
        statuses = re.findall(rb"^\[GNUPG:\] (\w+)", said, re.MULTILINE)
        # One good signature is enough, because a release is signed by old and new keys; a bad one is one too many.
        # VALIDSIG says no more than that the bytes are right: the key may be expired or revoked.
        if b"GOODSIG" not in statuses or b"BADSIG" in statuses:
            reason = "it is badly signed" if b"BADSIG" in statuses else "no key of the keyring has signed it"
            raise OriginError(f"{reason} ({keyring})")

    async def _run(self, folder: str, arguments: list[str]) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *(self._program, "--status-fd", "1", "--homedir", folder, *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as exc:
            raise StoreError(f"{self._program} cannot be run: {exc.strerror}") from exc
        try:
            async with asyncio.timeout(_DEADLINE):
                said, _ = await process.communicate()
        except BaseException as exc:
            process.kill()
            await process.wait()
            if isinstance(exc, TimeoutError):
                raise OriginError(f"{self._program} did not come to an end") from exc
            raise
        return said


def _files(folder: Path, keyring: Path, signed: bytes, signature: bytes | None) -> list[str]:
    """Blocks. The arguments that name the files."""
    try:
        keys = keyring.read_bytes()
        (folder / "keys.gpg").write_bytes(dearmoured(keys) if keys.lstrip().startswith(_ARMOUR) else keys)
    except (OSError, ValueError) as exc:
        raise StoreError(f"{keyring} cannot be read: {exc}") from exc
    (folder / "signed").write_bytes(signed)
    arguments = ["--keyring", str(folder / "keys.gpg")]
    if signature is not None:
        (folder / "signature").write_bytes(signature)
        arguments.append(str(folder / "signature"))
    return [*arguments, str(folder / "signed")]


def dearmoured(text: bytes) -> bytes:
    """The packets of armoured keys, of one or several blocks (RFC 9580 §6.2); ValueError where it is none."""
    packets = []
    for block in text.split(_ARMOUR)[1:]:
        _, _, data = block.replace(b"\r\n", b"\n").partition(b"\n\n")
        data, end, _ = data.partition(b"-----END")
        if not end:
            raise ValueError("the armour has no end")
        lines = [line for line in data.split(b"\n") if not line.startswith(b"=")]
        packets.append(binascii.a2b_base64(b"".join(lines)))
    return b"".join(packets)
