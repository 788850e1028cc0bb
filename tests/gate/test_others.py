"""What other servers got wrong (FIELD T9), seen from outside: tests/policy/acceptance.toml has the lines."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from mirror.errors import Unavailable
from mirror.model import Request
from mirror.policy.gatekeeper import Gatekeeper
from mirror.policy.names import selector
from mirror.policy.rules import Policy
from tests.conftest import World
from tests.instruments.gated import DAY, JSON, SIMPLE, WEEK, House, house_of, written
from tests.policy.builders import advisory, exemption, rule

pytestmark = pytest.mark.row(51)

MAKE = Callable[..., World]


async def test_what_the_index_hides_is_not_served_to_a_lock_file(house: House) -> None:
    """git-pkgs#239, verdaccio#5509: `npm ci` never sees the index, so hiding it there is not enough."""
    house.become(min_age=WEEK)
    assert (await house.refused(house.file("1.17.0"))).status == 403
    assert house.world.origin.requests(house.file("1.17.0").removeprefix("/files")) == 0


async def test_old_packages_are_not_held_and_what_is_held_has_a_way_out(house: House) -> None:
    """artifact-keeper#1770, artifact-keeper#3647: packages of 2015 were held like new ones, without an end."""
    house.publish({"1.0.0": 4000.0, "1.17.0": 2.0})
    house.become(min_age=WEEK)
    await house.given([house.file("1.0.0")])
    assert (await house.refused(house.file("1.17.0"))).until == house.world.clock() + 5 * DAY
    house.become(min_age=WEEK, exempt=(exemption("six", until=house.world.clock() + DAY),))
    await house.given([house.file("1.17.0")])
    assert await house.versions() == ["1.0.0", "1.17.0"]


@pytest.mark.parametrize("dates", ["origin", "first-seen"])
async def test_an_ancient_package_that_nobody_asked_for_before_is_not_new(house: House, dates: str) -> None:
    """G.5, nora#750: it was quarantined by the day on which the mirror saw it first."""
    house.publish({"1.0.0": 4000.0})
    house.become(min_age=WEEK, dates=dates)
    await house.given([house.file("1.0.0")])
    assert await house.versions() == ["1.0.0"]


@pytest.mark.parametrize("odd", ["", "soon", "2999-01-01T00:00:00Z", 0, None])
async def test_a_date_that_is_none_does_not_let_it_through(house: House, odd: object) -> None:
    """G.6, nora#679: an unknown date failed open."""
    respond = house.world.origin._routes[house.page].respond
    told = json.loads(respond(Request("GET", house.page)).body)  # type: ignore[union-attr]
    if house.pypi:
        told["files"][1]["upload-time"] = odd
    else:
        told["time"]["1.17.0"] = odd
    kind = [("content-type", SIMPLE)] if house.pypi else JSON
    house.world.origin.route(house.page, headers=kind, body=json.dumps(told).encode())
    house.become(min_age=WEEK)
    assert await house.versions() == ["1.16.0"]
    assert (await house.refused(house.file("1.17.0"))).rule == "unknown"


async def test_one_version_is_blocked_though_it_is_stored_and_the_others_are_not(house: House) -> None:
    """git-pkgs#358: block one version, and what is cached already is looked at again."""
    await house.given([house.page, house.file("1.16.0"), house.file("1.17.0")])
    house.become(deny=(rule("six", ecosystem=house.world.ecosystem, versions="1.17.0", reason="stolen"),))
    assert "stolen" in str(await house.refused(house.file("1.17.0")))
    assert await house.versions() == ["1.16.0"]
    await house.given([house.file("1.16.0")])


async def test_a_security_fix_is_not_delayed(house: House) -> None:
    """G.7, cooldowns#13: the version that an advisory names as the fix is given at once; a later one waits."""
    house.publish({"1.16.0": 400, "1.17.0": 0.1, "1.18.0": 0.1})
    events = (("introduced", "1.0.0"), ("fixed", "1.17.0"))
    of = {"ecosystem": "PyPI"} if house.pypi else {"ecosystem": "npm", "kind": "SEMVER"}
    house.become(advisory("six", *events, modified=written(house.world.clock()), **of), min_age=WEEK)
    assert await house.versions() == ["1.16.0", "1.17.0"]
    await house.given([house.file("1.17.0")])
    assert (await house.refused(house.file("1.18.0"))).rule == "cooldown"


async def test_an_emergency_exemption_of_everything_counts_from_the_next_request_on(house: House) -> None:
    """G.7: the switch "all" needs no restart, and ends by itself."""
    house.become(min_age=WEEK)
    await house.refused(house.file("1.17.0"))
    house.become(min_age=WEEK, exempt=(exemption("*", until=house.world.clock() + 3600),))
    await house.given([house.file("1.17.0")])
    assert await house.versions() == ["1.16.0", "1.17.0"]
    house.world.clock.wind(3600)
    await house.refused(house.file("1.17.0"))
    assert await house.versions() == ["1.16.0"]


class TestSearches:
    """A search is an index, too: what it names is what clients ask for."""

    @pytest.fixture
    async def npm(self, make_world: MAKE) -> AsyncIterator[House]:
        async with house_of(make_world(ecosystem="npm")) as opened:
            date = {"date": written(opened.world.clock() - 2 * DAY)}
            opened.world.mirror = replace(opened.world.mirror, upstreams=(opened.world.origin.url("/r"),))
            packages = [{"name": name, "version": "1.17.0"} | date for name in ("six", "seven")]
            found = {"objects": [{"package": each} for each in packages], "total": 2}
            opened.world.origin.route("/r/-/v1/search", headers=JSON, body=json.dumps(found).encode())
            opened.world.origin.route("/r/-/all", headers=JSON, body=json.dumps({"six": packages[0]}).encode())
            yield opened

    async def _found(self, npm: House) -> dict[str, str | None]:
        """The packages that are found, and which version of each is told."""
        told = json.loads((await npm.world.get("/-/v1/search", "text=s")).body)
        await npm.world.settled()
        return {each["package"]["name"]: each["package"].get("version") for each in told["objects"]}

    async def test_what_nobody_gets_is_not_found_from_the_next_request_on(self, npm: House) -> None:
        """PROTOCOLS G.2."""
        assert await self._found(npm) == {"six": "1.17.0", "seven": "1.17.0"}
        malicious = advisory("six", ("introduced", "0"), name="MAL-1", ecosystem="npm", kind="SEMVER")
        for more in ({"deny": (rule("six"),)}, {"private": (selector("six"),)}, {"allow": (rule("seven"),)}):
            npm.become(**more)
            assert await self._found(npm) == {"seven": "1.17.0"}
        npm.become(malicious)
        assert await self._found(npm) == {"seven": "1.17.0"}
        assert json.loads((await npm.world.get("/-/all", "")).body) == {}
        npm.become(private=(selector("six"),), mode="audit")
        assert await self._found(npm) == {"six": "1.17.0", "seven": "1.17.0"}
        assert npm.world.origin.requests("/r/-/v1/search") == 1

    async def test_a_version_that_waits_is_told_when_it_has_matured(self, npm: House) -> None:
        npm.world.mirror = replace(npm.world.mirror, ttl=30 * DAY)
        npm.become(min_age=WEEK)
        assert await self._found(npm) == {"six": None, "seven": None}
        npm.world.clock.wind(5 * DAY)
        assert await self._found(npm) == {"six": "1.17.0", "seven": "1.17.0"}

    async def test_it_waits_for_the_advisories_as_packages_do(self, npm: House) -> None:
        npm.world.mirror = replace(npm.world.mirror, gate=Gatekeeper(Policy("npm", advised=True)))
        with pytest.raises(Unavailable):
            await self._found(npm)
