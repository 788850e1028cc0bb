"""While an archive changes, apt-get gets a release and the indexes of that release, or the ones before: never a mix."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from tests.e2e.apt_rig import Labs, Rig, number
from tests.instruments.debs import sha256
from tests.instruments.generation import Layout, by_hash
from tests.instruments.pipeline import line

pytestmark = pytest.mark.timeout(120)

KINDS = pytest.mark.parametrize("poor", [False, True], ids=["real", "poor"])
PLAIN = Layout(by_hash=False)
PAIR = Layout(by_hash=False, inrelease=False)
RELEASES = ("*/InRelease", "*/Release", "*/Release.gpg")
INDEXES = ("*/Packages*", "*/Translation*", "*/by-hash/*", "pool/*")
HALVES = pytest.mark.parametrize("first", [RELEASES[:1], INDEXES], ids=["release first", "indexes first"])


def hashed(lab: Rig, generation: int = 0, file: str = "main/binary-amd64/Packages.xz") -> str:
    """The name by digest that an index has, or had in that generation."""
    made = lab.archive.generations[generation - 1] if generation else lab.archive.newest
    return f"{lab.archive.layout.suite}{by_hash(file, made.files[f'{lab.archive.layout.suite}{file}'])}"


@HALVES
@KINDS
async def test_between_the_halves_of_a_swap_clients_get_the_generation_before(
    poor: bool, first: tuple[str, ...], labs: Labs
) -> None:
    async with labs(poor=poor, layout=PLAIN) as lab:
        old = lab.client("old")
        await old.updated()
        lab.archive.make()
        lab.archive.show(*first)
        direct = await lab.client("direct", lab.archive.url).update()
        assert direct.code == 100, direct.text
        assert "Mirror sync in progress?" in direct.text or "Hash Sum mismatch" in direct.text
        assert await old.updated() == 1
        assert await lab.fresh().updated() == 1
        xz = await lab.get(lab.archive.index())
        assert xz.body == lab.archive.generations[0].files[lab.archive.index()]


@HALVES
async def test_a_cold_mirror_never_gives_the_halves_of_two_generations(first: tuple[str, ...], labs: Labs) -> None:
    """Nobody can make one of them; but what a client is told must not look like one."""
    async with labs(layout=PLAIN) as lab:
        lab.archive.make()
        lab.archive.show(*first)
        said = await lab.client().update()
        assert said.code == 100
        assert "Mirror sync in progress?" not in said.text
        assert "Hash Sum mismatch" not in said.text


async def test_the_newest_arrives_once_it_is_whole_and_after_every_kind_of_swap(labs: Labs) -> None:
    async def swap(layout: Layout, first: tuple[str, ...], name: str) -> None:
        async with labs(layout=layout) as lab:
            apt = lab.client(name)
            await apt.updated()
            lab.archive.make()
            lab.archive.show(*first)
            await apt.updated()
            lab.archive.show("*")
            await lab.caught_up(apt)

    kinds = [(PLAIN, INDEXES), (PLAIN, RELEASES[:1]), (Layout(), INDEXES), (Layout(), RELEASES[:1])]
    kinds += [(PAIR, RELEASES[1:2]), (PAIR, RELEASES[2:]), (PAIR, INDEXES)]
    await asyncio.gather(*(swap(layout, first, f"swap{at}") for at, (layout, first) in enumerate(kinds)))


@KINDS
async def test_index_names_by_digest_are_served_after_the_archive_has_dropped_them(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor) as lab:
        await lab.fresh().updated()
        old = hashed(lab)
        lab.archive.publish()
        assert await lab.fresh().updated() == 2
        assert old not in lab.archive.files
        told = await lab.get(old)
        assert (told.status, sha256(told.body)) == (200, old.rpartition("/")[2])


@KINDS
async def test_the_two_generations_before_are_kept(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor) as lab:
        await lab.fresh().updated()
        for newer in (2, 3):
            lab.archive.publish()
            assert await lab.fresh().updated() == newer
        lab.origin.down()
        for generation in (1, 2, 3):
            name = hashed(lab, generation)
            assert sha256((await lab.get(name)).body) == name.rpartition("/")[2]


@KINDS
async def test_a_digest_that_the_archive_lacks_is_found_under_the_plain_name(poor: bool, labs: Labs) -> None:
    """Either way round: stored by its plain name before, or at the archive by its plain name only."""
    async with labs(poor=poor) as lab:
        name = hashed(lab)
        for each in [each for each in lab.archive.files if "/by-hash/" in each]:
            lab.archive.remove(each)
        assert (await lab.get(lab.archive.index())).status == 200
        lab.origin.forget()
        told = await lab.get(name)
        assert (told.status, sha256(told.body)) == (200, name.rpartition("/")[2])
        assert lab.archive.asked(lab.archive.index()) == 0
        assert await lab.client().updated() == 1


@KINDS
async def test_a_generation_of_the_same_second_is_no_304(poor: bool, labs: Labs) -> None:
    """apt asks by date alone, and dates have seconds: other bytes need another one, or it never sees them."""
    async with labs(poor=poor) as lab:
        apt = lab.client()
        for generation in range(1, 7):
            assert await apt.updated() == generation
            lab.archive.publish()


async def test_a_digest_that_no_release_names_is_not_found(labs: Labs) -> None:
    async with labs() as lab:
        await lab.client().updated()
        name = hashed(lab).replace(hashed(lab)[-64:], "0a" * 32)
        assert (await lab.get(name)).status == 404


@pytest.mark.parametrize("first", [RELEASES[1:2], RELEASES[2:]], ids=["Release first", "Release.gpg first"])
@KINDS
async def test_a_release_and_the_signature_of_another_are_never_mixed(
    poor: bool, first: tuple[str, ...], labs: Labs
) -> None:
    async with labs(poor=poor, layout=PAIR) as lab:
        old = lab.client("old")
        await old.updated()
        lab.archive.make()
        lab.archive.show(*INDEXES, *first)
        assert (await lab.client("direct", lab.archive.url).update()).code == 100
        await verified(lab)
        assert await old.updated() == 1
        assert await lab.fresh().updated() == 1


async def verified(lab: Rig, *, publish: bool = False) -> None:
    """Release and then Release.gpg belong together. `publish`: there is a new generation in between."""
    for name in ("Release", "Release.gpg"):
        told = await lab.get(lab.archive.suite(name), "Cache-Control: max-age=0")
        (lab.folder / name).write_bytes(told.body)
        if publish:
            lab.archive.publish()
    files = [str(lab.folder / name) for name in ("Release.gpg", "Release")]
    command = ["gpgv", "--keyring", str(lab.archive.signer.keyring), *files]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@KINDS
async def test_a_signature_is_of_the_release_that_the_client_has_got(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor, layout=PAIR) as lab:
        await verified(lab)
        for _ in range(3):
            await verified(lab, publish=True)


async def test_a_pair_that_was_refused_is_not_taken_by_halves_once_it_is_complete(labs: Labs) -> None:
    """Release is not looked at again for a while; neither may Release.gpg be, then."""
    async with labs(layout=PAIR) as lab:
        await lab.fresh().updated()
        lab.archive.make()
        lab.archive.show("*/Release", "*/Release.gpg")
        assert await lab.release("Release") == 1
        lab.archive.show("*")
        for _ in range(3):
            await verified(lab)


@pytest.mark.parametrize("others", [False, True], ids=["alone", "with another client of the same address"])
@KINDS
async def test_indexes_are_of_the_release_that_the_client_has_got(poor: bool, others: bool, labs: Labs) -> None:
    """By their plain names, which say nothing of that: whoever goes on with an update on its connection is meant."""
    async with labs(poor=poor, layout=PLAIN) as lab:
        await lab.fresh().updated()
        release, index = lab.archive.suite("InRelease"), lab.archive.index()
        for _ in range(3):
            async with line(lab.server.port) as slow:
                (first,) = await slow.ask(lab.target(release), fields=("Cache-Control: max-age=0",))
                lab.archive.publish()
                if others:
                    assert await lab.fresh().updated() == lab.archive.newest.number
                (then,) = await slow.ask(lab.target(index), fields=("Cache-Control: max-age=0",))
            assert then.body == lab.archive.generations[number(first.body) - 1].files[index]


@KINDS
async def test_an_older_release_is_refused_and_the_newer_one_stays(poor: bool, labs: Labs) -> None:
    async with labs(poor=poor) as lab:
        apt = lab.client()
        lab.archive.publish()
        assert await apt.updated() == 2
        lab.archive.publish(stamp=lab.archive.generations[0].stamp - 3600)
        assert number((await lab.get(lab.archive.suite("InRelease"), "Cache-Control: max-age=0")).body) == 2
        assert await apt.updated() == 2
        assert await lab.fresh().updated() == 2
        assert lab.archive.asked(lab.archive.suite("InRelease")) >= 2


async def test_of_a_release_and_its_pair_none_is_newer(labs: Labs) -> None:
    """InRelease and Release of one suite change together, for clients that ask for either."""
    async with labs() as lab:
        await lab.client().updated()
        await verified(lab)
        lab.archive.make()
        lab.archive.show(*INDEXES, "*/Release", "*/Release.gpg")
        numbers = {await lab.release(file) for file in ("InRelease", "Release", "InRelease", "Release")}
        assert len(numbers) == 1


async def test_generations_outlive_a_restart(labs: Labs) -> None:
    async with labs(layout=PLAIN, upstream="retries = 0") as lab:
        await lab.client().updated()
        lab.archive.make()
        lab.archive.show("*/InRelease")
        lab.server.kill()
        lab.server.start()
        assert await lab.fresh().updated() == 1
        lab.server.stop()
        lab.origin.down()
        lab.server.start()
        assert await lab.fresh().updated() == 1
