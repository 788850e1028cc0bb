"""Mirrors with `access = "token"`: each client is refused without a token, and let in with one, in its own way."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mirror.rights import digest
from tests.e2e import npm_house
from tests.e2e.apt_rig import AT_ONCE, HEAD, Rig, mirror
from tests.e2e.node_clients import Home, needed
from tests.e2e.python_clients import UV, Client, pip, tree, versions
from tests.e2e.python_mirror import Mirror, mirrored
from tests.instruments.archive import Archive
from tests.instruments.npm_registry import Registry
from tests.instruments.origin import Origin
from tests.instruments.python_packages import INSTALLED
from tests.instruments.server import Served, http_mirror, served
from tests.instruments.signer import Signer

pytestmark = pytest.mark.timeout(180)

SHOWN = "a-token-that-is-shown-by-clients"
BASIC = base64.b64encode(f"me:{SHOWN}".encode()).decode()
CLOSED = 'access = "token"\n'
KNOWN = f'[admin.tokens.ci]\nrole = "read"\nhash = "sha256:{digest(SHOWN).hex()}"\n'
FILE = "/o/obj/a/1000?cc=max-age=86400"
LARGE = "/o/obj/b/3000000?cc=max-age=86400"


def named(url: str, token: str = SHOWN) -> str:
    """The address with a user and that token in it."""
    return url.replace("://", f"://me:{token}@")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """A mirror of an index of Python packages."""
    with mirrored(tmp_path_factory.mktemp("closed"), "real", more=CLOSED + KNOWN) as opened:
        yield opened


class TestPython:
    @pytest.fixture
    def client(self, tmp_path: Path, closed: Mirror) -> Client:
        return Client(tmp_path, closed.server.url("/pypi/simple/"))

    def refused(self, client: Client, *command: str) -> str:
        code, said = client.tried(*command)
        assert code != 0, said
        return said

    def test_pip_with_the_token_in_its_address(self, client: Client, closed: Mirror) -> None:
        ask = (sys.executable, "-m", "pip", "download", "--no-input", "--no-cache-dir", "app", "--index-url")
        for index in (client.index, named(client.index, "wrong")):
            seen = len(closed.server.log())
            self.refused(client, *ask, index)
            assert closed.server.answered('"GET /pypi/simple/app/" 401', seen)
        client.index = named(client.index)
        cold, warm = pip(client, sys.executable, "app"), pip(client, sys.executable, "app")
        assert versions(cold) == INSTALLED
        assert cold == warm
        self.upstream_saw_no_token(closed)

    def test_pip_with_the_token_in_netrc(self, client: Client) -> None:
        netrc = Path(client.env["HOME"]) / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login me password {SHOWN}\n")
        netrc.chmod(0o600)
        assert versions(pip(client, sys.executable, "app")) == INSTALLED

    def test_uv(self, client: Client, closed: Mirror) -> None:
        target = client.fresh()
        options = ("--no-cache", "--python", sys.executable, "--target", str(target))
        ask = (UV, "pip", "install", "-q", *options, "app", "--default-index")
        assert "401" in self.refused(client, *ask, client.index)
        client.run(*ask, named(client.index))
        assert versions(tree(target)) == INSTALLED
        self.upstream_saw_no_token(closed)

    def test_what_is_stored_is_refused_too(self, client: Client, closed: Mirror) -> None:
        client.index = named(client.index)
        pip(client, sys.executable, "app")
        shown = ("Authorization", f"Bearer {SHOWN}")
        assert closed.ask("/pypi/simple/app/", shown)["x-cache"] == "HIT"
        heard = closed.ask("/pypi/simple/app/")
        assert (heard.status, heard["www-authenticate"]) == (401, 'Basic realm="mirror"')

    def upstream_saw_no_token(self, closed: Mirror) -> None:
        assert closed.index.log
        assert not [record for record in closed.index.log if SHOWN in repr(record) or BASIC in repr(record)]
        assert SHOWN not in closed.server.log()
        assert BASIC not in closed.server.log()


class TestNpm:
    @pytest.fixture
    async def registry(self, tmp_path: Path) -> AsyncIterator[tuple[Registry, Served]]:
        needed("npm")
        async with Origin() as origin:
            with served(tmp_path / "mirror", npm_house.config(origin, 1, mirror=CLOSED) + f"\n{KNOWN}") as server:
                yield Registry(origin, "real", "/n0"), server

    @pytest.mark.parametrize("auth", [f"_authToken={SHOWN}", f"_auth={BASIC}"], ids=["token", "basic"])
    async def test_npm_with_the_token_in_its_settings(
        self, tmp_path: Path, registry: tuple[Registry, Served], auth: str
    ) -> None:
        home, (_, server) = Home(tmp_path), registry
        settings = home.project / ".npmrc"
        (home.project / "package.json").write_text(json.dumps({"name": "x", "dependencies": {"app": "1.0.0"}}))
        install = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0")
        place = server.url("/n0/")
        settings.write_text(f"registry={place}\n")
        code, said = await home.tried(*install)
        assert code != 0
        assert "401" in said
        settings.write_text(f"registry={place}\n{place.removeprefix('http:')}:{auth}\n")
        await home.run(*install)
        shutil.rmtree(home.project / "node_modules")
        shutil.rmtree(home.home)
        home.home.mkdir()
        await home.run(*install)
        assert (home.project / "node_modules/@acme/core/package.json").is_file()
        assert SHOWN not in server.log()


class TestApt:
    @pytest.fixture
    async def lab(self, tmp_path: Path, signer: Signer) -> AsyncIterator[Rig]:
        async with Origin() as origin:
            config = HEAD.format(upstream="retries = 0") + mirror(origin.port, f"{AT_ONCE}\n{CLOSED}{KNOWN}")
            with served(tmp_path / "mirror", config) as server:
                yield Rig(tmp_path, Archive(origin, signer), server, f"m{origin.port}")

    async def test_apt_with_the_token_in_auth_conf(self, lab: Rig) -> None:
        without = await lab.client("without").update()
        assert without.code == 100
        assert "401" in without.text
        apt = lab.client("with")
        place = f"{lab.server.address}/{lab.name}"
        (apt.folder / "etc/auth.conf").write_text(f"machine {place}/ login me password {SHOWN}\n")
        for _ in range(2):
            apt.forget()
            await apt.updated()
            said = await apt.download("thing")
            assert said.fine, said.text
        assert not [record for record in lab.origin.log if BASIC in repr(record)]

    async def test_apt_with_the_token_of_its_proxy(self, lab: Rig) -> None:
        def through(proxy: str) -> str:
            return f'Acquire::http::Proxy "{proxy}/";'

        source = (f"deb [{{key}}] {lab.archive.url} stable main",)
        refused = lab.client("refused", lines=source, settings=through(lab.server.address))
        said = await refused.update()
        assert said.code == 100
        assert "407" in said.text
        apt = lab.client("through", lines=source, settings=through(named(lab.server.address)))
        await apt.updated()
        assert (await apt.download("thing")).fine
        assert not [record for record in lab.origin.log if BASIC in repr(record)]


class TestCurl:
    @pytest.fixture
    async def pair(self, tmp_path: Path) -> AsyncIterator[tuple[Origin, Served]]:
        needed("curl")
        async with Origin() as origin:
            with served(tmp_path, http_mirror(origin.url(), mirror=CLOSED + KNOWN)) as server:
                yield origin, server

    @pytest.fixture
    async def three(self, tmp_path: Path) -> AsyncIterator[tuple[Origin, Served]]:
        async with Origin() as origin:
            with served(tmp_path, http_mirror(origin.url(), mirror=CLOSED + KNOWN), workers=3) as server:
                yield origin, server

    async def curl(self, server: Served, *options: str, target: str = FILE) -> tuple[int, bytes]:
        """Status and body."""
        command = ("curl", "-sS", "-w", "%{stderr}%{http_code}", *options, server.url(target))
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30, check=True)
        return int(done.stderr), done.stdout

    async def test_curl_with_the_token_as_password(self, pair: tuple[Origin, Served]) -> None:
        origin, server = pair
        for target, size in ((FILE, 1000), (LARGE, 3_000_000)):
            assert (await self.curl(server, target=target))[0] == 401
            for shown in (("-u", f"me:{SHOWN}"), ("--anyauth", "-u", f"me:{SHOWN}"), ("--oauth2-bearer", SHOWN)):
                status, body = await self.curl(server, *shown, target=target)
                assert (status, len(body)) == (200, size)
            for refused in (
                (),
                ("-u", f"{SHOWN}:"),
                ("-u", f"me:{SHOWN}x"),
                ("-H", f"Proxy-Authorization: Bearer {SHOWN}"),
            ):
                assert (await self.curl(server, *refused, target=target))[0] == 401
        assert origin.requests() == 2
        assert not [record for record in origin.log if BASIC in repr(record) or SHOWN in repr(record)]

    async def test_through_the_server_as_a_proxy(self, pair: tuple[Origin, Served]) -> None:
        origin, server = pair
        place = origin.url("/obj/c/10?cc=max-age=86400")

        async def through(*options: str) -> str:
            command = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-x", server.address, *options, place)
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30, check=True)
            return done.stdout.decode()

        assert await through() == "407"
        assert await through("-u", f"me:{SHOWN}") == "407"  # that is for the origin
        assert await through("-H", "Authorization: Bearer theirs", "--proxy-user", f"me:{SHOWN}") == "200"
        told = {name.lower(): value for record in origin.log for name, value in record.headers}
        assert told["authorization"] == "Bearer theirs"
        assert "proxy-authorization" not in told
        assert SHOWN not in server.log()

    async def test_the_same_bytes_again_are_looked_at_again_with_several_processes_too(
        self, three: tuple[Origin, Served]
    ) -> None:
        """Prepared replies are known by the bytes of a request alone, and by nothing that it may show."""
        _, server = three
        head = "\r\n".join([f"GET {FILE} HTTP/1.1", "Host: localhost", "{}", ""])
        shown, wrong = (head.format(f"Authorization: Bearer {token}\r\n") for token in (SHOWN, "wrong"))

        def statuses(request: str, times: int) -> list[bytes]:
            found = []
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                answers = connection.makefile("rb")
                for _ in range(times):
                    connection.sendall(request.encode())
                    fields = list(iter(answers.readline, b"\r\n"))
                    length = next(int(line.split()[1]) for line in fields if line.startswith(b"content-length"))
                    answers.read(length)
                    found.append(fields[0].split()[1])
            return found

        for _ in range(4):
            assert await asyncio.to_thread(statuses, shown, 6) == [b"200"] * 6
            assert await asyncio.to_thread(statuses, head.format(""), 6) == [b"401"] * 6
        assert set(await asyncio.to_thread(statuses, wrong, 40)) == {b"401", b"429"}
        assert await asyncio.to_thread(statuses, shown, 6) == [b"200"] * 6
