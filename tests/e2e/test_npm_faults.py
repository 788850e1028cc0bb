"""Each fault of a registry: nothing wrong is stored, no client takes it for right, the next request is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e import npm_house
from tests.e2e.node_clients import NPM, Project, needed
from tests.e2e.npm_house import YARN, Place, Town, problem
from tests.instruments.call import Heard
from tests.instruments.npm_faults import redirected
from tests.instruments.npm_registry import Registry
from tests.instruments.npm_world import INSTALLED, WORLD, Version
from tests.instruments.origin import Origin
from tests.instruments.server import served

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROKEN = ["cut", "cut within chunks", "cut without any length", "reset", "closed before the head"]
WRONG = ["html 200", "html 200, said to be right", "empty 200"]
REFUSED = ["429", "500"]
AT_ONCE = ["closed before the head", "html 200", *REFUSED]  # no byte of such an answer can have been handed on
HARMLESS = ["slow drip", "etag flips"]
TOOLS = next(version for version in WORLD if version.name == "@acme/tools@1.1.0")
OLD = next(version for version in WORLD if version.name == "plain@1.0.0")  # its sha1 alone is known


async def asked(place: Place, path: str, *fields: str) -> Heard | None:
    """None where there was no answer, or none that ended as it said."""
    try:
        heard = await place.ask(path, *fields)
    except ConnectionError:
        return None
    return heard if heard.whole and not heard.reset else None


def failed(heard: Heard | None) -> bool:
    """True where a client sees that something went wrong: broken off, 429, or 5xx."""
    return heard is None or heard.status in (429, 500, 502, 503, 504)


@pytest.mark.row(3, at="npm: documents")
@pytest.mark.parametrize("accept", [YARN, "accept: application/json"], ids=["short", "full"])
@pytest.mark.parametrize("fault", [*BROKEN, *WRONG, *REFUSED, *HARMLESS])
async def test_a_packument(place: Place, fault: str, accept: str) -> None:
    place.befall("/@acme%2ftools", fault)
    heard = await asked(place, "/@acme%2ftools", accept)
    if fault in HARMLESS:
        assert heard is not None
    if heard is not None and heard.status == 200:
        assert json.loads(heard.body)["versions"].keys() == place.ours("@acme/tools")["versions"].keys()
    else:
        assert failed(heard), heard
    await right_from_now_on(place)


@pytest.mark.row(3, 7, at="npm: each fault once, with the digest and in the length")
@pytest.mark.parametrize("version", [TOOLS, OLD], ids=["sha512", "sha1"])
@pytest.mark.parametrize("fault", [*BROKEN, *WRONG, *REFUSED, *HARMLESS, "wrong digest", "gzip label"])
async def test_a_tarball(place: Place, fault: str, version: Version) -> None:
    place.befall(version.path, fault)
    heard = await asked(place, version.path)
    if fault in HARMLESS:
        assert heard is not None
    if heard is not None and heard.status == 200:
        assert heard.body == version.tarball
        assert "content-encoding" not in heard.fields
    else:
        assert failed(heard), heard
    for _ in range(2):
        heard = await place.ask(version.path)
        assert (heard.status, heard.whole, len(heard.body)) == (200, True, len(version.tarball))
        assert heard.body == version.tarball
        assert "content-encoding" not in heard.fields
    assert place.registry.asked(version.path) <= 2


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_refusal_says_when_to_come_again_and_never_that_there_is_nothing(place: Place, fault: str) -> None:
    for path in ("/plain", OLD.path):
        place.befall(path, fault)
        heard = await place.ask(path)
        assert heard.status in ((429, 503) if fault == "429" else (502, 503, 504))  # H.2
        assert heard.fields.get("retry-after")


@pytest.mark.parametrize("path", ["/plain/1.0.0", "/-/package/plain/dist-tags", "/-/npm/v1/keys", "/-/v1/search"])
@pytest.mark.parametrize("fault", [*BROKEN, *WRONG, *REFUSED])
async def test_the_registrys_other_documents(town: Town, path: str, fault: str) -> None:
    place = town.place("real")
    right = json.loads((await town.place("real").ask(path)).body)
    place.befall(path, fault)
    heard = await asked(place, path)
    assert failed(heard) or heard.body.endswith(b"}"), heard
    again = await place.ask(path)
    assert (again.status, again.whole, again.body[-1:]) == (200, True, b"}")
    assert json.loads(again.body).keys() == right.keys()


@pytest.mark.row(18, at="npm: faults, 500 and silence: the last good copy; the time is not taken")
@pytest.mark.parametrize("fault", [*BROKEN, *WRONG, *REFUSED])
@pytest.mark.parametrize("kind", ["real", "poor"])
async def test_the_last_good_copy_outlives_the_fault(town: Town, kind: str, fault: str) -> None:
    place = town.place(kind, stale=True)
    good = {accept: (await place.ask("/@acme%2ftools", accept)).body for accept in (YARN, "accept: */*")}
    place.registry.publish(Version("@acme/tools", "1.2.0"), "latest")  # so that no 304 hides the fault
    place.befall("/@acme%2ftools", fault, -1)
    for accept, body in good.items():
        heard = await asked(place, "/@acme%2ftools", accept)
        stale = heard is not None and heard.fields.get("x-cache") == "STALE" and heard.body == body
        assert stale if fault in AT_ONCE else stale or failed(heard), heard
    place.befall("/@acme%2ftools", "500", -1)
    for accept, body in good.items():
        heard = await place.ask("/@acme%2ftools", accept)
        assert (heard.status, heard.body, heard.fields.get("x-cache")) == (200, body, "STALE")
    place.befall("/@acme%2ftools", "slow drip", 0)
    if fault != "429":  # that it asked to be left alone for
        await right_from_now_on(place)


@pytest.mark.row(18, at="npm: faults, 500 and silence: the last good copy; the time is not taken")
async def test_who_waits_for_a_silent_upstream_gets_the_last_good_copy_or_a_failure(tmp_path: Path) -> None:
    async with Origin() as origin:
        upstream = 'retries = 0\nhead_timeout = "0.5s"'
        with served(tmp_path / "mirror", npm_house.config(origin, 1, upstream)) as server:
            place = Place(server, Registry(origin, "real", "/s0"))
            good = await place.ask("/plain")
            assert good.status == 200
            for path in ("/plain", "/app", OLD.path):
                place.befall(path, "silence", -1)
            stale = await place.ask("/plain")
            assert (stale.body, stale.fields.get("x-cache")) == (good.body, "STALE")
            for path in ("/app", OLD.path):
                heard = await place.ask(path)
                assert heard.status in (502, 503, 504)
                problem(heard)


async def test_what_was_taken_back_is_gone_also_while_the_upstream_fails(town: Town) -> None:
    for kind in ("real", "poor"):
        place = town.place(kind, stale=True)
        assert (await place.ask("/plain")).status == 200
        place.befall("/plain", "gone")
        assert (await place.ask("/plain")).status == 404
        place.befall("/plain", "500")
        assert (await place.ask("/plain")).status != 200


async def right_from_now_on(place: Place) -> None:
    for accept in (YARN, "accept: application/json"):
        found = await place.document("/@acme%2ftools", accept)
        ours = place.ours("@acme/tools")
        assert {number: manifest["dist"] for number, manifest in found["versions"].items()} == {
            number: manifest["dist"] for number, manifest in ours["versions"].items()
        }
        assert found["dist-tags"] == ours["dist-tags"]


@pytest.mark.parametrize("kind", ["real", "poor"])
async def test_npm_installs_from_a_registry_that_fails_once_everywhere(kind: str, tmp_path: Path) -> None:
    needed("npm")
    async with Origin() as origin:
        with served(tmp_path / "mirror", npm_house.config(origin, 1, upstream="")) as server:
            place = Place(server, Registry(origin, kind, "/n0"))
            faults = [*BROKEN, *WRONG, *REFUSED, "wrong digest"]
            for number, version in enumerate(INSTALLED.values()):
                place.befall(version.path, faults[number % len(faults)])
                place.befall("/" + version.package.replace("/", "%2f"), faults[(number + 4) % len(faults)])
            project = Project(tmp_path, NPM, ["npm"], place.url)
            tree = {}
            for _ in range(len(faults)):
                try:
                    tree = await project.install()
                    break
                except AssertionError:  # npm said so, and the next attempt is nearer
                    continue
            for version in INSTALLED.values():
                assert tree[f"node_modules/{version.package}/data.bin"] == version.noise


@pytest.mark.row(24, at="npm: the mirror's own token, a client's token and cookie")
async def test_credentials_never_follow_a_redirect_to_another_host(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-the-upstream")
    mirror = f'auth = "bearer file:{tmp_path / "token"}"\nallow_private = true'
    async with Origin() as origin, Origin() as other:
        with served(tmp_path / "mirror", npm_house.config(origin, 1, mirror=mirror)) as server:
            place = Place(server, Registry(origin, "real", "/n0"))
            elsewhere = Registry(other, "real", "/n0")
            theirs = ("Authorization: Bearer of-the-client", "Cookie: client=1")
            for path in ("/plain", OLD.path):
                place.registry.befall(path, redirected(elsewhere.url + path), -1)
                for _ in range(2):
                    heard = await place.ask(path, *theirs)
                    assert heard.status == 200
                    assert "location" not in heard.fields
                assert elsewhere.asked(path) == 1
            assert heard.body == OLD.tarball
    sent = [dict(record.headers) for record in origin.log]
    assert [fields.get("authorization") for fields in sent] == ["Bearer of-the-upstream"] * len(sent)
    assert not [fields for fields in sent if "cookie" in fields]
    assert other.log
    assert not [fields for record in other.log for fields in record.headers if fields[0] in ("authorization", "cookie")]
