"""Whatever the archive does wrong, apt-get through a warm mirror is fine, and nothing wrong is stored."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

import pytest

from tests.e2e.apt_rig import AT_ONCE, Labs, Rig, keyed
from tests.instruments.archive import BROKEN, BUSY, EMPTY, HTML, PACKAGES, Archive
from tests.instruments.generation import Layout
from tests.instruments.log import Record
from tests.instruments.origin import Response

pytestmark = pytest.mark.timeout(120)

PLAIN = Layout(by_hash=False)
BASE = next(package for package in PACKAGES if package.name == "base")
SHAPES = {
    "cut": "cut=700",
    "cut, without length": "close=1&cut=700",
    "cut, chunked": "chunked=1&cut=700",
    "reset": "reset=700",
    "closed before the head": "drop=1",
    "wrong length": "length=700",
    "wrong byte": "flipbyte=300",
}
ANSWERS = {
    "a web page": HTML,
    "nothing": EMPTY,
    "429": BUSY,
    "500": BROKEN,
    "403": Response(403),
    "404": Response(404),
    "a redirect to nowhere": Response(302, [("Location", "http://127.0.0.1:9/InRelease")]),
}
FAULTS = pytest.mark.parametrize("fault", [*SHAPES, *ANSWERS])


def broken(archive: Archive, name: str, fault: str) -> AbstractContextManager[None]:
    """Meanwhile the archive has that fault with that file."""
    return archive.fault(name, ANSWERS.get(fault), shape=SHAPES.get(fault, ""))


def index(lab: Rig) -> str:
    """The name by which the newest generation's Packages is asked for."""
    if not lab.archive.layout.by_hash:
        return lab.archive.index()
    body = lab.archive.newest.files[lab.archive.index()]
    return next(name for name, other in lab.archive.newest.files.items() if "/by-hash/" in name and other == body)


@pytest.mark.parametrize("fault", [*SHAPES, *ANSWERS.keys() - {"404", "403"}])
async def test_a_release_that_comes_broken_is_not_served(fault: str, labs: Labs) -> None:
    """Clients get the one before (a wrong byte in the text: apt itself would see it, so the mirror has a keyring)."""
    settings = keyed(labs.signer) if fault == "wrong byte" else AT_ONCE
    async with labs(layout=PLAIN, settings=settings) as lab:
        old = lab.client("old")
        await old.updated()
        lab.archive.publish()
        with broken(lab.archive, lab.archive.suite("InRelease"), fault):
            assert await lab.fresh().updated() == 1
            assert await old.updated() == 1
            assert lab.archive.asked(lab.archive.suite("InRelease")) > 1


@FAULTS
@pytest.mark.parametrize("layout", [Layout(), PLAIN], ids=["by-hash", "plain"])
async def test_an_index_that_comes_broken_keeps_the_generation_before(fault: str, layout: Layout, labs: Labs) -> None:
    """By digest the archive has it under the plain name, too: then the new generation is right as well."""
    async with labs(layout=layout) as lab:
        await lab.fresh().updated()
        lab.archive.publish()
        with broken(lab.archive, index(lab), fault):
            apt = lab.fresh()
            assert await apt.updated() in ({1, 2} if layout.by_hash else {1})
            said = await apt.download("news")
            assert said.fine, said.text
            assert list(apt.debs()) == [f"news_{apt.generation()}_all.deb"]
            assert lab.archive.asked(index(lab)) > 1 or layout.by_hash


@FAULTS
async def test_a_package_that_comes_broken_is_not_stored(fault: str, labs: Labs) -> None:
    async with labs() as lab:
        apt, name = lab.client(), lab.archive.pool("base")
        await apt.updated()
        with broken(lab.archive, name, fault):
            told = await lab.get(name)
            assert not (told.status == 200 and told.whole), told.headers
        assert lab.archive.asked(name) > 0
        said = await lab.get(name)
        if fault == "404":  # which is remembered for a moment
            assert said.status == 404
            return
        assert (said.status, said.whole, said.body == BASE.deb) == (200, True, True)
        assert (await apt.download("base")).fine


@pytest.mark.parametrize("name", ["InRelease", "Packages"])
async def test_a_slow_drip_arrives(name: str, labs: Labs) -> None:
    async with labs(layout=PLAIN) as lab:
        await lab.fresh().updated()
        lab.archive.publish()
        with lab.archive.fault(
            lab.archive.suite(name) if name == "InRelease" else lab.archive.index(), shape="trickle=2000"
        ):
            before = time.monotonic()
            await lab.caught_up(lab.fresh(), within=20.0)
            assert time.monotonic() - before > 0.5


async def test_while_a_release_hangs_clients_get_the_one_before(labs: Labs) -> None:
    async with labs(layout=PLAIN) as lab:
        await lab.fresh().updated()
        lab.archive.publish()
        with lab.archive.fault(lab.archive.suite("InRelease"), shape="hold=100"):
            assert await lab.fresh().updated() == 1
            lab.origin.release(lab.archive.path(lab.archive.suite("InRelease")))
        await lab.caught_up(lab.fresh())


async def test_retry_after_is_kept_to(labs: Labs) -> None:
    async with labs(layout=PLAIN) as lab:
        await lab.fresh().updated()
        name = lab.archive.suite("InRelease")
        busy = Response(429, [("Retry-After", "60")])
        with lab.archive.fault(name, busy):
            lab.origin.forget()
            for _ in range(4):
                await lab.fresh().updated()
            assert lab.archive.asked(name) == 1


async def test_an_etag_that_flips_changes_nothing_for_clients(labs: Labs) -> None:
    """Archives behind several servers have several ETags for the same bytes."""
    async with labs() as lab:
        lab.archive.flips = True
        apt, name = lab.client(), lab.archive.pool("base")
        await apt.updated()
        for _ in range(3):
            said = await apt.update()
            assert (said.fine, said.hit) == (True, True), said.text
        with lab.archive.fault(name, shape="cuts=30,60"):
            said = await apt.download("base")
        assert said.fine or (await apt.download("base")).fine


@pytest.mark.row(24, at="APT: the mirror's own token, a client's cookie")
async def test_a_redirect_is_followed_without_the_credentials_for_the_archive(
    labs: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIVE_TOKEN", "secret-of-the-archive")
    async with labs(settings=f'{AT_ONCE}\nauth = "bearer env:ARCHIVE_TOKEN"') as lab:
        name, indexed = lab.archive.pool("base"), index(lab)
        first = lab.archive.suite("InRelease")
        with (
            lab.archive.fault(name, lab.archive.elsewhere(name)),
            lab.archive.fault(indexed, lab.archive.elsewhere(indexed)),
            lab.archive.fault(first, lab.archive.elsewhere(first)),
        ):
            apt = lab.client()
            await apt.updated()
            told = await lab.get(name, "Cookie: a=b")
        assert (told.status, told.body == BASE.deb) == (200, True)
        elsewhere = [record for record in lab.origin.log if record.path.startswith("/elsewhere/")]
        assert len(elsewhere) >= 3
        assert [fields(record) & {"authorization", "cookie"} for record in elsewhere] == [set()] * len(elsewhere)
        assert all("authorization" in fields(record) for record in lab.origin.log if record not in elsewhere)
        assert (await apt.download("base")).fine
        assert lab.archive.asked(name) == 1


def fields(record: Record) -> set[str]:
    return {name.lower() for name, _ in record.headers}


@pytest.mark.row(17, at="APT: cut at 20, 50 and 80 %")
async def test_a_package_that_breaks_off_again_and_again_is_put_together(labs: Labs) -> None:
    """Each time the mirror asks for the rest of it, on condition that it is the same."""
    async with labs(upstream="retries = 4") as lab:
        await lab.client().updated()
        name = lab.archive.pool("base")
        with lab.archive.fault(name, shape="cuts=20,50,80"):
            told = await lab.get(name)
        assert (told.status, told.whole, told.body == BASE.deb) == (200, True, True)
        assert len({record.range for record in lab.origin.log.of(lab.archive.path(name))}) == 4
