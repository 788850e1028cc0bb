"""apt-get through the mirror: all that an archive has, cold, warm, and with nothing upstream reachable."""

from __future__ import annotations

import pytest

from tests.e2e.apt_rig import FOR_AN_HOUR, Labs, Rig
from tests.instruments.apt import CONTENTS, Apt
from tests.instruments.archive import NEWEST
from tests.instruments.debs import sha256
from tests.instruments.generation import Layout
from tests.instruments.signer import signing

pytestmark = pytest.mark.timeout(120)

KINDS = pytest.mark.parametrize("poor", [False, True], ids=["real", "poor"])
ALL = (*NEWEST, "thing=1.0")


async def everything(apt: Apt) -> dict[str, str]:
    """The digests of all indexes and packages, and of a source package, as apt has got them."""
    assert (await apt.updated()) > 0
    for command in (("download", *ALL), ("source", "--download-only", "thing")):
        said = await apt.run(*command)
        assert said.fine, said.text
    return apt.lists() | apt.debs()


def whole(rig: Rig, name: str, url: str = "") -> Apt:
    """A client that wants all kinds of indexes."""
    lines = tuple(f"{kind} [{{key}}] {url or rig.url} stable main" for kind in ("deb", "deb-src"))
    return rig.client(name, lines=lines, settings=CONTENTS)


@KINDS
async def test_the_same_files_cold_and_warm_and_with_the_upstream_down(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor) as lab:
        direct = await everything(whole(lab, "direct", lab.archive.url))
        cold = await everything(whole(lab, "cold"))
        lab.origin.forget()
        warm = await everything(whole(lab, "warm"))
        assert {record.path.rpartition("/")[2] for record in lab.origin.log} <= {"InRelease"}
        lab.origin.down()
        down = await everything(whole(lab, "down"))
        kinds = ("InRelease", "_Packages", "_Sources", "_Translation-en", "_Contents-amd64", ".deb", ".dsc", ".tar.xz")
        assert [any(name.endswith(kind) for name in direct) for kind in kinds] == [True] * len(kinds)
        assert (cold, warm, down) == (direct, direct, direct)


@KINDS
async def test_an_install_of_all_is_planned_as_without_the_mirror(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor) as lab:
        plans = []
        for client in (lab.client("direct", lab.archive.url), lab.client()):
            await client.updated()
            plans.append((await client.run("install", "-s", "-y", *NEWEST)).text)
        assert plans[0] == plans[1]
        assert "Inst thing (2.0~beta1+b2 1/stable [all])" in plans[1]


@KINDS
async def test_a_second_update_gets_304_and_asks_for_nothing_else(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor) as lab:
        apt = lab.client()
        await apt.updated()
        before = len(await lab.answers("", 0, 3))
        said = await apt.update()
        assert (said.fine, said.hit) == (True, True), said.text
        assert [status for status, _ in await lab.answers("", before)] == [304]
        lab.archive.publish()
        assert await lab.fresh().updated() == 2


async def test_a_fresh_release_is_not_asked_for_upstream(labs: Labs) -> None:
    async with labs(settings=FOR_AN_HOUR) as lab:
        await lab.client().updated()
        for _ in range(3):
            await lab.client(f"apt{_}").updated()
        assert lab.archive.asked(lab.archive.suite("InRelease")) == 1


async def test_apt_checks_the_signature(labs: Labs) -> None:
    """Else the other tests would pass for bytes that nobody has signed."""
    async with labs() as lab:
        with signing() as other:
            apt = Apt(labs.folder / "apt", other.keyring, f"deb [{{key}}] {lab.url} stable main")
            said = await apt.update()
        assert said.code == 100
        assert "NO_PUBKEY" in said.text


@KINDS
async def test_an_update_works_while_the_upstream_is_down(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor, layout=Layout(valid_for=2 * 86_400)) as lab:
        old = lab.client("old")
        await old.updated()
        lab.origin.down()
        said = await old.update()
        assert (said.fine, said.hit) == (True, True), said.text
        assert await lab.client("new").updated() == 1
        lab.origin.up()
        lab.archive.publish()
        await lab.caught_up(lab.fresh())


async def test_a_release_past_its_date_reaches_apt_as_it_is(labs: Labs) -> None:
    async with labs(layout=Layout(valid_for=3600)) as lab:
        lab.origin.forget()
        said = await lab.client().update()
        assert "is expired" in said.text
        name = lab.archive.suite("InRelease")
        assert sha256((await lab.get(name)).body) == sha256(lab.archive.newest.files[name])


@pytest.mark.parametrize("file", ["release", "index", "package"])
@KINDS
async def test_what_a_plain_client_asks_for_says_what_it_is(poor: bool, file: str, labs: Labs) -> None:
    """apt's partial files and its questions whether something is newer are dated by Last-Modified alone."""
    async with labs(poor=poor) as lab:
        await lab.client().updated()
        name = {
            "release": lab.archive.suite("InRelease"),
            "index": lab.archive.index(),
            "package": lab.archive.pool("base"),
        }
        first, again = await lab.get(name[file]), await lab.get(name[file])
        head = await lab.get(name[file], method="HEAD")
        assert (first.status, head.status, head.body) == (200, 200, b"")
        for field in ("last-modified", "etag", "content-length", "accept-ranges", "content-type"):
            assert first.field(field)
            assert (again.field(field), head.field(field)) == (first.field(field), first.field(field))
        since = await lab.get(name[file], f"If-Modified-Since: {first.field('last-modified')}")
        assert (since.status, since.body) == (304, b"")
