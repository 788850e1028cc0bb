"""Small packages for APT, the same bytes each time: binary ones, and what the indexes of an archive say of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from functools import lru_cache

from . import bodies


@dataclass(frozen=True, slots=True)
class Package:
    """One version of a package for all architectures. Another `edition` has other bytes under the same file name."""

    name: str
    version: str
    depends: str = ""
    size: int = 20_000
    edition: str = ""

    @property
    def file(self) -> str:
        """Its name in the archive, with the epoch of its version: `thing_1:2.0+b1_all.deb`."""
        return f"{self.name}_{self.version}_all.deb"

    @property
    def deb(self) -> bytes:
        return _deb(self)

    def paragraph(self, path: str) -> str:
        """What Packages says of it; `path` is where it is below the root of the archive."""
        sizes = f"Filename: {path}\nSize: {len(self.deb)}\nSHA256: {sha256(self.deb)}\n"
        return f"{_control(self)}{sizes}Description-md5: {_description_md5(self)}\n"

    def translation(self) -> str:
        """What Translation-en says of it."""
        return f"Package: {self.name}\nDescription-md5: {_description_md5(self)}\nDescription-en: {self.name}\n Long.\n"

    def source_files(self) -> dict[str, bytes]:
        """Its source package, as far as downloading goes."""
        version = self.version.rpartition(":")[2]
        tarball = bodies.body(f"{self.name} {self.version} source", 0, self.size)
        return {
            f"{self.name}_{version}.dsc": f"Format: 3.0 (native)\nSource: {self.name}\n".encode(),
            f"{self.name}_{version}.tar.xz": tarball,
        }

    def source_paragraph(self, directory: str) -> str:
        """What Sources says of it."""
        files = self.source_files()
        head = f"Package: {self.name}\nBinary: {self.name}\nVersion: {self.version}\nFormat: 3.0 (native)\n"
        head += f"Maintainer: Nobody <nobody@example.com>\nArchitecture: all\nDirectory: {directory}\n"
        sums = "".join(f" {sha256(body)} {len(body)} {name}\n" for name, body in files.items())
        weak = "".join(f" {hashlib.md5(body).hexdigest()} {len(body)} {name}\n" for name, body in files.items())  # noqa: S324
        return f"{head}Files:\n{weak}Checksums-Sha256:\n{sums}"


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _control(package: Package) -> str:
    lines = [f"Package: {package.name}", f"Version: {package.version}", "Architecture: all"]
    lines += ["Maintainer: Nobody <nobody@example.com>", f"Description: {package.name}"]
    return "\n".join(lines + [f"Depends: {package.depends}"] * bool(package.depends)) + "\n"


def _description_md5(package: Package) -> str:
    return hashlib.md5(f"{package.name}\n Long.\n".encode()).hexdigest()  # noqa: S324


@lru_cache(maxsize=1024)
def _deb(package: Package) -> bytes:
    """An `ar` archive of a format version, a control archive and the files (deb(5))."""
    content = bodies.body(f"{package.name} {package.version} {package.edition}", 0, package.size)
    control = gzip.compress(_tar("./control", _control(package).encode()), mtime=0)
    members = {"debian-binary": b"2.0\n", "control.tar.gz": control}
    members["data.tar"] = _tar(f"./usr/share/{package.name}", content)
    return b"!<arch>\n" + b"".join(_member(name, body) for name, body in members.items())


def _member(name: str, body: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode()
    return head + body + b"\n" * (len(body) % 2)


def _tar(name: str, body: bytes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as file:
        member = tarfile.TarInfo(name)
        member.size = len(body)
        file.addfile(member, io.BytesIO(body))
    return content.getvalue()
