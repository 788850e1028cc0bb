"""Publishing while apt-get update loops through the mirror. The long run is `python -m bench.publishing`."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.apt_rig import AT_ONCE, FOR_A_SECOND, Labs
from tests.instruments.generation import Layout
from tests.instruments.publishing import Publisher, rounds

pytestmark = pytest.mark.timeout(180)

PLAIN = Layout(by_hash=False)
KINDS = {
    "plain and poor": (PLAIN, True, AT_ONCE, 40),
    "plain, fresh for a second": (PLAIN, False, FOR_A_SECOND, 20),
    "by-hash": (Layout(), False, AT_ONCE, 20),
    "Release and Release.gpg": (Layout(inrelease=False), False, AT_ONCE, 20),
}


async def loop(labs: Labs, kind: str) -> None:
    layout, poor, settings, count = KINDS[kind]
    async with labs(layout=layout, poor=poor, settings=settings) as lab:
        apt = lab.client(kind.replace(" ", "-"))
        await apt.updated()
        publisher = Publisher(lab.archive, count, pause=0.5, between=0.5)
        found = await rounds(apt, publisher, count, enough=lambda found: len(set(found.seen)) > 2)
        assert [said.text for said in found.failed] == [], kind
        assert found.seen == sorted(found.seen), kind
        assert len(set(found.seen)) > 2, kind
        await lab.caught_up(apt)


async def test_no_update_fails_and_the_newest_generation_arrives(labs: Labs) -> None:
    """All kinds of archives at the same time: most of it is waiting."""
    await asyncio.gather(*(loop(labs, kind) for kind in KINDS))


async def test_without_the_mirror_updates_do_fail(labs: Labs) -> None:
    """Else the test above would pass whatever the mirror does."""
    async with labs(layout=PLAIN) as lab:
        apt = lab.client("direct", lab.archive.url)
        publisher = Publisher(lab.archive, 1, pause=0.4, between=0.4)
        found = await rounds(apt, publisher, 20, enough=lambda found: bool(found.failed))
        assert found.failed
        assert all("Mirror sync in progress?" in said.text or "Hash Sum mismatch" in said.text for said in found.failed)
