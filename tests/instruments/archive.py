"""A signed APT archive below an origin, published in generations, as the real ones answer or as poor gateways do.

`publish()` puts the next generation in the place of the one before; `make()` and then `show(pattern)` do the same in
steps, as an archive whose mirrors are being synchronised. A raw `+` in a path is a space here, as in some stores: only
`%2b` is found.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from fnmatch import fnmatchcase
from functools import partial
from urllib.parse import quote

from mirror.model import Request

from .debs import Package
from .generation import COMMON, Generation, Layout, generation
from .origin import Origin, Response
from .signer import Signer

PACKAGES = (
    Package("thing", "2.0~beta1+b2", depends="libthing++ (>= 1:2.4)"),
    Package("thing", "1.0", depends="base"),
    Package("libthing++", "1:2.4+dfsg~rc1-2", depends="base"),
    Package("base", "1.0-1", size=200_000),
    *(Package(f"part{number}", f"{number}.0", depends="base", size=9_000) for number in range(10)),
)
NEWEST = ("thing", "libthing++", "base", *(f"part{number}" for number in range(10)))
HTML = Response(200, [("Content-Type", "text/html")], b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n")
EMPTY = Response(200, [("Content-Type", "application/octet-stream")])
BUSY = Response(429, [("Retry-After", "1")], b"slow down")
BROKEN = Response(500, body=b"internal error")

_ELSEWHERE = "/elsewhere"


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    stamp: float


class Archive:
    """An archive at `root` of the origin. `poor`: without validators and, for what is no package, without ranges.

    `old_hashes`: of how many older generations the names by digest are still there. `flips`: each answer has another
    ETag. Generations are dated a minute apart, the first one a day ago.
    """

    def __init__(
        self, origin: Origin, signer: Signer, *, root: str = "/debian", poor: bool = False, layout: Layout = COMMON
    ) -> None:
        self.origin = origin
        self.signer = signer
        self.root = root
        self.poor = poor
        self.layout = layout
        self.old_hashes = 0
        self.flips = False
        self.packages: Sequence[Package] = PACKAGES
        self.generations: list[Generation] = []
        self.files: dict[str, _File] = {}
        self._began = time.time() - 86_400
        self._faults: dict[str, Response] = {}
        self._second = origin.listen()
        self._answers = 0
        self.publish()

    @property
    def url(self) -> str:
        return self.origin.url(self.root)

    @property
    def newest(self) -> Generation:
        """The last one that was made, shown or not."""
        return self.generations[-1]

    def path(self, name: str) -> str:
        """The path at the origin of a file of a generation, in the form in which APT asks for it."""
        return f"{self.root}/{encodings(name)[0]}"

    def index(self, file: str = "binary-amd64/Packages.xz") -> str:
        """The name of an index file of the component."""
        return f"{self.layout.suite}{file.rpartition('/')[2] if self.layout.flat else f'main/{file}'}"

    def suite(self, file: str) -> str:
        """The name of a file of the suite: InRelease."""
        return f"{self.layout.suite}{file}"

    def pool(self, name: str) -> str:
        """The name of the newest version's file of a package."""
        return self.layout.listed(next(package for package in self.newest.packages if package.name == name))

    def publish(self, *, stamp: float | None = None) -> Generation:
        """The next generation, all at once."""
        made = self.make(stamp=stamp)
        self.show("*")
        return made

    def make(self, *, stamp: float | None = None) -> Generation:
        """The next generation, of `packages`, its release dated `stamp`; nobody sees it yet."""
        number = len(self.generations) + 1
        stamp = self._began + 60 * number if stamp is None else stamp
        self.generations.append(generation(number, self.packages, stamp, self.layout, self.signer))
        return self.newest

    def show(self, *patterns: str) -> None:
        """Put those files of the newest generation in their place that one of the globs matches.

        With its last release file, index names by digest of generations that are too old are gone.
        """
        for name, body in self.newest.files.items():
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                self.put(name, body)
        if fnmatchcase(self.suite("InRelease" if self.layout.inrelease else "Release.gpg"), patterns[-1]):
            self._forget_old_hashes()

    def put(self, name: str, body: bytes) -> None:
        """Give a file these bytes; its date changes with them."""
        if name not in self.files or self.files[name].body != body:
            self.files[name] = _File(body, self.newest.stamp)
        self._route(name)

    def remove(self, name: str) -> None:
        """Take a file away."""
        self.files.pop(name, None)

    @contextmanager
    def fault(self, name: str, answer: Response | None = None, *, shape: str = "") -> Iterator[None]:
        """Meanwhile that file is answered for so, or in the shape (shapes.py)."""
        if answer is not None:
            self._faults[name] = answer
        self._route(name, shape)
        try:
            yield
        finally:
            self._faults.pop(name, None)
            self._route(name)

    def elsewhere(self, name: str) -> Response:
        """A redirect to the same file on a second host."""
        target = f"http://127.0.0.1:{self._second}{_ELSEWHERE}{self.path(name)}"
        return Response(302, [("Location", target), ("Cache-Control", "no-store")])

    def asked(self, name: str) -> int:
        """How many requests came for that file."""
        return sum(self.origin.requests(f"{self.root}/{form}") for form in encodings(name))

    def _route(self, name: str, shape: str = "") -> None:
        for form in encodings(name):
            path, respond = f"{self.root}/{form}", partial(self._respond, name)
            self.origin.route(path, body=respond, shape=shape)
            self.origin.route(_ELSEWHERE + path, body=respond)

    def _respond(self, name: str, request: Request) -> Response:
        fault, file = self._faults.get(name), self.files.get(name)
        if fault is not None and not request.path.startswith(_ELSEWHERE):
            return fault
        if file is None:
            return Response(404, body=b"not found")
        return Response(200, self._fields(name, file), file.body)

    def _fields(self, name: str, file: _File) -> list[tuple[str, str]]:
        package = name.endswith((".deb", ".dsc", ".tar.xz"))
        fields = [("Content-Type", "application/octet-stream")]
        if self.poor:
            return fields + [("Accept-Ranges", "bytes")] * package
        self._answers += self.flips
        tag = f'"{len(file.body):x}-{int(file.stamp):x}{f"-{self._answers}" if self.flips else ""}"'
        fields += [("Last-Modified", formatdate(file.stamp, usegmt=True)), ("ETag", tag), ("Accept-Ranges", "bytes")]
        return [*fields, ("Cache-Control", f"public, max-age={2_592_000 if package else 120}")]

    def _forget_old_hashes(self) -> None:
        kept = self.generations[-1 - self.old_hashes :]
        for name in [name for name in self.files if "/by-hash/" in f"/{name}"]:
            if not any(name in generation.files for generation in kept):
                self.remove(name)


def encodings(name: str) -> tuple[str, ...]:
    """A path as APT 2.6 writes it into a request, and the other form of the same."""
    forms = (quote(name, safe="/._-:").replace("~", "%7E"), quote(name, safe="/._-~"))
    return tuple(dict.fromkeys(re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in forms))
