"""What the policy has to do by PROTOCOLS G and I, seen from outside: tests/policy/acceptance.toml has the lines."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from mirror.errors import NotFound, Withheld
from mirror.model import Request
from mirror.reply import Reply
from tests.conftest import take
from tests.instruments.answers import Response
from tests.instruments.gated import DAY, JSON, SHORT, SIMPLE, WEEK, House, body, written
from tests.policy.builders import exemption

pytestmark = pytest.mark.row(51)


async def document(house: House, **fields: str) -> Any:
    accept = SIMPLE if house.pypi else "application/json"
    return json.loads((await house.world.get(house.page, "", **{"accept": accept} | fields)).body)


async def replied(house: House) -> Reply:
    reply = await house.world.ask(house.page, "", accept=SIMPLE if house.pypi else "application/json")
    await take(reply)
    return reply


def listed(python: House, name: str, days: float | None, **more: Any) -> dict[str, Any]:
    """A file of a page, and the file itself."""
    origin = python.world.origin
    origin.route(f"/p/{name}", body=body(name))
    file = {"filename": name, "url": origin.url(f"/p/{name}")} | more
    file["hashes"] = {"sha256": hashlib.sha256(body(name)).hexdigest()}
    return file if days is None else file | {"upload-time": written(python.world.clock() - days * DAY)}


def paged(python: House, versions: list[str], *files: dict[str, Any], **more: Any) -> None:
    """From now on this is the project's page."""
    page = {"meta": {"api-version": "1.4"}, "name": "six", "files": files, "versions": versions} | more
    python.world.origin.route("/simple/six/", headers=[("content-type", SIMPLE)], body=json.dumps(page).encode())


class TestPython:
    async def test_a_wheel_that_is_added_today_to_an_old_release_is_held_alone(self, python: House) -> None:
        """G.pypi, G.3, I.pypi: cooldown per file, at every door; the old files stay, and so does the version."""
        old, new = "six-1.16.0-py2-none-any.whl", "six-1.16.0-py3-none-any.whl"
        paged(python, ["1.16.0"], listed(python, old, 900), listed(python, new, 0.1))
        python.become(min_age=WEEK)
        shown = await document(python)
        assert ([each["filename"] for each in shown["files"]], shown["versions"]) == ([old], ["1.16.0"])
        await python.refused(f"/files/p/{new}", f"/files/p/{new}.metadata")
        assert (await python.world.get(f"/files/p/{old}", "")).body == body(old)

    async def test_a_page_lists_no_version_without_files_and_no_file_without_its_time(self, python: House) -> None:
        """G.3, G.9, I.pypi: versions go with their last file, and what is left has its upload-time."""
        files = [
            listed(python, f"six-{version}.tar.gz", days) for version, days in (("1.0", 90), ("2.0", 1), ("3.0", 8))
        ]
        paged(python, ["1.0", "2.0", "3.0"], *files)
        python.become(min_age=WEEK)
        shown = await document(python)
        assert shown["versions"] == ["1.0", "3.0"]
        assert [each["upload-time"] for each in shown["files"]] == [files[0]["upload-time"], files[2]["upload-time"]]

    async def test_a_project_of_which_all_is_too_new_is_a_page_without_files(self, python: House) -> None:
        """I.pypi: the all-filtered project is 200 and empty (a 404 sends uv to the next index), its files 403."""
        python.publish({"1.17.0": 2.0})
        python.become(min_age=WEEK)
        for form in (SIMPLE, "text/html"):
            got = await python.world.get(python.page, "", accept=form)
            assert (got.reply.head.status, b"six-1" in got.body) == (200, False)
        assert (await python.refused(python.file("1.17.0"))).status == 403

    async def test_a_yank_and_a_quarantine_are_never_hidden(self, python: House) -> None:
        """G.3, I.pypi: neither by what is left out beside them, nor when the yank comes after the file has matured."""
        paged(python, ["1.0", "2.0"], listed(python, "six-1.0.tar.gz", 90), listed(python, "six-2.0.tar.gz", 1))
        python.become(min_age=WEEK)
        await document(python)
        yanked = listed(python, "six-1.0.tar.gz", 90, yanked="stolen")
        paged(python, ["1.0", "2.0"], yanked, listed(python, "six-2.0.tar.gz", 1))
        python.world.clock.wind(1000)
        (file,) = (await document(python))["files"]
        assert file["yanked"] == "stolen"
        paged(python, ["1.0"], **{"project-status": {"status": "quarantined", "reason": "stolen"}})
        python.world.clock.wind(1000)
        shown = await document(python)
        assert (shown["project-status"]["status"], shown["files"]) == ("quarantined", [])


# What is published (days ago), the tags, and what they are once the cooldown of a week has left out the newest.
TAGS: dict[str, tuple[dict[str, float | None], dict[str, str], dict[str, str]]] = {
    "back-port major published later": (
        {"1.9.9": 8, "2.0.0": 30, "2.1.0": 1},
        {"latest": "2.1.0"},
        {"latest": "2.0.0"},
    ),
    "prerelease highest": (
        {"1.0.0": 90, "2.0.0-rc.1": 30, "2.0.0": 1},
        {"latest": "2.0.0", "next": "2.0.0-rc.1"},
        {"latest": "1.0.0", "next": "2.0.0-rc.1"},
    ),
    "tag of removed version": (
        {"1.0.0": 90, "2.0.0-beta.1": 30, "2.0.0-beta.2": 1, "3.0.0-dev.1": 1},
        {"latest": "1.0.0", "beta": "2.0.0-beta.2", "dev": "3.0.0-dev.1"},
        {"latest": "1.0.0", "beta": "2.0.0-beta.1"},
    ),
}


class TestTags:
    def _published(self, npm: House, days: dict[str, float | None], tags: dict[str, str]) -> None:
        npm.publish(days)
        respond = npm.world.origin._routes["/six"].respond
        told = json.loads(respond(Request("GET", "/six")).body)  # type: ignore[union-attr]
        npm.world.origin.route("/six", headers=JSON, body=json.dumps(told | {"dist-tags": tags}).encode())

    @pytest.mark.parametrize("case", TAGS)
    async def test_tags_move_or_go_with_the_version_that_they_named(self, npm: House, case: str) -> None:
        """G.4, B.3.10, I.npm: in both forms, in the tags' own document, and at `/six/<tag>`."""
        days, tags, expected = TAGS[case]
        self._published(npm, days, tags)
        npm.become(min_age=WEEK)
        for accept in ("application/json", SHORT):
            assert (await document(npm, accept=accept))["dist-tags"] == expected
        assert json.loads((await npm.world.get("/-/package/six/dist-tags", "")).body) == expected
        for tag in tags:
            if tag in expected:
                assert json.loads((await npm.world.get(f"/six/{tag}", "")).body)["version"] == expected[tag]
            else:
                await npm.refused(f"/six/{tag}")

    async def test_everything_filtered_is_refused_with_the_reason(self, npm: House) -> None:
        """G.8, B.3.10, I.npm: 403, for npm takes a 404 for a package that does not exist."""
        npm.publish({"1.0.0": 1, "1.1.0": 1})
        npm.become(min_age=WEEK)
        for path in ("/six", "/-/package/six/dist-tags", "/six/latest"):
            error = await npm.refused(path)
            assert (error.status, error.rule, error.until) == (403, "cooldown", npm.world.clock() + 6 * DAY)


class TestUnknown:
    async def test_an_unknown_version_has_the_index_asked_once(self, house: House) -> None:
        """G.2, I.npm: what is asked for by its address and stands in no index yet is looked for there, once."""
        house.become(min_age=WEEK)
        await house.versions()
        house.publish({"1.16.0": 400, "1.17.0": 2, "1.15.0": 500, "1.18.0": 0.1})
        house.world.clock.wind(60)
        assert (await house.world.get(house.file("1.15.0"), "")).body == body("1.15.0")
        await house.refused(house.file("1.18.0"))
        for _ in range(3):
            with pytest.raises(NotFound):
                await house.world.get(house.file("9.9.9"), "")
        assert house.world.origin.requests(house.page) == 2

    async def test_an_index_without_dates_has_them_from_the_mirror(self, house: House) -> None:
        """G.10, uv#12449, pnpm#9963: clients' own limits find dates in what is left, and they are marked as ours."""
        house.publish({"1.16.0": None, "1.17.0": None})
        began = house.world.clock()
        house.become(min_age=WEEK, dates="first-seen")
        await self._nothing(house)
        house.world.clock.wind(WEEK)
        told = await document(house)
        if house.pypi:
            dates = [each["upload-time"] for each in told["files"]]
            assert told["_mirror-first-seen"] == [each["filename"] for each in told["files"]]
        else:
            dates = [told["time"][version] for version in told["versions"]]
            assert "_mirror" in told
        assert dates == [written(began).replace("Z", ".000Z")] * 2

    async def _nothing(self, house: House) -> None:
        """Its index is read, and nothing of it is given."""
        if house.pypi:
            assert await house.versions() == []
        else:
            await house.refused(house.page)

    async def test_a_packument_without_times_is_not_held_for_ever(self, npm: House) -> None:
        """B.3.13, git-pkgs#297: every version was quarantined, and there was no way out. Here: first-seen, or pass, or
        an exemption; and the reason says what is not known."""
        npm.publish({"1.16.0": None, "1.17.0": None})
        npm.become(min_age=WEEK)
        with pytest.raises(Withheld, match=r"when six .* was published is not known"):
            await npm.versions()
        for more in ({"unknown": "pass"}, {"exempt": (exemption("six", until=npm.world.clock() + DAY),)}):
            npm.become(min_age=WEEK, **more)
            assert await npm.versions() == ["1.16.0", "1.17.0"]
            await npm.given([npm.file("1.17.0")])


class TestCaches:
    async def test_the_entity_tag_does_not_change_with_the_upstreams_alone(self, house: House) -> None:
        """G.1, I.general: the digest of our bytes, not the upstream's header."""
        house.become(min_age=WEEK)
        respond = house.world.origin._routes[house.page].respond
        tags = set()
        for number in range(2):
            told = respond(Request("GET", house.page))
            assert isinstance(told, Response)
            changed = replace(told, headers=[*told.headers, ("etag", f'"{number}"'), ("x-served-by", f"{number}")])
            house.world.origin.route(house.page, body=lambda _, shown=changed: shown)
            house.world.clock.wind(1000)
            reply = await replied(house)
            assert not reply.outcome.hit
            tags.add(reply.head.headers.get("etag"))
        assert len(tags) == 1

    async def test_a_304_of_the_upstream_does_not_keep_back_what_has_matured(self, house: House) -> None:
        """G.1: versions mature without any change upstream, so its 304 says nothing of what may be seen."""
        respond = house.world.origin._routes[house.page].respond

        def conditional(request: Request) -> Response:
            told = respond(request)
            assert isinstance(told, Response)
            same = request.headers.get("if-none-match") == '"same"'
            return (
                Response(304, [("etag", '"same"')])
                if same
                else replace(told, headers=[*told.headers, ("etag", '"same"')])
            )

        house.world.origin.route(house.page, body=conditional)
        house.become(min_age=WEEK)
        assert await house.versions() == ["1.16.0"]
        house.world.clock.wind(5 * DAY)
        assert await house.versions() == ["1.16.0", "1.17.0"]
        await house.world.settled()
        assert [record.status for record in house.world.origin.log][-1] == 304
