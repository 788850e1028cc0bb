"""apt-get with a state, a cache and settings of its own; it knows nothing of this machine's."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SETTINGS = """
Dir::State "{0}/state/";
Dir::State::status "{0}/status";
Dir::Cache "{0}/cache/";
Dir::Etc "{0}/etc/";
Dir::Log "{0}/log/";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "en";
Acquire::Retries "0";
Acquire::http::Timeout "30";
"""
CONTENTS = """
Acquire::IndexTargets::deb::Contents-deb {
  MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)"; ShortDescription "Contents"; Description "Contents";
};
"""


@dataclass(frozen=True, slots=True)
class Said:
    """How a run ended, and what was said."""

    code: int
    text: str

    @property
    def fine(self) -> bool:
        """True where nothing failed, and nothing was warned of. An archive need not have InRelease."""
        return self.code == 0 and not re.search(r"^(?:[EW]|Err|Ign(?!:.* InRelease$)):", self.text, re.MULTILINE)

    @property
    def hit(self) -> bool:
        """True where the release was the one that is known."""
        return re.search(r"^Hit:1 ", self.text, re.MULTILINE) is not None


class Apt:
    """A client whose sources are `lines`; in them `{key}` stands for `signed-by=` and the keyring."""

    def __init__(self, folder: Path, keyring: Path, *lines: str, settings: str = "") -> None:
        self.folder = folder
        self.files = folder / "files"
        self._environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "APT_CONFIG": str(folder / "apt.conf")}
        for name in ("etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d", "log", "files"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "apt.conf").write_text(SETTINGS.format(folder) + settings)
        sources = "\n".join(line.format(key=f"signed-by={keyring}") for line in lines)
        (folder / "etc/sources.list").write_text(f"{sources}\n")
        self.forget()

    def forget(self) -> None:
        """As it was before it ever ran."""
        for name in ("state/lists", "cache/archives"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name / "partial").mkdir(parents=True)
        shutil.rmtree(self.files)
        self.files.mkdir()

    async def run(self, *command: str) -> Said:
        """apt-get, in a thread: the archive lives in this one."""
        done = await asyncio.to_thread(
            subprocess.run,
            ["apt-get", "-q", *command],
            cwd=self.files,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
        )
        return Said(done.returncode, done.stdout)

    async def update(self) -> Said:
        return await self.run("update")

    async def updated(self) -> int:
        """Update, which has to be fine; the number of the generation that there is now."""
        said = await self.update()
        assert said.fine, said.text
        return self.generation()

    async def download(self, *names: str) -> Said:
        """Packages (`name` or `name=version`) into `files`."""
        return await self.run("download", *names)

    async def fetch(self, *names: str) -> Said:
        """Packages with what they need, into `cache/archives`: pipelined, and resumed where a part is there."""
        return await self.run("install", "-y", "--download-only", *names)

    def generation(self) -> int:
        """The number of the generation whose release is there."""
        release = next(path for path in (self.folder / "state/lists").iterdir() if path.name.endswith("Release"))
        found = re.search(r"^Version: (\d+)$", release.read_text(), re.MULTILINE)
        assert found, release
        return int(found[1])

    def lists(self) -> dict[str, str]:
        """The digests of the indexes that are there, by their path below the host."""
        found = (path for path in (self.folder / "state/lists").iterdir() if path.is_file() and path.name != "lock")
        return {re.sub(r".*(?=_dists_)", "", path.name): _digest(path) for path in found}

    def debs(self) -> dict[str, str]:
        """The digests of the packages that were downloaded."""
        return {path.name: _digest(path) for path in self.files.iterdir()}

    @property
    def archives(self) -> Path:
        """Where `fetch` puts packages."""
        return self.folder / "cache/archives"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
