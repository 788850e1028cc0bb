"""Whether the Containerfile makes a container that works: its steps, carried out by hand in bare Debian roots.

For machines without a container engine. Needs root, `debootstrap`, and the archives and indexes that apt and pip of
this machine are set to; takes some minutes and a gigabyte below `--folder`. `--bare DIR` is a bare root that is there.
The server runs with the user, command and check of its health that the file says, in a network namespace of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.instruments.containerfile import Stage, Step, stages

ROOT = Path(__file__).parents[1]
FILE = ROOT / "contrib" / "container" / "Containerfile"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MINUTES = 60.0


def bare(folder: Path) -> Path:
    """A root with nothing but what every Debian has, of this machine's own release and archive."""
    print("debootstrap ...", flush=True)
    told = ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"]
    archive, release = subprocess.run(told, check=True, capture_output=True, text=True).stdout.splitlines()[0].split()
    root, archive = folder / "bare", archive.rstrip("/")
    command = ["debootstrap", "--variant=minbase", release.partition("-")[0], str(root), archive]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=20 * MINUTES)
    return root


def lend(root: Path) -> None:
    """What a build may know of this machine: where its archives, indexes and names are."""
    for path in ("etc/resolv.conf", "etc/pip.conf", "etc/hosts"):
        if (Path("/") / path).exists():
            shutil.copy(Path("/") / path, root / path)
    for path in ("etc/apt", "etc/ssl/certs", "usr/share/ca-certificates", "usr/local/share/ca-certificates"):
        if (Path("/") / path).exists():
            shutil.copytree(Path("/") / path, root / path, symlinks=True, dirs_exist_ok=True)
    (root / "etc/apt/apt.conf.d/99artifact-registry").unlink(missing_ok=True)


class Build:
    """The stages so far, by name, each a root below `folder`."""

    def __init__(self, folder: Path, start: Path) -> None:
        self.folder = folder
        self._start = start
        self._roots: dict[str, Path] = {}

    def stage(self, stage: Stage, name: str) -> Path:
        print(f"{name}: from {stage.base}", flush=True)
        root = self._roots[name] = self.folder / name
        subprocess.run(["cp", "-a", "--reflink=auto", str(self._start), str(root)], check=True)
        lend(root)
        for step in stage.steps:
            began = time.monotonic()
            self._step(step, root)
            print(f"  {step.word} {step.line[:80]}  ({time.monotonic() - began:.0f} s)", flush=True)
        return root

    def _step(self, step: Step, root: Path) -> None:
        if step.word == "RUN":
            known = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
            known.pop("PIP_FIND_LINKS", None)
            command = ["chroot", str(root), "/bin/sh", "-c", step.line]
            environment = {"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive", **known}
            log = (self.folder / "log").open("ab")
            with log:
                subprocess.run(command, check=True, env=environment, stdout=log, stderr=log, timeout=20 * MINUTES)
        elif step.word == "COPY":
            *sources, target = step.line.split()
            stage = next((option.removeprefix("--from=") for option in step.options), "")
            for source in sources:
                self._copy(self._roots[stage] / source[1:] if stage else ROOT / source, root, target)

    @staticmethod
    def _copy(source: Path, root: Path, target: str) -> None:
        there = root / target[1:]
        if target.endswith("/"):
            there = there / source.name
        there.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__") if source.is_relative_to(ROOT) else None
            shutil.copytree(source, there, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(source, there)


class Container:
    """The final stage, run as it says."""

    def __init__(self, stage: Stage, root: Path) -> None:
        self._root = root
        self._user = stage.last("USER").line
        self._volume = stage.last("VOLUME").line
        self._environment = {"PATH": PATH, **dict(word.split("=", 1) for word in shlex.split(stage.last("ENV").line))}
        self._command = [*(stage.last("ENTRYPOINT").listed or []), *(stage.last("CMD").listed or [])]
        check = stage.last("HEALTHCHECK").line.removeprefix("CMD ")
        self._check = Step("CMD", (), check).listed or []

    def try_it(self) -> list[str]:
        """What is wrong with it."""
        inside = ["sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh"]
        command = ["unshare", "--net", *inside, *self._chroot(self._command)]
        log = (self._root.parent / "served").open("wb")
        with log, subprocess.Popen(command, env=self._environment, stdout=log, stderr=log) as server:
            try:
                wrong = self._look(server)
            finally:
                server.send_signal(signal.SIGTERM)
                code = server.wait(60)
        wrong += [f"it ended with {code}"] if code else []
        return wrong

    def _chroot(self, command: list[str]) -> list[str]:
        return ["chroot", f"--userspec={self._user}", str(self._root), *command]

    def _look(self, server: subprocess.Popen[bytes]) -> list[str]:
        deadline = time.monotonic() + 60
        while (code := self._healthy(server)) and time.monotonic() < deadline and server.poll() is None:
            time.sleep(1)
        wrong = [] if code == 0 else ["it does not become healthy"]
        status = Path(f"/proc/{server.pid}/status").read_text()
        found = re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)
        if not found or found[1] != self._user.partition(":")[0]:
            wrong.append("it runs as another user than it says")
        if not list((self._root / self._volume[1:]).glob("index.v1")):
            wrong.append("its cache is not in its volume")
        writable = ["find", "/opt/mirror", "/etc/mirror", "/usr", "/etc", "-writable", "-not", "-type", "l"]
        told = subprocess.run(self._chroot(writable), check=False, capture_output=True, text=True)
        wrong += [f"it may write to {path}" for path in told.stdout.split()[:3]]
        return wrong

    def _healthy(self, server: subprocess.Popen[bytes]) -> int:
        enter = ["nsenter", f"--net=/proc/{server.pid}/ns/net", *self._chroot(self._check)]
        return subprocess.run(enter, check=False, env=self._environment, capture_output=True).returncode


def main() -> int:
    parser = argparse.ArgumentParser("scripts/bench container", description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="where there is a gigabyte; default: a temporary one")
    parser.add_argument("--bare", type=Path, help="a bare root that is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mirror-container-", dir=options.folder) as name:
        build = Build(Path(name), options.bare or bare(Path(name)))
        all_stages = stages(FILE)
        try:
            roots = [build.stage(stage, stage.name or "final") for stage in all_stages]
        except subprocess.CalledProcessError as exc:
            print((Path(name) / "log").read_text()[-3000:], exc, sep="\n")
            return 1
        wrong = Container(all_stages[-1], roots[-1]).try_it()
        if wrong:
            print((Path(name) / "served").read_text()[-3000:])
    print("\n".join(wrong) or "the container works")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
