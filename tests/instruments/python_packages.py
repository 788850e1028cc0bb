"""A small world of Python packages, always the same bytes: wheels, an sdist that builds itself, and how they differ."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import bodies

UPLOADED = "2024-02-03T04:05:06.789012Z"
_DAWN = (2020, 1, 1, 0, 0, 0)
BIG = 700_000  # bytes of the largest module: many reads, and lazy downloads of a wheel are worth while
_DESCRIPTION = [f"What {number} things it does, at length." for number in range(50)]

# A build backend that stands in the sdist (PEP 517 `backend-path`), so that nothing need be installed to build it.
_BACKEND = """
import base64, hashlib, pathlib, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = {wheel!r}
    files = {files!r}
    with zipfile.ZipFile(pathlib.Path(wheel_directory, name), "w") as file:
        for path, text in files.items():
            file.writestr(zipfile.ZipInfo(path, {dawn!r}), text)
    return name
"""


@dataclass(frozen=True)
class File:
    """A file of a project. `metadata` None: it has none beside it; `yanked` None: it is not, "" is without a reason."""

    name: str
    body: bytes
    version: str
    requires_python: str | None = None
    yanked: str | None = None
    metadata: bytes | None = None
    folder: str = ""
    uploaded: str = UPLOADED

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def path(self) -> str:
        """Where the file host has it: in `folder`, or in one named by the blake2b of its bytes; a `+` is encoded."""
        if self.folder:
            return f"/packages/{self.folder}/{self.name}"
        digest = hashlib.blake2b(self.body, digest_size=32).hexdigest()
        return f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{self.name.replace('+', '%2B')}"


@dataclass(frozen=True)
class Project:
    """A project by its normalised name; `status` as PEP 792 has it."""

    name: str
    files: tuple[File, ...] = ()
    status: str = "active"

    @property
    def versions(self) -> list[str]:
        return list(dict.fromkeys(file.version for file in self.files))


@dataclass(frozen=True)
class Needs:
    """What a version needs: other projects, other projects for each extra, and a Python."""

    always: Sequence[str] = ()
    extras: Mapping[str, str] = field(default_factory=dict)
    python: str | None = None


def wheel(name: str, version: str, needs: Needs | None = None, *, yanked: str | None = None, size: int = 2000) -> File:
    """A wheel with one module, which holds the version and about `size` bytes that do not compress."""
    needs = needs or Needs()
    metadata, file_name = _metadata(name, version, needs), f"{_snake(name)}-{version}-py3-none-any.whl"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for path, text in _tree(name, version, metadata, size).items():
            file.writestr(zipfile.ZipInfo(path, _DAWN), text)
    return File(file_name, content.getvalue(), version, needs.python, yanked, metadata)


def sdist(name: str, version: str) -> File:
    """A source distribution that needs nothing to be built."""
    files = _tree(name, version, metadata := _metadata(name, version, Needs()), 500)
    built = f"{_snake(name)}-{version}-py3-none-any.whl"
    members = {
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "PKG-INFO": metadata,
        "backend.py": _BACKEND.format(wheel=built, files=files, dawn=_DAWN).encode(),
    }
    content, folder = io.BytesIO(), f"{_snake(name)}-{version}"
    with tarfile.open(fileobj=content, mode="w") as file:
        for path, text in members.items():
            member = tarfile.TarInfo(f"{folder}/{path}")
            member.size = len(text)
            file.addfile(member, io.BytesIO(text))
    return File(f"{folder}.tar.gz", _gzipped(content.getvalue()), version)


def world() -> dict[str, Project]:
    """`app` 2.0 needs all that can be installed, each in its newest version that is neither yanked nor for others."""
    core = [
        wheel("lib.core", "1.0"),
        wheel("lib.core", "1.1"),
        wheel("lib.core", "2.0", yanked="broken: use <1.1> & co"),
    ]
    tool = [
        wheel("tool", "1.0", Needs(extras={"fast": "speed"}, python=">=3.8")),
        wheel("tool", "2.0", Needs(extras={"fast": "speed"}, python=">=4")),
        wheel("tool", "0.9", yanked=""),
    ]
    needs = Needs(["lib-core>=1.0", "tool[fast]", "source-only"])
    projects = [
        Project("app", (wheel("app", "1.0"), wheel("app", "2.0", needs))),
        Project("lib-core", tuple(core)),
        Project("tool", tuple(tool)),
        Project("speed", (wheel("speed", "1.0+local.1", size=BIG),)),
        Project("source-only", (sdist("source-only", "0.3"),)),
        Project("quarantined", (), "quarantined"),
    ]
    return {project.name: project for project in projects}


INSTALLED = {"app": "2.0", "lib-core": "1.1", "tool": "1.0", "speed": "1.0+local.1", "source-only": "0.3"}
"""What `app` brings, by normalised name."""


def _tree(name: str, version: str, metadata: bytes, size: int) -> dict[str, bytes]:
    folder = f"{_snake(name)}-{version}.dist-info"
    filling = base64.b64encode(bodies.body(name + version, 0, size * 3 // 4)).decode()
    files = {
        f"{_snake(name)}.py": f'version = "{version}"\nfilling = "{filling}"\n'.encode(),
        f"{folder}/METADATA": metadata,
        f"{folder}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_record_hash(text)},{len(text)}" for path, text in files.items()]
    return files | {f"{folder}/RECORD": "\n".join([*record, f"{folder}/RECORD,,", ""]).encode()}


def _metadata(name: str, version: str, needs: Needs) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {need}" for need in needs.always]
    for extra, need in needs.extras.items():
        lines += [f"Provides-Extra: {extra}", f'Requires-Dist: {need}; extra == "{extra}"']
    lines += [f"Requires-Python: {needs.python}"] * bool(needs.python)
    return "\n".join([*lines, "", *_DESCRIPTION, ""]).encode()


def _record_hash(text: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()


def _snake(name: str) -> str:
    return name.replace("-", "_").replace(".", "_")


def _gzipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        file.write(content)
    return packed.getvalue()
