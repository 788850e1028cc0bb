"""One generation of an APT archive: the packages that it has, and the indexes and the release that say so. Pure but
for the signature."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .debs import Package, sha256
from .signer import Signer

SUITE = "dists/stable"


@dataclass(frozen=True, slots=True)
class Layout:
    """How the archive is made: with index names by digest, with InRelease beside Release, all in one directory.

    `valid_for`: seconds from a release's date until clients no longer accept it.
    """

    by_hash: bool = True
    inrelease: bool = True
    flat: bool = False
    valid_for: float | None = None

    @property
    def suite(self) -> str:
        """The directory of the release and of what it names; "" for the root."""
        return "" if self.flat else f"{SUITE}/"

    def place(self, package: Package) -> str:
        """Where a package is below the root of the archive."""
        return f"{'./' if self.flat else f'pool/main/{package.name[0]}/{package.name}/'}{package.file}"

    def listed(self, package: Package) -> str:
        """The same, in the form of a key of a generation's files."""
        return self.place(package).removeprefix("./")


COMMON = Layout()


@dataclass(frozen=True, slots=True)
class Generation:
    """The files of one generation by their path below the root; `number` is the Version that its release has."""

    number: int
    stamp: float
    packages: tuple[Package, ...]
    files: dict[str, bytes]


def generation(number: int, packages: Sequence[Package], stamp: float, layout: Layout, signer: Signer) -> Generation:
    """`stamp` dates it, in seconds since 1970; its `news` package has its number as version."""
    packages = (*packages, Package("news", str(number), size=1000))
    indexes = _indexes(packages, layout)
    release = _release(number, stamp, layout, indexes)
    files = {f"{layout.suite}{name}": body for name, body in indexes.items()}
    if layout.by_hash:
        files |= {f"{layout.suite}{by_hash(name, body)}": body for name, body in indexes.items()}
    files |= _signed(release, layout, signer)
    files |= {layout.listed(package): package.deb for package in packages}
    if not layout.flat:
        files |= {f"{_source_directory(packages[0])}/{name}": body for name, body in packages[0].source_files().items()}
    return Generation(number, stamp, packages, files)


def by_hash(name: str, body: bytes) -> str:
    """The name by digest of the index that has this name and these bytes."""
    directory, slash, _ = name.rpartition("/")
    return f"{directory}{slash}by-hash/SHA256/{sha256(body)}"


def _signed(release: bytes, layout: Layout, signer: Signer) -> dict[str, bytes]:
    pair = {f"{layout.suite}Release": release, f"{layout.suite}Release.gpg": signer.detached(release)}
    return pair | ({f"{layout.suite}InRelease": signer.clear(release)} if layout.inrelease else {})


def _indexes(packages: Sequence[Package], layout: Layout) -> dict[str, bytes]:
    """The indexes by their path below the suite."""
    listed = "\n".join(package.paragraph(layout.place(package)) for package in packages).encode()
    if layout.flat:
        return _packed("Packages", listed)
    contents = "".join(f"usr/share/{package.name} misc/{package.name}\n" for package in packages)
    component = _packed("main/binary-amd64/Packages", listed)
    component["main/binary-amd64/Release"] = b"Archive: stable\nComponent: main\nArchitecture: amd64\n"
    sources = packages[0].source_paragraph(_source_directory(packages[0]))
    component |= _packed("main/source/Sources", sources.encode())
    translations = {package.name: package.translation() for package in packages}
    component |= _packed("main/i18n/Translation-en", "\n".join(translations.values()).encode())
    return component | _packed("main/Contents-amd64", contents.encode())


def _packed(name: str, body: bytes) -> dict[str, bytes]:
    return {name: body, f"{name}.xz": lzma.compress(body, preset=0), f"{name}.gz": gzip.compress(body, 1, mtime=0)}


def _source_directory(package: Package) -> str:
    return f"pool/main/{package.name[0]}/{package.name}"


def _release(number: int, stamp: float, layout: Layout, indexes: dict[str, bytes]) -> bytes:
    fields = {"Origin": "Test", "Suite": "stable", "Codename": "stable", "Version": str(number)}
    fields |= {"Date": _date(stamp), "Architectures": "amd64", "Components": "main"}
    if layout.valid_for is not None:
        fields["Valid-Until"] = _date(stamp + layout.valid_for)
    if layout.by_hash:
        fields["Acquire-By-Hash"] = "yes"
    lines = [f" {sha256(body)} {len(body)} {name}" for name, body in indexes.items()]
    return "\n".join([*(f"{name}: {value}" for name, value in fields.items()), "SHA256:", *lines, ""]).encode()


def _date(stamp: float) -> str:
    return datetime.fromtimestamp(stamp, UTC).strftime("%a, %d %b %Y %H:%M:%S UTC")
