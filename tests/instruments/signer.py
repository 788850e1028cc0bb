"""A key that is thrown away afterwards, and the signatures that gpg makes with it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Signer:
    """One Ed25519 key without a passphrase in a home of its own; its public half is in `keyring`."""

    def __init__(self, home: Path) -> None:
        self._environment = {**os.environ, "GNUPGHOME": str(home), "LC_ALL": "C"}
        self.keyring = home / "archive.gpg"
        home.chmod(0o700)
        self._gpg("--quick-generate-key", "archive@example.com", "ed25519", "sign", "never")
        self.keyring.write_bytes(self._gpg("--export"))

    def clear(self, text: bytes) -> bytes:
        """The text with its signature around it: an InRelease file."""
        return self._gpg("--clearsign", text=text)

    def detached(self, text: bytes) -> bytes:
        """The signature alone: a Release.gpg file."""
        return self._gpg("--armor", "--detach-sign", text=text)

    def close(self) -> None:
        """End the agent that gpg has started for this home."""
        subprocess.run(["gpgconf", "--kill", "all"], env=self._environment, check=True, capture_output=True)

    def _gpg(self, *arguments: str, text: bytes = b"") -> bytes:
        command = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *arguments]
        return subprocess.run(command, input=text, env=self._environment, capture_output=True, check=True).stdout


@contextmanager
def signing() -> Iterator[Signer]:
    """A signer, gone at the end. Its home has a short name: the agent's socket is in it."""
    with tempfile.TemporaryDirectory(prefix="gpg", dir="/tmp") as home:
        signer = Signer(Path(home))
        try:
            yield signer
        finally:
            signer.close()
