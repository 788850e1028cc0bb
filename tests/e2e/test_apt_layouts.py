"""Archives of other forms: flat ones, without names by digest, without InRelease; and releases that nobody signed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.e2e.apt_rig import Labs, Rig, keyed
from tests.instruments.archive import NEWEST
from tests.instruments.generation import Layout
from tests.instruments.signer import Signer, signing

pytestmark = pytest.mark.timeout(120)

KINDS = pytest.mark.parametrize("poor", [False, True], ids=["real", "poor"])
LAYOUTS = {
    "flat": Layout(flat=True),
    "flat without by-hash": Layout(flat=True, by_hash=False),
    "without by-hash": Layout(by_hash=False),
    "Release and Release.gpg alone": Layout(inrelease=False),
    "flat, Release and Release.gpg alone": Layout(flat=True, inrelease=False, by_hash=False),
}
PAIR = Layout(inrelease=False)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@KINDS
async def test_all_packages_come_cold_and_warm_and_with_the_upstream_down(
    poor: bool, layout: Layout, labs: Labs
) -> None:
    async with labs(poor=poor, layout=layout) as lab:
        got = []
        for way in ("direct", "cold", "warm", "down"):
            if way == "down":
                lab.origin.down()
            apt = lab.client(way, lab.archive.url) if way == "direct" and not layout.flat else lab.client(way)
            await apt.updated()
            said = await apt.download(*NEWEST)
            assert said.fine, (way, said.text)
            got.append(apt.debs())
        assert len(got[0]) == len(NEWEST)
        assert got[1:] == got[:1] * 3


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
async def test_a_second_update_hits_and_the_next_generation_is_seen(layout: Layout, labs: Labs) -> None:
    async with labs(layout=layout) as lab:
        apt = lab.client()
        await apt.updated()
        said = await apt.update()
        assert said.fine, said.text
        assert "Get:" not in said.text
        lab.archive.publish()
        assert await apt.updated() == 2
        said = await apt.download("news")
        assert (said.fine, list(apt.debs())) == (True, ["news_2_all.deb"]), said.text


async def test_a_flat_archive_in_halves_is_the_generation_before(labs: Labs) -> None:
    async with labs(layout=LAYOUTS["flat without by-hash"]) as lab:
        await lab.fresh().updated()
        lab.archive.make()
        lab.archive.show("Packages*")
        assert await lab.fresh().updated() == 1
        lab.archive.put("InRelease", lab.archive.generations[0].files["InRelease"])


@asynccontextmanager
async def locked(labs: Labs, layout: Layout = LAYOUTS["without by-hash"]) -> AsyncIterator[tuple[Rig, Signer]]:
    """A mirror that knows the archive's key, warm with the first generation; and a signer that it does not know."""
    with signing() as other:
        async with labs(layout=layout, settings=keyed(labs.signer)) as lab:
            assert await lab.fresh().updated() == 1
            yield lab, other


def tampered(release: bytes) -> bytes:
    assert b"\nVersion: 2\n" in release
    return release.replace(b"\nVersion: 2\n", b"\nVersion: 3\n")


async def test_a_tampered_release_is_refused_and_the_one_before_stays(labs: Labs) -> None:
    async with locked(labs) as (lab, _):
        name = lab.archive.suite("InRelease")
        made = lab.archive.publish()
        lab.archive.put(name, tampered(made.files[name]))
        assert await lab.release() == 1
        assert await lab.fresh().updated() == 1


async def test_a_release_signed_by_another_key_is_refused_and_the_one_before_stays(labs: Labs) -> None:
    async with locked(labs) as (lab, other):
        lab.archive.signer = other
        lab.archive.publish()
        assert await lab.release() == 1
        lab.archive.signer = labs.signer
        assert await lab.fresh().updated() == 1


@pytest.mark.parametrize("forged", ["Release", "Release.gpg", "both"])
async def test_a_forged_pair_is_refused_and_the_one_before_stays(forged: str, labs: Labs) -> None:
    async with locked(labs, PAIR) as (lab, other):
        made = lab.archive.publish()
        release, signature = (lab.archive.suite(file) for file in ("Release", "Release.gpg"))
        body = tampered(made.files[release])
        if forged in ("Release", "both"):
            lab.archive.put(release, body)
        if forged != "Release":
            lab.archive.put(signature, other.detached(made.files[release] if forged == "Release.gpg" else body))
        assert await lab.release("Release") == 1
        assert await lab.fresh().updated() == 1


async def test_a_cold_mirror_with_a_keyring_gives_nothing_that_its_keys_have_not_signed(labs: Labs) -> None:
    with signing() as other:
        async with labs(settings=keyed(other)) as lab:
            for file in ("InRelease", "Release"):
                told = await lab.get(lab.archive.suite(file))
                assert told.status in (502, 503), told
                assert told.field("content-type") == "application/problem+json"
            assert (await lab.fresh().update()).code == 100


async def test_with_the_right_keyring_generations_follow_each_other(labs: Labs) -> None:
    async with locked(labs) as (lab, _):
        for newer in (2, 3):
            lab.archive.publish()
            assert await lab.fresh().updated() == newer
