"""The packages themselves: resumed, replaced under their name, damaged on the way, many on one connection."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest

from tests.e2e.apt_rig import Labs, Rig
from tests.instruments.archive import NEWEST, PACKAGES, encodings
from tests.instruments.debs import Package
from tests.instruments.generation import Layout
from tests.instruments.pipeline import ask

pytestmark = pytest.mark.timeout(120)

KINDS = pytest.mark.parametrize("poor", [False, True], ids=["real", "poor"])
BASE = next(package for package in PACKAGES if package.name == "base")


@pytest.mark.row(10, at="APT: half a package, with the right and with another date")
@KINDS
async def test_half_a_package_is_resumed(poor: bool, labs: Labs) -> None:
    """apt asks `Range` with `If-Range: <date of the partial file>`, which it has set to our Last-Modified.

    Seen red: ranges are not answered.
    """
    async with labs(poor=poor) as lab:
        name, apt = lab.archive.pool("base"), lab.client()
        await apt.updated()
        whole = await lab.get(name)
        part = apt.archives / "partial" / BASE.file
        part.write_bytes(BASE.deb[:90_000])
        stamp = parsedate_to_datetime(whole.field("last-modified")).timestamp()
        os.utime(part, (stamp, stamp))
        said = await apt.fetch("base")
        assert said.fine, said.text
        assert [status for status, _ in await lab.answers(".deb", 0, 2)] == [200, 206]
        assert (apt.archives / BASE.file).read_bytes() == BASE.deb


@pytest.mark.row(10, at="APT: half a package, with the right and with another date")
@KINDS
async def test_half_a_package_of_another_date_is_not_resumed(poor: bool, labs: Labs) -> None:
    """Seen red: If-Range is not looked at: half an old file is gone on with."""
    async with labs(poor=poor) as lab:
        name, apt = lab.archive.pool("base"), lab.client()
        await apt.updated()
        await lab.get(name)
        part = apt.archives / "partial" / BASE.file
        part.write_bytes(b"x" * 90_000)
        os.utime(part, (1e9, 1e9))
        said = await apt.fetch("base")
        assert said.fine, said.text
        assert (apt.archives / BASE.file).read_bytes() == BASE.deb


@KINDS
async def test_ranges_of_a_package(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor) as lab:
        await lab.client().updated()
        name, size = lab.archive.pool("base"), len(BASE.deb)
        for wanted, start, end in (("0-0", 0, 1), (f"{size - 5}-", size - 5, size), ("-10", size - 10, size)):
            told = await lab.get(name, f"Range: bytes={wanted}")
            assert (told.status, told.body) == (206, BASE.deb[start:end])
            assert told.field("content-range") == f"bytes {start}-{end - 1}/{size}"
        beyond = await lab.get(name, f"Range: bytes={size}-")
        assert (beyond.status, beyond.field("content-range")) == (416, f"bytes */{size}")


@KINDS
async def test_a_package_replaced_under_its_name_is_new_with_the_new_index(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor) as lab:
        lab.archive.packages = (*PACKAGES, Package("swap", "1.0"))
        lab.archive.publish()
        first, other = Package("swap", "1.0").deb, Package("swap", "1.0", edition="other").deb
        for generation, wanted in ((2, first), (3, other)):
            apt = lab.fresh()
            assert await apt.updated() == generation
            said = await apt.download("swap")
            assert said.fine, said.text
            assert (apt.files / "swap_1.0_all.deb").read_bytes() == wanted
            lab.archive.packages = (*PACKAGES, Package("swap", "1.0", edition="other"))
            lab.archive.publish()


async def test_a_stored_package_that_the_index_names_is_not_asked_for_again(labs: Labs) -> None:
    async with labs() as lab:
        for _ in range(3):
            apt = lab.fresh()
            await apt.updated()
            assert (await apt.download(*NEWEST)).fine
            lab.archive.publish()
        assert {lab.archive.asked(lab.archive.pool(name)) for name in NEWEST} == {1}


@pytest.mark.row(7, at="APT: one byte of a package")
@KINDS
async def test_damaged_bytes_are_not_stored_and_not_delivered_whole(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor) as lab:
        await lab.client().updated()
        name = lab.archive.pool("base")
        with lab.archive.fault(name, shape="flipbyte=150000"):
            for _ in range(2):
                told = await lab.get(name)
                assert told.status in (0, 502) or (told.status, told.whole) == (200, False), told.status
            asked = lab.archive.asked(name)
            assert (await lab.client("apt2").update()).fine
        told = await lab.get(name)
        assert (told.status, told.whole, told.body == BASE.deb) == (200, True, True)
        assert lab.archive.asked(name) > asked


@pytest.mark.row(7, at="APT: one byte of a package")
@KINDS
async def test_apt_never_gets_damaged_bytes(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor) as lab:
        apt = lab.client()
        await apt.updated()
        with lab.archive.fault(lab.archive.pool("base"), shape="flipbyte=150000"):
            said = await apt.download("base")
            assert said.code == 100
            assert "Hash Sum mismatch" not in said.text  # apt was not given the whole of it to find that out
        said = await apt.download("base")
        assert said.fine, said.text


async def test_ten_packages_on_one_connection_come_in_order(labs: Labs) -> None:
    """With one in the middle that the archive has not."""
    async with labs() as lab:
        await lab.client().updated()
        packages = [next(each for each in PACKAGES if each.name == f"part{at}") for at in range(10)]
        names = [lab.archive.pool(package.name) for package in packages]
        lab.archive.remove(names[5])
        for _ in ("cold", "warm"):
            told = await ask(lab.server.port, *(lab.target(name) for name in names))
            assert [each.status for each in told] == [200] * 5 + [404] + [200] * 4
            for each, package in zip(told, packages, strict=True):
                assert each.whole
                assert (each.body == package.deb) == (each.status == 200)


async def test_apt_gets_ten_packages_but_the_one_that_is_missing(labs: Labs) -> None:
    async with labs() as lab:
        apt, parts = lab.client(), [name for name in NEWEST if name.startswith("part")]
        await apt.updated()
        lab.archive.remove(lab.archive.pool("part5"))
        said = await apt.download(*parts)
        assert said.code == 100
        assert said.text.count("404  Not Found") == 2  # once as it happens, once at the end
        assert sorted(apt.debs()) == sorted(f"{name}_{name[-1]}.0_all.deb" for name in parts if name != "part5")


FORMS: list[Callable[[str], str]] = [
    lambda name: encodings(name)[0],
    lambda name: encodings(name)[1],
    lambda name: name,
    lambda name: encodings(name)[1].replace("%2b", "%2B").replace("%3a", "%3A"),
]


@pytest.mark.parametrize("first", range(4), ids=["apt", "escaped", "plain", "upper case"])
@pytest.mark.parametrize("package", ["libthing++", "thing"])
async def test_a_name_is_one_however_it_is_written(package: str, first: int, labs: Labs) -> None:
    """The archive knows `+` as `%2b` alone: what it is asked does not depend on what the client has written."""
    async with labs() as lab:
        await lab.client().updated()
        name, bodies = lab.archive.pool(package), []
        for form in (*FORMS[first:], *FORMS[:first]):
            told = (await ask(lab.server.port, f"/{lab.name}/{form(name)}"))[0]
            assert (told.status, told.whole) == (200, True)
            bodies.append(told.body)
        assert set(bodies) == {lab.archive.files[name].body}
        assert lab.archive.asked(name) == 1


async def many(lab: Rig, name: str) -> list[bool]:
    told = await asyncio.gather(*(lab.get(name) for _ in range(20)))
    return [each.whole and each.body == BASE.deb for each in told]


@pytest.mark.row(11, at="APT: 20 clients")
async def test_twenty_at_once_are_one_download(labs: Labs) -> None:
    async with labs() as lab:
        await lab.client().updated()
        assert await many(lab, lab.archive.pool("base")) == [True] * 20
        assert lab.archive.asked(lab.archive.pool("base")) == 1


async def test_a_package_that_no_index_names_is_served(labs: Labs) -> None:
    async with labs(layout=Layout(by_hash=False)) as lab:
        told = await lab.get(lab.archive.pool("base"))
        assert (told.status, told.body == BASE.deb) == (200, True)
        unlisted = replace(BASE, name="unlisted")
        lab.archive.put("pool/main/u/unlisted.deb", unlisted.deb)
        await lab.client().updated()
        assert (await lab.get("pool/main/u/unlisted.deb")).body == unlisted.deb
