"""No path of a client leads out of the cache, is answered with a failure of ours, or has another path's key."""

from __future__ import annotations

import os
import random
import re
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from mirror.ecosystems import any as any_host
from mirror.ecosystems import apt, http, npm, pypi
from mirror.errors import NotFound, Refused, RequestError
from mirror.model import Mirror, Plan, Request
from mirror.reach import Reach
from tests.instruments.server import Served, served

from .upstream import Upstream, answer, upstream

CONFIG = """
[cache]
min_free = "1MB"
durability = "none"
[upstream]
retries = 0
[mirrors.o]
ecosystem = "http"
upstream = "{0}/o"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
[mirrors.npm]
ecosystem = "npm"
upstream = "{0}/npm"
[mirrors.apt]
ecosystem = "apt"
upstream = "{0}/archive"
[mirrors.get]
ecosystem = "any"
allow = ["127.0.0.1:{1}"]
allow_private = true
"""
PARTS = (
    *(
        "..",
        ".",
        "%2e%2e",
        "%2e.",
        ".%2e",
        "%2E%2E",
        "%252e%252e",
        "..%2f",
        "..%5c",
        "..\\",
        "%2e%2e%2f",
        "..;",
        "..;x",
        "..%00",
    ),
    *(
        "%00",
        "%0a",
        "%0d%0aSet-Cookie:%20a=b",
        "%0d%0a%0d%0aHTTP/1.1%20200%20OK",
        "%7f",
        "%1b[31m",
        "%09",
        "%20",
        "%u002e",
    ),
    *(
        "%c0%ae%c0%ae",
        "%c0%af",
        "%e0%80%ae",
        "%f0%80%80%ae",
        "%ff",
        "%fe",
        "%ed%a0%80",
        "%ef%bb%bf",
        "%e2%80%ae",
        "%c3%a9",
        "e%cc%81",
    ),
    *(
        "",
        "",
        "a",
        "b",
        "etc",
        "passwd",
        "proc",
        "self",
        "environ",
        "CON",
        "nul.txt",
        "c:",
        "C:%5cwindows",
        "~",
        "~root",
        "$HOME",
        "`id`",
    ),
    *(
        "simple",
        "files",
        "pypi",
        "json",
        "pool",
        "dists",
        "stable",
        "InRelease",
        "by-hash",
        "SHA256",
        "main",
        "binary-amd64",
        "Packages.xz",
    ),
    *(
        "-",
        "-a",
        "@scope",
        "@scope%2fname",
        "@..%2f..",
        "name.tgz",
        "1.0.0",
        "http",
        "https",
        "127.0.0.1",
        "partial",
        "blobs.v1",
        "config.toml",
    ),
    *(
        "%",
        "%2",
        "%zz",
        "%%",
        "a%2Fb",
        "a%2fb",
        "a+b",
        "a%2bb",
        "a b",
        "a:b",
        "a;b=c",
        "a,b",
        "a'b",
        "(a)",
        "*",
        "?",
        "#",
        "|",
        "<a>",
        '"',
    ),
    *(
        "a" * 300,
        "%41" * 200,
        "x" * 3000,
        "\x80",
        "\xff\xfe",
        "/",
        "//",
        "///",
        "\\",
        "index.html",
        ".htaccess",
        ".git",
        "%2ehidden",
    ),
)
ROOTS = (
    "/o",
    "/pypi",
    "/pypi/simple",
    "/pypi/files",
    "/npm",
    "/npm/-",
    "/apt",
    "/apt/dists",
    "/apt/pool",
    "/get/http/127.0.0.1:{port}",
)
ELSEWHERE = ("", "/-", "/-/api", "/%2d", "/nothing", "/O", "/o%2f", "/..", "/%2e%2e/o")
TOTAL = 100_000
BY_SERVER = 2_000


def hostile(seed: int, count: int, port: int) -> Iterator[str]:
    """Paths that are up to no good, the same for the same seed."""
    dice = random.Random(seed)
    roots = (*(root.format(port=port) for root in ROOTS), *ELSEWHERE)
    for _ in range(count):
        root = roots[dice.randrange(len(roots))]
        some = [PARTS[dice.randrange(len(PARTS))] for _ in range(dice.randint(1, 6))]
        joint = ("/", "/", "/", "%2f", "", "//")[dice.randrange(6)]
        yield f"{root}/{joint.join(some)}{('', '', '/', '?q=' + dice.choice(PARTS))[dice.randrange(4)]}"


MIRRORS = {
    "o": (http, Mirror("o", "http", ("http://upstream.test/o",))),
    "pypi": (pypi, Mirror("pypi", "pypi", ("http://upstream.test/simple",))),
    "npm": (npm, Mirror("npm", "npm", ("http://upstream.test/npm",))),
    "apt": (apt, Mirror("apt", "apt", ("http://upstream.test/archive",))),
    "get": (any_host, Mirror("get", "any", (), reach=Reach(("*", "127.0.0.1:1")))),
}
FORMS = {"o": 1, "get": 1, "pypi": 3, "npm": 3, "apt": 3}


def planned(target: str) -> tuple[str, str, Plan] | None:
    """Mirror, path and plan of a request target; None where it is no mirror's, or refused by an error of ours."""
    raw, _, query = target.partition("?")
    name, slash, path = raw[1:].partition("/")
    if name not in MIRRORS:
        return None
    ecosystem, mirror = MIRRORS[name]
    try:
        plan = ecosystem.plan(mirror, Request("GET", slash + path or "/", query, base=f"http://localhost/{name}"))
    except (RequestError, NotFound, Refused):
        return None
    return (name, slash + path, plan) if isinstance(plan, Plan) else None


@pytest.mark.row(45)
def test_100_000_hostile_paths_have_no_key_of_another_and_no_way_up() -> None:
    """What is planned for each: a key below its mirror's name, URLs below its upstream; one key, one address.

    Seen red: `..` in the paths of packages is let pass; `..` in the paths of any upstream is let pass; two paths have
    one key.
    """
    addresses: dict[str, tuple[str, ...]] = {}
    found: Counter[str] = Counter()
    for target in hostile(45, TOTAL, 1):
        known = planned(target)
        if known is None:
            continue
        name, _, plan = known
        found[name] += 1
        assert plan.key.startswith(f"/{name}/"), target
        assert re.fullmatch(r"[!-~]+( [!-~]+)*", plan.key), target
        assert addresses.setdefault(plan.key, plan.urls) == plan.urls, target
        for url in plan.urls:
            path = unquote_to_bytes(url.partition("?")[0].partition("://")[2])
            assert b".." not in re.split(rb"[/\\]", path), target
            assert not re.search(rb"[\x00-\x1f\x7f]", path), target
            assert name == "get" or url.startswith(MIRRORS[name][1].upstreams[0].rpartition("/")[0] + "/"), target
    assert all(found[name] > 100 for name in MIRRORS), found


def outside(server: Served) -> set[Path]:
    """All that stands in the server's folder, and beside it, outside the cache."""
    around = server.folder.parent
    return {path for path in around.rglob("*") if not path.is_relative_to(server.cache)}


def statuses(server: Served, targets: list[str]) -> Counter[int]:
    """The statuses of the answers, each target on a connection of its own, for many may be closed."""
    found: Counter[int] = Counter()
    for target in targets:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode("latin-1", "replace"))
            got = b""
            while piece := connection.recv(1 << 16):
                got += piece
        assert got.count(b"\r\n\r\n") >= 1, target
        assert b"\nset-cookie:" not in got.partition(b"\r\n\r\n")[0].lower(), target
        found[int(got.split(None, 2)[1])] += 1
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Upstream]]:
    class Anything(dict[str, bytes]):
        def get(self, path: str, _: object = None) -> bytes:  # type: ignore[override]
            return answer(b"anything", "Cache-Control: max-age=3600")

    with upstream() as origin:
        origin.says = Anything()  # type: ignore[assignment]
        with served(tmp_path_factory.mktemp("paths") / "server", CONFIG.format(origin.url(), origin.port)) as server:
            yield server, origin


@pytest.mark.row(45)
def test_of_hostile_paths_a_server_stores_nothing_outside_its_cache_and_fails_of_none(
    both: tuple[Served, Upstream],
) -> None:
    """The upstream has something at each address: all that gets through is stored. What it is asked has no `..`."""
    server, origin = both
    before = outside(server)
    found = statuses(server, [*hostile(7, BY_SERVER, origin.port)])
    assert set(found) <= {200, 301, 400, 403, 404, 405, 414, 502}, found
    assert found[200] > 20
    assert outside(server) == before
    for path in server.cache.rglob("*"):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", path.name), path
        assert not path.is_symlink()
    for head in origin.asked:
        path = unquote_to_bytes(head.split()[1].partition(b"?")[0])
        assert b".." not in re.split(rb"[/\\]", path), head
    assert "Traceback" not in server.log()
    assert not any(ord(char) < 32 and char not in "\n\t" for char in server.log())
    assert oct(os.stat(server.cache / "blobs.v1").st_mode)[-3:] == "700"
