"""The policy in documents: what is left out of them, for how long, and what caches are told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mirror.ecosystems import packuments
from mirror.errors import Withheld
from mirror.model import Headers, Request
from mirror.reply import Reply
from mirror.web.shapes import shape
from tests.conftest import take
from tests.instruments.gated import DAY, JSON, SHORT, SIMPLE, WEEK, House, body, written
from tests.policy.builders import exemption, rule

pytestmark = pytest.mark.row(51)


async def asked(house: House, **fields: str) -> Reply:
    reply = await house.world.ask(house.page, "", **{"accept": SIMPLE if house.pypi else "application/json"} | fields)
    await take(reply)
    return reply


async def test_a_fresh_release_is_invisible_and_appears_without_any_change_upstream(house: House) -> None:
    """PROTOCOLS G.1."""
    house.become(min_age=WEEK)
    assert await house.versions() == ["1.16.0"]
    house.world.clock.wind(5 * DAY - 1)
    assert await house.versions() == ["1.16.0"]
    house.world.clock.wind(1)
    assert await house.versions() == ["1.16.0", "1.17.0"]


async def test_a_document_that_is_fresh_is_made_anew_when_something_matures(house: House) -> None:
    """PROTOCOLS G.1."""
    house.world.mirror = replace(house.world.mirror, ttl=30 * DAY)
    house.become(min_age=WEEK)
    assert await house.versions() == ["1.16.0"]
    await house.world.settled()
    house.world.clock.wind(5 * DAY)
    assert await house.versions() == ["1.16.0", "1.17.0"]
    assert house.world.origin.requests(house.page) == 1


async def test_another_policy_makes_another_document_of_what_is_stored(house: House) -> None:
    """PROTOCOLS G.1."""
    assert await house.versions() == ["1.16.0", "1.17.0"]
    house.become(min_age=WEEK)
    assert await house.versions() == ["1.16.0"]
    house.become(min_age=DAY)
    assert await house.versions() == ["1.16.0", "1.17.0"]


@pytest.mark.parametrize("form", ["text/html", "application/vnd.pypi.simple.v1+html", SIMPLE])
async def test_in_every_form_of_a_page(python: House, form: str) -> None:
    """PROTOCOLS G.2."""
    python.become(min_age=WEEK)
    got = await python.world.get("/simple/six/", "", accept=form)
    assert b"six-1.16.0" in got.body
    assert b"1.17.0" not in got.body


async def test_from_an_index_that_has_html_alone_nothing_is_dated(python: House) -> None:
    """PROTOCOLS G.pypi."""
    link = '<a href="/p/six-1.16.0-py3-none-any.whl">six-1.16.0-py3-none-any.whl</a>'
    python.world.origin.route("/simple/six/", headers=[("content-type", "text/html")], body=link.encode())
    python.become(min_age=WEEK)
    assert b"six-1.16.0" not in (await python.world.get("/simple/six/", "", accept="text/html")).body
    python.become(min_age=WEEK, dates="first-seen")
    assert b"six-1.16.0" not in (await python.world.get("/simple/six/", "", accept="text/html")).body
    python.world.clock.wind(WEEK)
    assert b"six-1.16.0" in (await python.world.get("/simple/six/", "", accept="text/html")).body


async def test_in_both_forms_of_a_packument_and_its_parts(npm: House) -> None:
    """PROTOCOLS G.2."""
    npm.become(min_age=WEEK)
    for accept in (SHORT, "application/json"):
        got = json.loads((await npm.world.get("/six", "", accept=accept)).body)
        assert [*got["versions"]] == ["1.16.0"]
        assert got["dist-tags"] == {"latest": "1.16.0"}
    assert "readme" not in json.loads((await npm.world.get("/six", "", accept=SHORT)).body)["versions"]["1.16.0"]
    assert json.loads((await npm.world.get("/-/package/six/dist-tags", "")).body) == {"latest": "1.16.0"}
    assert json.loads((await npm.world.get("/six/latest", "")).body)["version"] == "1.16.0"
    with pytest.raises(Withheld, match=r"six 1\.17\.0"):
        await npm.world.get("/six/1.17.0", "")


async def test_the_full_form_is_asked_for_whatever_the_client_wants(npm: House) -> None:
    """PROTOCOLS G.npm."""
    npm.become(min_age=WEEK)
    await npm.world.get("/six", "", accept=SHORT)
    await npm.given([npm.file("1.16.0")])
    await npm.world.get("/six", "")
    (record,) = [record for record in npm.world.origin.log if record.path == "/six"]
    assert dict(record.headers)["accept"] == "application/json"


async def test_the_legacy_document_speaks_of_the_newest_that_may_be_seen(python: House) -> None:
    """PROTOCOLS G.2, A.3.13."""
    now = python.world.clock()
    files = {
        version: [
            {
                "filename": f"six-{version}-py3-none-any.whl",
                "url": python.world.origin.url(f"/p/six-{version}-py3-none-any.whl"),
                "digests": {},
                "upload_time_iso_8601": written(now - days * DAY),
            }
        ]
        for version, days in (("1.16.0", 400), ("1.17.0", 2))
    }
    info = {"name": "six", "version": "1.17.0"}
    document = {"info": info, "releases": files, "urls": files["1.17.0"]}
    python.world.origin.route("/pypi/six/json", headers=JSON, body=json.dumps(document).encode())
    one = {"info": info, "urls": files["1.17.0"]}
    python.world.origin.route("/pypi/six/1.17.0/json", headers=JSON, body=json.dumps(one).encode())
    python.become(min_age=WEEK)
    got = json.loads((await python.world.get("/pypi/six/json", "")).body)
    assert (got["info"]["version"], [*got["releases"]]) == ("1.16.0", ["1.16.0"])
    with pytest.raises(Withheld):
        await python.world.get("/pypi/six/1.17.0/json", "")


class TestCaches:
    """PROTOCOLS G.1."""

    async def test_the_entity_tag_follows_what_may_be_seen(self, house: House) -> None:
        """PROTOCOLS G.1, I.general."""
        house.world.mirror = replace(house.world.mirror, ttl=30 * DAY)
        house.become(min_age=WEEK)
        tags = []
        for seconds in (0.0, 1.0, 5 * DAY):
            house.world.clock.wind(seconds)
            tags.append((await asked(house)).head.headers.get("etag"))
        assert tags[0] == tags[1] != tags[2]

    async def test_so_does_a_304(self, house: House) -> None:
        """PROTOCOLS G.1."""
        house.world.mirror = replace(house.world.mirror, ttl=30 * DAY)
        house.become(min_age=WEEK)
        tag = (await asked(house)).head.headers.get("etag") or ""
        assert await self._status(house, tag) == 304
        house.world.clock.wind(5 * DAY)
        assert await self._status(house, tag) == 200

    async def _status(self, house: House, tag: str) -> int:
        reply = await asked(house, if_none_match=tag)
        request = Request("GET", house.page, headers=Headers((("if-none-match", tag),)))
        return shape(reply, request, house.world.clock()).status

    async def test_clients_ask_again_each_time_and_a_prepared_reply_ends(self, house: House) -> None:
        """PROTOCOLS G.1."""
        house.world.mirror = replace(house.world.mirror, ttl=30 * DAY)
        house.become(min_age=WEEK)
        await asked(house)
        await house.world.settled()
        reply = await asked(house)
        assert reply.head.headers.get("cache-control") == "no-cache"
        assert reply.lasting is not None
        assert reply.lasting.until == house.world.clock() + 5 * DAY

    async def test_the_end_of_an_exemption_ends_it_too(self, house: House) -> None:
        """PROTOCOLS G.1."""
        until = house.world.clock() + 300
        house.become(min_age=WEEK, exempt=(exemption("six", until=until),))
        assert await house.versions() == ["1.16.0", "1.17.0"]
        await house.world.settled()
        lasting = (await asked(house)).lasting
        assert lasting is not None
        assert lasting.until == until
        house.world.clock.wind(300)
        assert await house.versions() == ["1.16.0"]


async def test_all_that_is_refused_is_told_why(npm: House) -> None:
    """PROTOCOLS G.8."""
    npm.become(deny=(rule("six", reason="use seven"),))
    with pytest.raises(Withheld, match="use seven") as caught:
        await npm.versions()
    assert caught.value.rule == "deny"


async def test_that_all_is_refused_is_found_out_once_until_something_matures(
    npm: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, rewritten = 0, packuments.rewritten

    def counted(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        return rewritten(*args, **more)

    monkeypatch.setattr(packuments, "rewritten", counted)
    npm.world.mirror = replace(npm.world.mirror, ttl=30 * DAY)
    npm.publish({"1.17.0": 2.0})
    npm.become(min_age=WEEK)
    for _ in range(3):
        with pytest.raises(Withheld, match="2 days old") as caught:
            await npm.versions()
        assert caught.value.rule == "cooldown"
        await npm.world.settled()
    assert calls == 1
    npm.world.clock.wind(5 * DAY)
    assert await npm.versions() == ["1.17.0"]


async def test_a_page_of_which_all_is_refused_has_no_files(python: House) -> None:
    python.become(deny=(rule("six"),))
    assert await python.versions() == []


async def test_what_a_document_shows_is_what_is_given(house: House) -> None:
    """FIELD T9, git-pkgs#239: filtered in the index, but served by its address."""
    house.publish({"1.0.0": 400.0, "1.1.0": None, "1.2.0": 6.9, "1.3.0": 7.0, "1.4.0": -1.0})
    house.become(min_age=WEEK, dates="first-seen")
    shown = await house.versions()
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"):
        if version in shown:
            assert (await house.world.get(house.file(version), "")).body == body(version)
        else:
            await house.refused(house.file(version))
    assert shown == ["1.0.0", "1.3.0"]
