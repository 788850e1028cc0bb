"""The policy at every door: artifacts that are stored or not, and what stands beside them."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from mirror.errors import NotFound, OriginError, Withheld
from tests.conftest import take
from tests.instruments.gated import DAY, WEEK, House, body
from tests.policy.builders import advisory, exemption, rule

pytestmark = pytest.mark.row(51)


class TestArtifacts:
    """PROTOCOLS G.2: lock files skip the index."""

    async def test_a_fresh_release_is_refused_at_its_own_address_and_the_one_before_is_given(
        self, house: House
    ) -> None:
        """PROTOCOLS G.2, I.npm."""
        house.become(min_age=WEEK)
        error = await house.refused(house.file("1.17.0"))
        assert str(error).startswith("six 1.17.0 is 2 days old; minimum age 7 days (policy 'cooldown'), reached ")
        assert (error.status, error.rule, error.until) == (403, "cooldown", house.world.clock() + 5 * DAY)
        assert (await house.world.get(house.file("1.16.0"), "")).body == body("1.16.0")

    async def test_its_bytes_are_not_asked_for(self, house: House) -> None:
        house.become(min_age=WEEK)
        await house.refused(house.file("1.17.0"))
        assert [record.path for record in house.world.origin.log] == [house.page]

    async def test_it_matures_without_any_change_upstream(self, house: House) -> None:
        """PROTOCOLS G.1."""
        house.become(min_age=WEEK)
        await house.refused(house.file("1.17.0"))
        house.world.clock.wind(5 * DAY - 1)
        await house.refused(house.file("1.17.0"))
        house.world.clock.wind(1)
        assert (await house.world.get(house.file("1.17.0"), "")).body == body("1.17.0")

    @pytest.mark.parametrize("fields", [{}, {"range": "bytes=0-9"}, {"if_none_match": "*"}])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_stored_bytes_are_not_exempt(self, house: House, method: str, fields: dict[str, str]) -> None:
        """PROTOCOLS G.2."""
        await house.given([house.file("1.17.0")])
        house.become(min_age=WEEK)
        await house.refused(house.file("1.17.0"), method=method, **fields)

    async def test_nor_is_a_mirror_that_is_offline(self, house: House) -> None:
        """PROTOCOLS G.2."""
        await house.given([house.page, house.file("1.16.0"), house.file("1.17.0")])
        house.become(min_age=WEEK)
        house.world.mirror = replace(house.world.mirror, offline=True)
        await house.refused(house.file("1.17.0"))
        assert (await house.world.get(house.file("1.16.0"), "")).body == body("1.16.0")

    async def test_what_stands_beside_a_file_is_refused_with_it(self, python: House) -> None:
        """PROTOCOLS G.2."""
        beside = [f"{python.file('1.17.0')}.metadata", "/integrity/six/1.17.0/six-1.17.0-py3-none-any.whl/provenance"]
        await python.given(beside)
        python.become(min_age=WEEK)
        await python.refused(python.file("1.17.0"), *beside)
        await python.given([each.replace("1.17.0", "1.16.0") for each in beside])

    async def test_the_attestations_of_a_version_are_refused_with_it(self, npm: House) -> None:
        """PROTOCOLS G.2."""
        npm.become(min_age=WEEK)
        await npm.refused(npm.file("1.17.0"), "/-/npm/v1/attestations/six@1.17.0", "/six/1.17.0")
        await npm.given(["/-/npm/v1/attestations/six@1.16.0", "/six/1.16.0"])

    async def test_without_a_policy_a_stored_file_needs_no_index(self, house: House) -> None:
        await house.given([house.file("1.17.0")])
        await house.world.facts.drop("o")
        asked = house.world.origin.requests()
        await house.given([house.file("1.17.0")])
        assert house.world.origin.requests() == asked

    async def test_with_one_the_index_is_loaded_where_nothing_is_known(self, house: House) -> None:
        """PROTOCOLS G.2."""
        await house.given([house.file("1.17.0")])
        await house.world.facts.drop("o")
        for entry in [entry async for batch in house.world.index.scan() for entry in batch]:
            if "six-1" not in entry.key:
                await house.world.index.delete(entry.key)
        house.become(min_age=WEEK)
        await house.refused(house.file("1.17.0"))

    @pytest.mark.parametrize(("unknown", "given"), [("hold", False), ("pass", True)])
    async def test_no_date_anywhere_is_held_or_let_through_as_configured(
        self, house: House, unknown: str, given: bool
    ) -> None:
        """PROTOCOLS G.pypi."""
        house.publish({"1.17.0": None})
        house.become(min_age=WEEK, unknown=unknown)
        if given:
            await house.given([house.file("1.17.0")])
        else:
            assert (await house.refused(house.file("1.17.0"))).rule == "unknown"

    async def test_when_it_was_first_seen_counts_where_it_is_to(self, house: House) -> None:
        house.publish({"1.17.0": None})
        house.become(min_age=WEEK, dates="first-seen")
        assert (await house.refused(house.file("1.17.0"))).until == house.world.clock() + WEEK
        house.world.clock.wind(WEEK)
        await house.given([house.file("1.17.0")])

    async def test_what_no_index_names_any_more_is_judged_by_its_name(self, house: House) -> None:
        await house.given([house.file("1.17.0")])
        house.publish({"1.16.0": 400.0})
        house.world.clock.wind(DAY)
        await house.versions()
        house.become(deny=(rule("six", ecosystem=house.world.ecosystem, versions="1.17.0"),))
        assert (await house.refused(house.file("1.17.0"))).rule == "deny"
        house.become(min_age=WEEK)
        assert (await house.refused(house.file("1.17.0"))).rule == "unknown"
        house.become(min_age=WEEK, unknown="pass")
        await house.given([house.file("1.17.0")])

    async def test_what_there_is_not_is_not_there_rather_than_held(self, house: House) -> None:
        house.become(min_age=WEEK)
        for _ in range(2):
            with pytest.raises(NotFound):
                await house.world.get(house.file("9.9.9"), "")

    async def test_an_index_that_cannot_be_had_is_the_origins_fault(self, house: House) -> None:
        await house.given([house.file("1.17.0")])
        await house.world.facts.drop("o")
        for entry in [entry async for batch in house.world.index.scan() for entry in batch]:
            if "six-1" not in entry.key:
                await house.world.index.delete(entry.key)
        house.world.origin.route(house.page, 500)
        house.become(min_age=WEEK)
        with pytest.raises(OriginError):
            await house.world.get(house.file("1.17.0"), "")
        house.become(deny=(rule("six"),))
        assert (await house.refused(house.file("1.17.0"))).rule == "deny"

    async def test_an_abbreviated_packument_has_no_dates_so_the_full_one_is_fetched(self, npm: House) -> None:
        """PROTOCOLS G.npm."""
        await npm.world.get(npm.page, "", accept="application/vnd.npm.install-v1+json")
        await npm.given([npm.file("1.16.0")])
        npm.become(min_age=WEEK)
        await npm.refused(npm.file("1.17.0"))
        await npm.given([npm.file("1.16.0")])

    async def test_a_malicious_version_is_refused_though_its_bytes_are_stored(self, house: House) -> None:
        """FIELD T9, git-pkgs#358."""
        ecosystem = {"pypi": "PyPI", "npm": "npm"}[house.world.ecosystem]
        await house.given([house.file("1.16.0")])
        house.become(advisory("six", name="MAL-2026-1", ecosystem=ecosystem, versions=["1.16.0"]))
        assert (await house.refused(house.file("1.16.0"))).rule == "malicious"

    async def test_an_exemption_ends(self, house: House) -> None:
        """PROTOCOLS G.7."""
        until = house.world.clock() + DAY
        house.become(min_age=WEEK, exempt=(exemption("six", until=until),))
        await house.given([house.file("1.17.0")])
        house.world.clock.wind(DAY - 1)
        await house.given([house.file("1.17.0")])
        house.world.clock.wind(1)
        await house.refused(house.file("1.17.0"))

    async def test_audit_says_what_would_have_been_refused_and_serves_it(
        self, house: House, caplog: pytest.LogCaptureFixture
    ) -> None:
        house.become(min_age=WEEK, mode="audit")
        for _ in range(3):
            await house.given([house.file("1.17.0")])
        (line,) = [record.getMessage() for record in caplog.records if record.name == "mirror.policy"]
        assert "would be refused (rule cooldown): six 1.17.0 is 2 days old" in line
        assert await house.versions() == ["1.16.0", "1.17.0"]


class TestRemembered:
    async def test_what_got_through_is_not_looked_up_again(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        house.become(min_age=WEEK)
        await house.given([house.file("1.16.0")] * 2)

        async def never(*_: object, **__: object) -> None:
            raise AssertionError("the facts were read")

        monkeypatch.setattr(house.world.engine._lookups, "about", never)
        await house.given([house.file("1.16.0")])

    async def test_other_facts_are_asked_for_again(self, house: House) -> None:
        house.become(min_age=WEEK)
        await house.given([house.file("1.16.0")])
        house.publish({"1.15.0": 800.0, "1.16.0": 2.0})
        house.world.clock.wind(1000.0)
        await house.versions()
        await house.world.settled()
        await house.refused(house.file("1.16.0"))

    async def test_a_reply_lasts_no_longer_than_its_verdict(self, house: House) -> None:
        until = house.world.clock() + DAY
        exempt = exemption(f"pkg:{house.world.ecosystem}/six@1.17.0", until=until)
        house.become(min_age=WEEK, exempt=(exempt,))
        await house.given([house.file("1.17.0"), house.file("1.16.0")])
        for version, ends in (("1.17.0", until), ("1.16.0", inf)):
            reply = await house.world.ask(house.file(version), "")
            await take(reply)
            assert reply.lasting is not None
            assert reply.lasting.until == ends


async def test_a_refusal_says_which_rule(house: House) -> None:
    house.become(deny=(rule("six", reason="use seven"),))
    with pytest.raises(Withheld, match="use seven"):
        await house.world.get(house.file("1.16.0"), "")
