"""No request of a client, redirect of an upstream or link in an index leads to an address that is not public."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.e2e.test_edge import asking, hear, parts
from tests.instruments.server import Served

from .upstream import Upstream, answer, upstream

CONFIG = """
[cache]
min_free = "1MB"
[upstream]
retries = 0
connect_timeout = "1s"
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
[mirrors.npm]
ecosystem = "npm"
upstream = "{0}/npm"
[mirrors.apt]
ecosystem = "apt"
upstream = "{0}/archive"
[mirrors.followed]
ecosystem = "http"
upstream = "{0}/followed"
redirects = "follow"
[mirrors.named]
ecosystem = "http"
upstream = "http://rebound.test:{1}"
[mirrors.get]
ecosystem = "any"
allow = ["*", "*:{2}"]
"""
HOSTS = (
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "017700000001"),
    *("0177.0.0.1", "0177.0.0.01", "127.000.000.001", "127.0.0.1.", "127.1.", "0", "0.0.0.0", "0.0.0.0.", "00000000"),
    *("localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "here.test", "here.test.", "x.here.test"),
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[::127.0.0.1]"),
    *("[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]"),
    *(
        "[fe80::1%25lo]",
        "[fe80::1%lo]",
        "[::1%25lo]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[::ffff:0:127.0.0.1]",
    ),
    *("169.254.169.254", "169.254.169.254.", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.16689662"),
    *("[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "metadata.test", "metadata.google.internal", "100.100.100.200"),
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "192.168.1", "100.64.0.1", "198.18.0.1", "192.0.0.192", "224.0.0.1"),
    *("255.255.255.255", "240.0.0.1", "mixed.test", "private.test", "six.test", "mapped.test", "nat.test"),
    *("user@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1@localhost", "example.com:80@[::1]", "127.0.0.1%00.test"),
    *("127%2e0%2e0%2e1", "%31%32%37.0.0.1", "①②⑦.0.0.1", "127。0。0。1", "example.com\\@127.0.0.1", "127.0.0.1\\.test"),
    *("127.0.0.1#@example.com", "127.0.0.1?@example.com", "[::1].test", "[127.0.0.1]", "[v1.x]", "127.0.0.256"),
)
ZONE = {
    "localhost": [["127.0.0.1"]],
    "localhost.localdomain": [["127.0.0.1"]],
    "here.test": [["127.0.0.1"]],
    "x.here.test": [["127.0.0.1"]],
    "metadata.test": [["169.254.169.254"]],
    "metadata.google.internal": [["169.254.169.254"]],
    "mixed.test": [["8.8.8.8", "127.0.0.1"]],
    "private.test": [["10.0.0.1"]],
    "six.test": [["::1"]],
    "mapped.test": [["::ffff:127.0.0.1"]],
    "nat.test": [["64:ff9b::7f00:1"]],
    "changing.test": [["127.0.0.1"], ["8.8.8.8"], ["127.0.0.1"]],
    "rebound.test": [["127.0.0.1"]],
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A server that is watched, its upstream, and another server of this machine that nobody may get to."""

    server: Served
    upstream: Upstream
    inner: Upstream

    def connected(self) -> list[tuple[str, int]]:
        lines = (self.server.folder / "connected").read_text().splitlines()
        return [(address, int(port)) for address, _, port in (line.rpartition(" ") for line in lines)]

    def ask(self, target: str) -> int:
        return parts(hear(self.server, asking(target).encode())[0])[0]

    def nobody_was_reached(self) -> bool:
        """Nobody but the upstream, and those who are public."""
        for address, port in self.connected():
            assert (address, port) == ("127.0.0.1", self.upstream.port) or ip_address(address).is_global, address
        return not self.inner.asked


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("ssrf")
    with upstream() as origin, upstream() as inner:
        server = Served(folder, CONFIG.format(origin.url(), inner.port, inner.port))
        (folder / "zone.json").write_text(json.dumps(ZONE))
        server.program = [sys.executable, "-m", "tests.security.watched", str(folder)]
        server.start()
        try:
            yield Scene(server, origin, inner)
            assert "Traceback" not in server.log()
        finally:
            server.stop()


def spelled(scene: Scene) -> Iterator[str]:
    for host in HOSTS:
        yield f"{host}:{scene.inner.port}"


@pytest.mark.row(44)
def test_the_watch_sees_what_is_connected_to(scene: Scene) -> None:
    """The other tests look for what must not be: here it is seen what may."""
    scene.upstream.says = {"/followed/x": answer(b"x")}
    assert scene.ask("/followed/x") == 200
    assert ("127.0.0.1", scene.upstream.port) in scene.connected()


@pytest.mark.row(44)
def test_an_any_mirror_asks_no_host_that_is_not_public_however_it_is_written(scene: Scene) -> None:
    """Seen red: nobody's addresses are looked at."""
    statuses = {}
    for authority in spelled(scene):
        written = authority.encode("utf-8").decode("latin-1")
        target = "".join(char if "!" <= char <= "~" else f"%{ord(char):02x}" for char in written)
        for host in {target, target.replace("%25", "%")}:
            statuses[host] = scene.ask(f"/get/http/{host}/secret")
    assert len(statuses) >= 60
    assert not {authority: status for authority, status in statuses.items() if status not in (400, 403, 404, 502)}
    assert scene.nobody_was_reached()


@pytest.mark.row(44)
@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/pypi/simple/p{0}/", "/simple/p{0}/"),
        ("/npm/p{0}", "/npm/p{0}"),
        ("/apt/pool/p{0}.txt", "/archive/pool/p{0}.txt"),
        ("/followed/p{0}", "/followed/p{0}"),
    ],
    ids=["pypi", "npm", "apt", "http"],
)
def test_a_redirect_leads_to_none(scene: Scene, target: str, path: str) -> None:
    statuses = {}
    for number, authority in enumerate(spelled(scene)):
        location = f"http://{authority}/secret".encode().decode("latin-1")
        scene.upstream.says = {path.format(number): answer(b"", f"Location: {location}", status="302 Found")}
        statuses[authority] = scene.ask(target.format(number))
    assert not {authority: status for authority, status in statuses.items() if status not in (403, 404, 502)}
    assert scene.nobody_was_reached()


@pytest.mark.row(44)
def test_the_addresses_that_an_index_names_lead_to_none(scene: Scene) -> None:
    """Pages and packuments name files anywhere; what is asked of us is the name that we gave them."""
    body = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    for number, authority in enumerate(spelled(scene)):
        url = f"http://{authority}/files/p{number}-1.0.zip"
        files = [{"filename": f"p{number}-1.0.zip", "url": url, "hashes": {}}]
        page = json.dumps({"meta": {"api-version": "1.0"}, "name": f"p{number}", "files": files})
        version = {"name": f"p{number}", "version": "1.0.0", "dist": {"tarball": url.replace(".zip", ".tgz")}}
        packument = json.dumps({"name": f"p{number}", "versions": {"1.0.0": version}})
        scene.upstream.says = {
            f"/simple/p{number}/": answer(page.encode(), *map(": ".join, body.items())),
            f"/npm/p{number}": answer(packument.encode(), "Content-Type: application/json"),
        }
        shown = parts(
            hear(scene.server, asking(f"/pypi/simple/p{number}/", *(f"Accept: {kind}" for kind in body.values())))[0]
        )
        if shown[0] == 200:
            for file in json.loads(shown[2])["files"]:
                if file["url"].startswith("../../files/"):
                    assert scene.ask(f"/pypi/{file['url'][6:]}") in (400, 403, 404, 502)
        shown = parts(hear(scene.server, asking(f"/npm/p{number}"))[0])
        assert scene.ask(f"/npm/p{number}/-/p{number}-1.0.0.tgz") in (400, 403, 404, 502)
    assert scene.nobody_was_reached()


@pytest.mark.row(44)
def test_a_name_that_changes_its_mind_changes_nothing(scene: Scene) -> None:
    """DNS rebinding: the answers of the resolver are private, public, private; what is connected to was looked at."""
    found = [scene.ask(f"/get/http/changing.test:{scene.inner.port}/{number}") for number in range(3)]
    assert (found[:2], found[2] in (403, 502)) == ([403, 502], True)  # what was public may be remembered for a while
    assert scene.ask("/named/secret") == 403
    assert scene.nobody_was_reached()
    assert ("8.8.8.8", scene.inner.port) in scene.connected()


@pytest.mark.row(44)
@pytest.mark.parametrize(
    "scheme", ["file", "gopher", "ftp", "dict", "data", "unix", "HTTP", "https+unix", "//127.0.0.1"]
)
def test_there_are_no_other_schemes(scene: Scene, scheme: str) -> None:
    scene.upstream.says = {
        "/followed/scheme": answer(b"", f"Location: {scheme}://127.0.0.1/etc/passwd", status="302 Found")
    }
    assert scene.ask("/followed/scheme") in (403, 502)
    assert scene.ask(f"/get/{scheme}/127.0.0.1/etc/passwd") in (400, 403)
    assert scene.nobody_was_reached()
