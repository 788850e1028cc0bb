"""What somebody else puts into the cache's folder is never served, written through, or waited for: neither found at the
start nor under a running server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.test_edge import asking, hear, parts
from tests.instruments.server import Served, http_mirror, served

from .upstream import Upstream, answer, upstream

SECRET = b"the secret of somebody else"
PATHS = tuple(f"/file{number}" for number in range(8))


def _link(file: Path, secret: Path) -> None:
    file.symlink_to(secret)


def _hard_link(file: Path, secret: Path) -> None:
    file.hardlink_to(secret)


def _pipe(file: Path, _: Path) -> None:
    os.mkfifo(file)


def _foreign(file: Path, secret: Path) -> None:
    """Another owner's copy of what stood there: root alone can give a file away."""
    shutil.copy(secret.with_name("was"), file)
    os.chown(file, 65534, 65534)


def _loop(file: Path, _: Path) -> None:
    file.symlink_to(file.name)


def _device(file: Path, _: Path) -> None:
    file.symlink_to("/dev/zero")


PLANTED: dict[str, Callable[[Path, Path], None]] = {
    "a link": _link,
    "a hard link": _hard_link,
    "a pipe": _pipe,
    "another owner's": _foreign,
    "a link to itself": _loop,
    "a device": _device,
}
# Where a server reads or writes at its start, besides blobs.
PLACES = ("recent", "recent.1", "taken", "partial/0123456789abcdef.part", "partial/0123456789abcdef.json")


def plant(file: Path, secret: Path, how: str) -> None:
    if how == "another owner's" and os.getuid():
        pytest.skip("only root can give a file away")
    file.parent.mkdir(parents=True, exist_ok=True)
    secret.with_name("was").write_bytes(file.read_bytes() if file.is_file() else b"1")
    file.unlink(missing_ok=True)
    PLANTED[how](file, secret)


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "secret"
    file.write_bytes(SECRET)
    yield file
    assert file.read_bytes() == SECRET  # nobody wrote through a link


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Upstream]]:
    with upstream() as origin:
        origin.says = {path: answer(path.encode() * 1000, "Cache-Control: max-age=86400") for path in PATHS}
        with served(tmp_path_factory.mktemp("planted"), http_mirror(origin.url())) as server:
            yield server, origin


def fetched(server: Served) -> None:
    for path in PATHS:
        status, _, body = parts(hear(server, asking(f"/o{path}"))[0])
        assert (status, body) == (200, path.encode() * 1000)


def blobs(server: Served) -> list[Path]:
    return [path for path in (server.cache / "blobs.v1").rglob("*") if path.is_file() and not path.is_symlink()]


@pytest.mark.row(50)
@pytest.mark.parametrize("how", PLANTED)
def test_what_is_planted_under_a_running_server_is_not_served(
    both: tuple[Served, Upstream], secret: Path, how: str
) -> None:
    """Each blob is replaced while it is in use; each file is fetched again, and what was planted is not touched.

    Seen red: a pipe in the cache is waited for.
    """
    server, _ = both
    fetched(server)
    for blob in blobs(server):
        plant(blob, secret, how)
    fetched(server)
    fetched(server)


@pytest.mark.row(50)
@pytest.mark.parametrize("how", PLANTED)
def test_what_is_planted_while_no_server_runs_holds_none_up(
    both: tuple[Served, Upstream], secret: Path, how: str
) -> None:
    """A link, a pipe (that nobody writes to), a file of another's in each place that is read or written at the start.

    Seen red: a partial's note is read whatever it is.
    """
    server, _ = both
    fetched(server)
    server.stop()
    for place in [server.cache / name for name in PLACES] + blobs(server):
        plant(place, secret, how)
    server.start()
    fetched(server)
    assert "Traceback" not in server.log_since_start()
