"""Publishing while apt-get update loops through the mirror. The long run is `python -m bench.publishing`."""

from __future__ import annotations

import pytest

from tests.e2e.apt_rig import Labs
from tests.instruments.generation import Layout
from tests.instruments.publishing import Publisher, rounds

pytestmark = pytest.mark.timeout(180)

PLAIN = Layout(by_hash=False)
ROUNDS = 20


@pytest.mark.parametrize(
    ("layout", "poor", "ttl"),
    [(PLAIN, True, "0s"), (PLAIN, False, "1s"), (Layout(), False, "0s"), (Layout(inrelease=False), False, "0s")],
    ids=["plain and poor", "plain, fresh for a second", "by-hash", "Release and Release.gpg"],
)
async def test_no_update_fails_and_the_newest_generation_arrives(
    layout: Layout, poor: bool, ttl: str, labs: Labs
) -> None:
    async with labs(layout=layout, poor=poor, mirror="" if ttl == "0s" else f'ttl = "{ttl}"\ngrace = "0s"') as lab:
        apt = lab.client()
        await apt.updated()
        found = await rounds(apt, Publisher(lab.archive, 1, pause=0.4, between=0.4), ROUNDS)
        assert [said.text for said in found.failed] == []
        assert found.seen == sorted(found.seen)
        assert found.published > 5
        await lab.caught_up(apt)


async def test_without_the_mirror_updates_do_fail(labs: Labs) -> None:
    """Else the test above would pass whatever the mirror does."""
    async with labs(layout=PLAIN) as lab:
        apt = lab.client("direct", lab.archive.url)
        found = await rounds(apt, Publisher(lab.archive, 1, pause=0.4, between=0.4), ROUNDS)
        assert found.failed
        assert all("Mirror sync in progress?" in said.text or "Hash Sum mismatch" in said.text for said in found.failed)
