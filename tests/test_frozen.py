"""Frozen time: `/{mirror}@DATE/` shows what there was then, for as long as anybody asks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from mirror import frozen
from mirror.errors import NotFound, RequestError, Unproven, Withheld
from mirror.mounts import Mounts
from mirror.operations import Operations, Selection
from tests.conftest import World
from tests.instruments.asof import Asked, asked_of, day
from tests.instruments.both import NAMES, ask
from tests.instruments.clock import eventually
from tests.instruments.gated import DAY, JSON, SHORT, body, house_of, written
from tests.policy.builders import advisory, rule

MAKE = Callable[..., World]


@pytest.fixture(params=["pypi", "npm"])
async def asked(request: pytest.FixtureRequest, make_world: MAKE) -> AsyncIterator[Asked]:
    async for each in asked_of(make_world(ecosystem=request.param)):
        yield each


@pytest.fixture
async def npm(make_world: MAKE) -> AsyncIterator[Asked]:
    async for each in asked_of(make_world(ecosystem="npm")):
        yield each


@pytest.fixture
async def python(make_world: MAKE) -> AsyncIterator[Asked]:
    async for each in asked_of(make_world(ecosystem="pypi")):
        yield each


async def test_a_document_is_as_of_its_day_and_the_plain_one_as_of_now(asked: Asked) -> None:
    for _ in range(2):
        assert await asked.versions() == ["1.16.0"]
        assert await asked.versions(date="") == ["1.16.0", "1.17.0"]
    assert await asked.versions(date=day(asked.house.world.clock())) == ["1.16.0", "1.17.0"]
    assert asked.house.world.origin.requests(asked.house.page) <= (1 if asked.house.pypi else 2)  # npm's two forms


async def test_a_month_later_it_is_the_same(asked: Asked) -> None:
    date = asked.date
    before = await asked.versions(date)
    asked.house.publish({"1.16.0": 400.0, "1.17.0": 2.0, "2.0.0": 0.0})
    asked.house.world.clock.wind(31 * DAY)
    assert await asked.versions(date="") == ["1.16.0", "1.17.0", "2.0.0"]
    assert await asked.versions(date) == before == ["1.16.0"]


async def test_what_upstream_removes_is_gone(asked: Asked) -> None:
    date = asked.date
    assert await asked.versions(date) == ["1.16.0"]
    asked.house.publish({"1.15.0": 800.0})
    asked.house.world.clock.wind(DAY)
    assert await asked.versions(date) == ["1.15.0"]


async def test_a_later_file_is_refused_with_the_reason_hot_or_not(asked: Asked) -> None:
    file = asked.house.file("1.17.0")
    for _ in range(4):
        assert (await asked.get(file, date=""))[2] == body("1.17.0")
        status, fields, text = await asked.get(file)
        told = json.loads(text)
        assert (status, fields["content-type"]) == (403, "application/problem+json")
        assert told["title"] == "Blocked by mirror policy"
        assert told["detail"] == told["error"]
        assert told["detail"].startswith("six 1.17.0 was published ")
        assert told["detail"].endswith(f"and this is the index as of {asked.date} (policy 'frozen')")


async def test_a_file_of_then_is_stored_once_and_becomes_hot(asked: Asked) -> None:
    file = asked.house.file("1.16.0")
    for _ in range(4):
        assert (await asked.get(file))[2] == body("1.16.0")
    assert (await asked.get(file, date=""))[2] == body("1.16.0")
    assert asked.house.world.origin.requests(file.replace("/files", "")) == 1
    assert [b"@" in head.split(b"\r\n")[0] for _, head in asked.listener.hot._order] == [True]


async def test_what_is_hot_ends_with_the_rules_by_which_it_was_given(asked: Asked) -> None:
    file, before = asked.house.file("1.16.0"), asked.date
    for _ in range(4):
        assert (await asked.get(file))[0] == 200
    asked.become(deny=(rule("six"),))
    assert (await asked.get(file))[0] == 403
    asked.become(min_age=500 * DAY)
    assert b"cooldown" in (await asked.get(file))[2]
    ecosystem = {"pypi": "PyPI", "npm": "npm"}[asked.house.world.ecosystem]
    asked.become(advisory("six", name="MAL-1", ecosystem=ecosystem, versions=["1.16.0"]))
    assert b"MAL-1" in (await asked.get(file, date=before))[2]


async def test_another_policy_makes_another_document_of_that_day(asked: Asked) -> None:
    today = day(asked.house.world.clock())
    assert await asked.versions(today) == ["1.16.0", "1.17.0"]
    asked.become(deny=(rule("six", ecosystem=asked.house.world.ecosystem, versions="1.16.0"),))
    assert await asked.versions(today) == ["1.17.0"]


async def test_what_got_through_is_not_looked_up_again_though_two_days_are_asked_for(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.become(min_age=DAY)
    file, dates = asked.house.file("1.16.0"), ("", asked.date, day(asked.house.world.clock()))
    for date in dates * 2:  # what the first one learns is news to what it found out before
        assert (await asked.get(file, date=date))[0] == 200

    async def never(*_: object, **__: object) -> None:
        raise AssertionError("the facts were read")

    monkeypatch.setattr(asked.house.world.engine._lookups, "about", never)
    for date in dates:
        assert (await asked.get(file, "x-other: 1", date=date))[0] == 200


async def test_a_lock_files_entry_for_what_stands_beside_is_refused_too(python: Asked) -> None:
    name = "six-{}-py3-none-any.whl"
    for path in ("/files/p/" + name + ".metadata", "/integrity/six/{0}/" + name.replace("{}", "{0}") + "/provenance"):
        assert (await python.get(path.format("1.16.0")))[0] == 200
        assert (await python.get(path.format("1.17.0")))[0] == 403


async def test_addresses_in_a_page_stay_below_the_day(python: Asked) -> None:
    (file,) = (await python.document())["files"]
    assert file["url"].startswith("../../files/")
    status, fields, _ = await python.get("/simple/Six")
    assert (status, fields["location"]) == (301, f"/o@{python.date}/simple/six/")
    html = (await python.get("/simple/six/", "accept: text/html"))[2]
    assert (b"six-1.16.0" in html, b"six-1.17.0" in html) == (True, False)


async def test_addresses_in_a_packument_stay_below_the_day(npm: Asked) -> None:
    for accept in (SHORT, "application/json"):
        document = await npm.document(accept=accept)
        assert f"/o@{npm.date}/six/-/six-1.16.0.tgz" in document["versions"]["1.16.0"]["dist"]["tarball"]


async def test_tags_and_dates_agree_with_the_versions(npm: Asked) -> None:
    document = await npm.document()
    assert document["dist-tags"] == {"latest": "1.16.0"}
    assert [*document["time"]] == ["1.16.0"]
    assert (await npm.document("/six/latest"))["version"] == "1.16.0"
    assert await npm.document("/-/package/six/dist-tags") == {"latest": "1.16.0"}
    assert (await npm.get("/six/1.17.0"))[0] == 403


async def test_modified_is_when_the_last_version_of_then_was_published(npm: Asked) -> None:
    now = npm.house.world.clock()
    times = {"modified": written(now), "1.16.0": written(now - 400 * DAY), "1.17.0": written(now - 2 * DAY)}
    versions = {v: {"name": "six", "version": v, "dist": {}} for v in ("1.16.0", "1.17.0")}
    document = {"name": "six", "modified": written(now), "versions": versions, "time": times}
    npm.house.world.origin.route("/six", headers=JSON, body=json.dumps(document).encode())
    found = await npm.document()
    assert found["time"] == {"modified": times["1.16.0"], "1.16.0": times["1.16.0"]}
    assert found["modified"] == (await npm.document(accept=SHORT))["modified"] == times["1.16.0"]


async def test_npms_full_form_is_fetched_though_there_is_no_policy(npm: Asked) -> None:
    await npm.document(accept=SHORT)
    (record,) = [record for record in npm.house.world.origin.log if record.path == "/six"]
    assert dict(record.headers)["accept"] == "application/json"


async def test_of_what_did_not_exist_then_nothing_is_there(asked: Asked) -> None:
    asked.house.publish({"1.17.0": 2.0})
    if asked.house.pypi:
        assert await asked.versions() == []
    else:
        status, _, text = await asked.get("/six")
        assert status == 403
        assert "1.17.0 was published" in json.loads(text)["error"]


async def test_a_wrong_day_is_told_as_a_problem(asked: Asked) -> None:
    for date, why in (("2026-13-01", "is no day"), ("2999-01-01", "in the future"), ("@", "is no day")):
        status, fields, text = await asked.get(asked.house.page, date=date)
        assert (status, fields["content-type"]) == (404, "application/problem+json")
        assert why in json.loads(text)["detail"]


async def test_the_at_sign_may_be_encoded(asked: Asked) -> None:
    (answer,) = await asked.listener.talk(ask(f"/o%40{asked.date}{asked.house.file('1.17.0')}"))
    assert answer.startswith(b"HTTP/1.1 403 ")


async def test_it_counts_to_the_mirror_itself(asked: Asked) -> None:
    await asked.get(asked.house.file("1.16.0"))
    await asked.get(asked.house.file("1.17.0"))
    assert sum(asked.counters.totals()["o"].requests.values()) == 2


async def test_who_has_to_show_a_token_has_to_here(asked: Asked) -> None:
    mirrors = (replace(asked.house.world.mirror, access="token"),)
    asked.proxy.become(mirrors, NAMES, Mounts(mirrors))
    assert (await asked.get(asked.house.file("1.16.0")))[0] == Unproven.status


class TestOperations:
    async def test_explain_tells_what_becomes_of_it(self, asked: Asked) -> None:
        operations = self.operations(asked)
        await asked.versions()
        url = f"/o@{asked.date}{asked.house.file('1.17.0')}"
        found = await operations.explain(url)
        assert (found.url, found.mirror.name) == (url, "o")
        assert found.verdict is not None
        assert found.verdict.rule == "frozen"
        assert isinstance(found.error, str)
        with pytest.raises(NotFound, match="future"):
            await operations.explain("/o@2999-01-01/x")

    async def test_warm_has_it_stored(self, asked: Asked) -> None:
        operations = self.operations(asked)
        file = asked.house.file("1.16.0")
        job = operations.warm([f"/o@{asked.date}{file}", f"/o@{asked.date}{asked.house.file('1.17.0')}"])
        await eventually(lambda: job.state != "running")
        assert job.result is not None
        assert (job.result["fetched"], job.failed) == (1, 1)
        assert "as of" in job.failures[0][1]
        assert await asked.house.world.index.get(f"/o{file}")
        await operations.jobs.close()

    async def test_purge_by_its_address_removes_what_is_stored_for_all_days(self, asked: Asked) -> None:
        await asked.versions()
        purged = await self.operations(asked).purge(Selection(urls=(f"/o@{asked.date}{asked.house.page}",)))
        assert purged.purged == 1
        with pytest.raises(RequestError, match="is no day"):
            await self.operations(asked).purge(Selection(urls=("/o@then/x",)))

    def operations(self, asked: Asked) -> Operations:
        world = asked.house.world
        return Operations(world.store, world.index, world.fills, (world.mirror,), around=world.around)


async def test_the_engine_refuses_it_as_withheld(make_world: MAKE) -> None:
    async with house_of(make_world(ecosystem="pypi")) as house:
        house.world.mirror = frozen.as_of(house.world.mirror, day(house.world.clock() - 30 * DAY), house.world.clock())
        with pytest.raises(Withheld) as caught:
            await house.world.get(house.file("1.17.0"), "")
        assert caught.value.rule == "frozen"


async def test_a_search_tells_of_what_there_was(npm: Asked) -> None:
    """PROTOCOLS G.2: what it names is what clients ask for."""
    world, origin = npm.house.world, npm.house.world.origin
    now = world.clock()
    world.mirror = replace(world.mirror, upstreams=(origin.url("/r"),))
    npm.proxy.become((world.mirror,), NAMES, Mounts((world.mirror,)))
    found = [{"package": {"name": name, "version": "1.0.0", "date": written(now - days * DAY)}}
             for name, days in (("new", 2), ("old", 400))]  # fmt: skip
    origin.route("/r/-/v1/search", headers=JSON, body=json.dumps({"objects": found, "total": 2}).encode())

    async def told(date: str | None) -> dict[str, str | None]:
        document = await npm.document("/-/v1/search?text=x", "application/json", date)
        return {each["package"]["name"]: each["package"].get("version") for each in document["objects"]}

    assert await told("") == {"new": "1.0.0", "old": "1.0.0"}
    assert await told(None) == {"new": None, "old": "1.0.0"}
