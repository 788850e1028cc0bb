"""The mirror as apt's proxy: for the archives that it mirrors, and for nobody else; names as apt-cacher-ng has them."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.e2e.apt_rig import AT_ONCE, HEAD, Labs, Rig
from tests.instruments.apt import Apt
from tests.instruments.archive import NEWEST, Archive
from tests.instruments.origin import Origin
from tests.instruments.pipeline import ask
from tests.instruments.server import Served
from tests.instruments.tls import Front, tls_front

pytestmark = pytest.mark.timeout(120)


def through(lab: Rig, source: str, name: str = "apt") -> Apt:
    """A client that has the mirror as its proxy."""
    proxy = f'Acquire::http::Proxy "{lab.server.address}/";'
    return lab.client(name, lines=(f"deb [{{key}}] {source} stable main",), settings=proxy)


async def same(lab: Rig, apt: Apt) -> None:
    """All packages, as the archive itself gives them."""
    direct = lab.client("direct", lab.archive.url)
    for client in (direct, apt):
        await client.updated()
        said = await client.download(*NEWEST)
        assert said.fine, said.text
    assert apt.debs() == direct.debs()


async def test_apt_has_the_mirror_as_its_proxy(labs: Labs) -> None:
    async with labs() as lab:
        await same(lab, through(lab, lab.archive.url))
        lab.origin.down()
        down = through(lab, lab.archive.url, "down")
        await down.updated()
        assert (await down.download(*NEWEST)).fine
        assert await lab.client("path").updated() == 1  # one cache, whichever way one asks


async def test_a_host_that_no_mirror_has_is_refused_and_not_asked(labs: Labs) -> None:
    async with labs() as lab, Origin() as other:
        archive = Archive(other, lab.archive.signer)
        said = await through(lab, "http://other.example.com/debian").update()
        assert said.code == 100
        assert "403  Forbidden" in said.text
        said = await through(lab, archive.url, "near").update()  # a port of this machine: not this server's own
        assert said.code == 100
        assert other.requests() == 0


@pytest.mark.parametrize("host", ["other.example.com", "other.example.com:8000", "[2001:db8::1]:80", "10.0.0.1"])
async def test_an_absolute_form_for_another_host_is_403(host: str, labs: Labs) -> None:
    async with labs() as lab:
        told = (await ask(lab.server.port, f"http://{host}/debian/dists/stable/InRelease", host=host))[0]
        assert told.status == 403, told
        assert lab.origin.requests() == 0


async def test_a_path_of_the_host_that_is_no_mirrors_is_not_asked_for(labs: Labs) -> None:
    async with labs() as lab:
        lab.origin.route("/private", body=b"secret")
        for path in ("/private", "/debian/../private", "/debian/%2e%2e/private", "/debianx/dists/stable/InRelease"):
            host = f"127.0.0.1:{lab.origin.port}"
            told = (await ask(lab.server.port, f"http://{host}{path}", host=host))[0]
            assert told.status in (400, 403, 404), (path, told)
        assert lab.origin.requests() == 0


async def test_the_target_counts_and_not_the_host_field(labs: Labs) -> None:
    """RFC 9112 §3.2.2."""
    async with labs() as lab:
        target = lab.archive.origin.url(lab.archive.path(lab.archive.suite("InRelease")))
        assert (await ask(lab.server.port, target, host="other.example.com"))[0].status in (200, 400)
        foreign = "http://other.example.com/debian/dists/stable/InRelease"
        assert (await ask(lab.server.port, foreign, host=f"127.0.0.1:{lab.origin.port}"))[0].status in (400, 403)


async def test_many_requests_of_a_proxy_on_one_connection_come_in_order(labs: Labs) -> None:
    async with labs() as lab:
        names = [lab.archive.pool(f"part{at}") for at in range(10)]
        host = f"127.0.0.1:{lab.origin.port}"
        told = await ask(lab.server.port, *(f"http://{host}{lab.archive.path(name)}" for name in names), host=host)
        assert [each.body for each in told] == [lab.archive.files[name].body for name in names]


async def test_connect_is_refused_with_what_to_write(labs: Labs) -> None:
    async with labs() as lab:
        for authority in ("other.example.com:443", f"127.0.0.1:{lab.origin.port}"):
            told = (await ask(lab.server.port, authority, method="CONNECT", host=authority))[0]
            assert told.status in (403, 405), told
            assert "Acquire::https::Proxy" in told.body.decode()
            assert "DIRECT" in told.body.decode()
        assert (await lab.get(lab.archive.suite("InRelease"))).status == 200


async def test_apt_with_an_https_source_says_why_it_fails(labs: Labs) -> None:
    async with labs() as lab:
        said = await through(lab, "https://other.example.com/debian").update()
        assert said.code == 100
        assert re.search(r"HTTP/1\.1 40[35] ", said.text), said.text


@asynccontextmanager
async def secure(labs: Labs) -> AsyncIterator[tuple[Rig, Front]]:
    """A mirror whose upstream is reached by https."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    async with Origin() as origin, tls_front(origin.port, labs.folder) as front:
        archive = Archive(origin, labs.signer)
        upstream = f'upstream = "https://127.0.0.1:{front.port}/debian"'
        mirror = f'[mirrors.debian]\necosystem = "apt"\n{upstream}\n{AT_ONCE}\n'
        config = HEAD.format(upstream=f'retries = 0\nca_file = "{front.certificate}"') + mirror
        server = Served(labs.folder / "mirror", config)
        server.start()
        try:
            yield Rig(labs.folder, archive, server, "debian"), front
        finally:
            await asyncio.to_thread(server.stop)  # it says goodbye to the front, which lives in this thread


async def test_https_is_asked_for_as_with_apt_cacher_ng(labs: Labs) -> None:
    async with secure(labs) as (lab, front):
        upstream = f"HTTPS///127.0.0.1:{front.port}/debian"
        await same(lab, through(lab, f"http://{upstream}", "proxy"))
        lab.origin.down()
        path = lab.client("path", lab.server.url(f"/{upstream}"))
        await path.updated()
        assert (await path.download(*NEWEST)).fine
        assert await lab.client("plain").updated() == 1  # all of them are one mirror
        assert "Traceback" not in lab.server.log()


async def test_names_as_apt_cacher_ng_has_them_are_of_mirrors_alone(labs: Labs) -> None:
    async with labs() as lab:
        own = f"127.0.0.1:{lab.origin.port}"
        assert (await ask(lab.server.port, f"/{own}/debian/dists/stable/InRelease"))[0].status == 200
        lab.origin.forget()
        for target in (
            "/HTTPS///other.example.com/debian/dists/stable/InRelease",
            "/other.example.com/debian/dists/stable/InRelease",
            f"/HTTPS///{own}/private",
            f"/{own}/private",
            "/HTTPS///",
        ):
            assert (await ask(lab.server.port, target))[0].status in (400, 403, 404), target
        told = await ask(
            lab.server.port, "http://HTTPS///other.example.com/debian/dists/stable/InRelease", host="HTTPS"
        )
        assert told[0].status == 403
        assert lab.origin.requests() == 0
