"""npm's documents through a mirror (B.3.1-5): two forms at one address, our addresses in them, versions and tags."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from tests.e2e.npm_house import YARN, Place, Town, problem
from tests.instruments.npm_faults import FAULTS
from tests.instruments.npm_registry import KEYS
from tests.instruments.npm_world import CORGI, JSON, SHORT, SHORT_VERSION, WORLD, short

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOOLS = "/@acme%2ftools"
THEIR_TAG = re.compile('(W/)?"[0-9a-f]{32}"')
REWRITTEN = (TOOLS, f"{TOOLS}/1.1.0")
PACKAGES = sorted({version.package for version in WORLD})


def listed(value: str | None) -> set[str]:
    return {part.strip().lower() for part in (value or "").split(",")}


async def test_every_spelling_of_a_scope_is_one_document_asked_for_once(place: Place) -> None:
    spelled = ("/@acme%2ftools", "/@acme%2Ftools", "/@acme/tools", "/%40acme%2ftools")
    found = [(await place.ask(path)).body for path in spelled]
    assert json.loads(found[0]) == place.ours("@acme/tools")
    assert len(set(found)) == 1
    assert place.registry.asked(TOOLS) == 1


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("accept: */*",),
        ("accept: application/json",),
        (f"accept: {CORGI};q=0",),
        (f"accept: {CORGI};q=0.5, application/json",),
        ("accept: text/html", "accept: application/json"),
    ],
)
async def test_who_does_not_prefer_the_abbreviated_form_gets_the_full_one(place: Place, fields: tuple[str]) -> None:
    heard = await place.ask(TOOLS, *fields)
    assert json.loads(heard.body) == place.ours("@acme/tools")
    assert heard.fields.get("content-type") == JSON
    assert {"accept", "accept-encoding"} <= listed(heard.fields.get("vary"))


@pytest.mark.parametrize("fields", [(YARN,), (f"accept: {CORGI}",), ("accept: text/plain;q=0.1", f"accept: {CORGI}")])
async def test_who_prefers_the_abbreviated_form_gets_it_also_from_a_full_one(place: Place, fields: tuple[str]) -> None:
    for package in ("@acme/tools", "built", "app", "plain"):
        heard = await place.ask("/" + package.replace("/", "%2f"), *fields)
        assert heard.fields.get("content-type") == CORGI
        assert {"accept", "accept-encoding"} <= listed(heard.fields.get("vary"))
        found, expected = json.loads(heard.body), short(place.ours(package))
        assert found.keys() <= SHORT
        assert {name: value for name, value in found.items() if name != "versions"} == {
            name: value for name, value in expected.items() if name != "versions"
        }
        for number, manifest in expected["versions"].items():
            assert found["versions"][number].keys() <= SHORT_VERSION
            assert manifest.items() <= found["versions"][number].items()
        assert found["versions"].keys() == expected["versions"].keys()


async def test_the_two_forms_stay_apart_whatever_is_asked_first_and_validated(town: Town) -> None:
    for kind, order in (("real", (YARN, "")), ("real", ("", YARN)), ("poor", (YARN, "")), ("poor", ("", YARN))):
        place = town.place(kind, stale=True)
        for accept in order * 3:  # from the second time on the real one says 304, without Accept in Vary
            heard = await place.ask(TOOLS, *([accept] if accept else []))
            assert heard.fields.get("content-type") == (CORGI if accept else JSON)
            assert ("readme" in json.loads(heard.body)) == (not accept)
            assert {"accept", "accept-encoding"} <= listed(heard.fields.get("vary"))
        assert place.registry.asked(TOOLS) > 2


async def test_tarballs_have_the_usual_address_below_the_mount_or_their_own_name(place: Place) -> None:
    for package in PACKAGES:
        document = await place.document("/" + package.replace("/", "%2f"))
        for number, manifest in document["versions"].items():
            usual = f"{place.url}/{package}/-/{package.rpartition('/')[2]}-{number}.tgz"
            expected = f"{place.url}/legacy/-/legacy-v1.tgz" if package == "legacy" else usual
            assert manifest["dist"]["tarball"] == expected


async def test_attestations_keep_the_mounts_prefix_and_are_there(place: Place) -> None:
    document = await place.document(TOOLS, YARN)
    dist = document["versions"]["1.1.0"]["dist"]
    url = dist["attestations"]["url"]
    assert url.startswith(f"{place.url}/-/npm/v1/attestations/")
    assert dist["signatures"] == [{"keyid": "SHA256:world", "sig": "MEUCIQDworld"}]
    heard = await place.ask(url.removeprefix(place.url))
    if place.registry.real:
        assert json.loads(heard.body)["attestations"][0]["bundle"] == "@acme/tools@1.1.0"
    else:
        assert heard.status == 404
        problem(heard)


@pytest.mark.parametrize("name", ["1.0.0", "1.1.0", "2.0.0-beta.1", "latest", "next"])
async def test_a_version_or_tag_is_one_manifest_with_our_addresses(place: Place, name: str) -> None:
    ours = place.ours("@acme/tools")
    expected = ours["versions"][ours["dist-tags"].get(name, name)]
    for spelled in (TOOLS, "/@acme/tools"):
        assert await place.document(f"{spelled}/{name}") == expected


async def test_a_version_that_is_not_there_is_a_404_that_says_so(place: Place) -> None:
    for path in (f"{TOOLS}/9.9.9", "/plain/nowhere", "/missing", "/@acme%2fmissing", "/@acme/missing/1.0.0"):
        heard = await place.ask(path)
        assert heard.status == 404, path
        problem(heard)
        assert (await place.ask(path, YARN)).status == 404


async def test_tags_are_a_document_of_their_own(place: Place) -> None:
    expected = {"latest": "1.1.0", "next": "2.0.0-beta.1"}
    for spelled in ("@acme%2ftools", "@acme%2Ftools", "@acme/tools"):
        assert await place.document(f"/-/package/{spelled}/dist-tags") == expected
    assert await place.document("/-/package/plain/dist-tags") == {"latest": "1.0.0"}


async def test_keys_and_search_are_the_registrys_or_a_404_that_says_so(place: Place) -> None:
    query = "/-/v1/search?text=a+b&size=20&from=0&quality=0.65&popularity=0.98&maintenance=0.5"
    keys, found = await place.ask("/-/npm/v1/keys"), await place.ask(query)
    if not place.registry.real:
        assert (keys.status, found.status) == (404, 404)
        problem(keys)
        problem(found)
        return
    assert json.loads(keys.body) == KEYS
    said = json.loads(found.body)
    assert said["asked"] == query.partition("?")[2]
    assert said["objects"][0]["package"]["links"]["npm"] == f"{place.registry.url}/app"
    assert json.loads((await place.ask(query)).body) == said
    assert (place.registry.asked("/-/v1/search"), place.registry.asked("/-/npm/v1/keys")) == (1, 1)


async def test_nothing_of_the_upstreams_own_is_handed_on(place: Place) -> None:
    for path in (*REWRITTEN, "/plain/-/plain-1.0.0.tgz", "/-/package/plain/dist-tags", "/-/npm/v1/keys"):
        for _ in range(2):
            heard = await place.ask(path, YARN)
            assert "set-cookie" not in heard.fields, path
            assert heard.fields.get("location") is None
            assert not THEIR_TAG.fullmatch(heard.fields.get("etag") or "") or path not in REWRITTEN


async def test_gzip_is_the_same_document_under_another_tag(place: Place) -> None:
    plain, packed = await place.ask(TOOLS), await place.ask(TOOLS, "accept-encoding: gzip, deflate")
    assert packed.fields.get("content-encoding") == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert "content-encoding" not in plain.fields
    one, two = plain.fields.get("etag"), packed.fields.get("etag")
    assert one
    assert two
    assert one != two or one.startswith("W/")
    assert (await place.ask(TOOLS, f"if-none-match: {two}", "accept-encoding: gzip")).status == 304


@pytest.mark.row(8, at="npm: documents fetched again, the upstream's tag flips")
async def test_a_validator_of_ours_outlives_a_header_of_theirs(town: Town) -> None:
    for kind in ("real", "poor"):
        place = town.place(kind, stale=True)
        place.registry.befall(TOOLS, FAULTS["etag flips"], -1)
        first = (await place.ask(TOOLS)).fields.get("etag")
        again = await place.ask(TOOLS, f"if-none-match: {first}")
        assert (again.status, again.fields.get("etag")) == (304, first)
        assert place.registry.asked(TOOLS) == 2
