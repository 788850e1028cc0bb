"""Names of the house: no public upstream hears them, and no public package gets them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from mirror.config import load
from mirror.errors import ConfigError, OriginError, RequestError, Withheld
from mirror.model import Headers, Request
from mirror.policy.gatekeeper import gate
from mirror.policy.names import selector
from mirror.policy.rules import Policy
from mirror.ports import Upload
from tests.conftest import World, send
from tests.instruments.answers import Response
from tests.instruments.gated import DAY, JSON, SIMPLE, found, written
from tests.policy.builders import advised, advisory, rule

MAKE = Callable[..., World]
BULK = "/-/npm/v1/security/advisories/bulk"
PUBLIC, OURS = b"PK\x03\x04 public", b"PK\x03\x04 ours"
PYTHON = {
    "page": "/simple/acme-x/",
    "file": "/files/p/acme_x-1.0.0-py3-none-any.whl",
    "sdist": "/files/p/acme-x-1.0.0.tar.gz",
    "legacy": "/pypi/acme-x/json",
    "version": "/pypi/acme-x/1.0.0/json",
    "provenance": "/integrity/acme-x/1.0.0/acme_x-1.0.0-py3-none-any.whl/provenance",
}
NPM = {
    "packument": "/@acme/x",
    "encoded": "/@acme%2fx",
    "tarball": "/@acme/x/-/x-1.0.0.tgz",
    "manifest": "/@acme/x/latest",
    "tags": "/-/package/@acme/x/dist-tags",
    "attestations": "/-/npm/v1/attestations/@acme/x@1.0.0",
    "search": "/-/v1/search?text=@acme/x",
    "search words": "/-/v1/search?text=best+%40acme%2Fx&size=20",
}


def _by_host(request: Request) -> Response:
    return Response(200, [], OURS if "localhost" in (request.headers.get("host") or "") else PUBLIC)


class House:
    """A mirror of a public upstream that has the house's names as well; `house` is one that has these alone."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.npm = world.ecosystem == "npm"
        at = "" if self.npm else "/simple"
        self.public, self.ours = (world.origin.url(f"/{place}{at}") for place in ("public", "house"))
        self.page, self.file = ("/@acme/x", NPM["tarball"]) if self.npm else (PYTHON["page"], PYTHON["file"])
        self._publish("public", PUBLIC)
        self._publish("house", OURS)
        self.become()

    def become(self, *advisories: dict[str, Any], housed: bool = False, mode: str = "enforce", **policy: Any) -> None:
        private = (selector("acme-*"), selector("@acme/*"))
        private = tuple(each for each in private if each.of(self.world.ecosystem))
        known = Policy(self.world.ecosystem, mode, private=private, housed=housed, **policy)  # type: ignore[arg-type]
        upstreams = (self.ours,) if housed else ()
        self.world.mirror = replace(
            self.world.mirror,
            upstreams=(self.public,),
            private_upstreams=upstreams,
            ttl=600.0,
            gate=gate(known, advised(*advisories)),
        )
        self.world.engine.forget()

    def _publish(self, place: str, body: bytes) -> None:
        origin, name = self.world.origin, PYTHON["file"].rpartition("/")[2]
        now = written(self.world.clock() - DAY)
        if self.npm:
            dist = {
                "tarball": origin.url(f"/{place}/@acme/x/-/x-1.0.0.tgz"),
                "shasum": hashlib.sha1(body, usedforsecurity=False).hexdigest(),
            }
            packument = {"name": "@acme/x", "dist-tags": {"latest": "1.0.0"}, "time": {"1.0.0": now}}
            packument["versions"] = {"1.0.0": {"name": "@acme/x", "version": "1.0.0", "dist": dist, "readme": place}}  # type: ignore[dict-item]
            for path in (f"/{place}/@acme%2fx", f"/{place}/@acme/x"):
                origin.route(path, headers=JSON, body=json.dumps(packument).encode())
            origin.route(f"/{place}/@acme/x/-/x-1.0.0.tgz", body=body)
            origin.route(f"/{place}/-/v1/search", headers=JSON, body=found(place, "@acme/x", "left-pad"))
            return
        # Both at one path: which of the two hosts was asked, the Host field tells.
        url = origin.url(f"/p/{name}")
        url = url.replace("127.0.0.1", "localhost") if place == "house" else url
        file = {"filename": name, "url": url, "upload-time": now}
        file |= {"hashes": {"sha256": hashlib.sha256(body).hexdigest()}}  # type: ignore[dict-item]
        page = {"meta": {"api-version": "1.4", "place": place}, "name": "acme-x", "files": [file]}
        origin.route(f"/{place}/simple/acme-x/", headers=[("content-type", SIMPLE)], body=json.dumps(page).encode())
        origin.route(f"/p/{name}", body=_by_host)

    def asked(self, place: str) -> list[str]:
        return [record.path for record in self.world.origin.log if record.path.startswith(f"/{place}/")]

    async def get(self, address: str) -> bytes:
        path, _, query = address.partition("?")
        got = await self.world.get(path, query)
        await self.world.settled()
        return got.body


@pytest.fixture(params=["pypi", "npm"])
async def house(request: pytest.FixtureRequest, make_world: MAKE) -> AsyncIterator[House]:
    world = make_world(ecosystem=request.param)
    async with world.open():
        yield House(world)


@pytest.fixture
async def npm(make_world: MAKE) -> AsyncIterator[House]:
    world = make_world(ecosystem="npm")
    async with world.open():
        yield House(world)


ALL = [("pypi", name) for name in PYTHON] + [("npm", name) for name in NPM]


@pytest.mark.parametrize(("ecosystem", "name"), ALL)
async def test_no_upstream_hears_of_it_and_the_reason_is_told(make_world: MAKE, ecosystem: str, name: str) -> None:
    world = make_world(ecosystem=ecosystem)
    async with world.open():
        house = House(world)
        with pytest.raises(Withheld, match=r"is a name of this house.*\(policy 'private'\)") as caught:
            await house.get((PYTHON if ecosystem == "pypi" else NPM)[name])
        assert caught.value.rule == "private"
        assert len(world.origin.log) == 0


async def test_what_was_stored_of_a_public_one_is_invisible(house: House) -> None:
    house.become(mode="off")
    assert await house.get(house.file) == PUBLIC
    await house.get(house.page)
    house.become()
    for path in (house.page, house.file):
        with pytest.raises(Withheld):
            await house.get(path)


async def test_an_upstream_of_the_house_is_asked_for_them_alone(house: House) -> None:
    house.become(housed=True, min_age=7 * DAY)
    assert await house.get(house.file) == OURS  # no minimum age: the house publishes it
    await house.get(house.page)
    assert house.asked("public") == []
    await house.get("/other" if house.npm else "/simple/other/")
    assert [path for path in house.asked("public") if "other" in path]
    assert not [path for path in house.asked("house") if "other" in path]


async def test_the_public_one_of_the_same_address_is_not_given_for_it(house: House) -> None:
    house.become(mode="off")
    assert await house.get(house.file) == PUBLIC
    house.become(housed=True)
    assert await house.get(house.file) == OURS
    house.become(mode="off")
    assert await house.get(house.file) == PUBLIC


async def test_an_upstream_of_the_house_that_fails_is_not_replaced_by_the_public_one(house: House) -> None:
    house.become(housed=True)
    for path in ("/house/simple/acme-x/", "/house/@acme/x", "/house/@acme%2fx"):
        house.world.origin.route(path, 500)
    for path in (house.page, house.file):
        with pytest.raises(OriginError):
            await house.get(path)
    assert house.asked("public") == []


async def test_what_is_denied_or_malicious_is_refused_of_the_house_too(house: House) -> None:
    ecosystem, name = ("npm", "@acme/x") if house.npm else ("PyPI", "acme-x")
    house.become(housed=True, deny=(rule(name, reason="stolen"),))
    with pytest.raises(Withheld, match="stolen"):
        await house.get(house.file)
    house.become(advisory(name, name="MAL-9", ecosystem=ecosystem, versions=["1.0.0"]), housed=True)
    with pytest.raises(Withheld, match="MAL-9"):
        await house.get(house.file)


async def test_audit_refuses_nothing(house: House) -> None:
    house.become(mode="audit")
    assert await house.get(house.file) == PUBLIC


async def test_but_an_upstream_of_the_house_is_the_only_one_in_every_mode(house: House) -> None:
    for mode in ("audit", "off"):
        house.become(housed=True, mode=mode)
        assert await house.get(house.file) == OURS
    assert house.asked("public") == []


async def test_a_search_for_it_goes_to_the_house(npm: House) -> None:
    npm.become(housed=True)
    assert await npm.get(NPM["search"]) == found("house", "@acme/x", "left-pad")
    assert await npm.get("/-/v1/search?text=left-pad") == found("public", "left-pad")


class TestAudits:
    async def _sent(self, npm: House, body: object, *, packed: bool = False) -> Any:
        sent, fetch = [], npm.world.client.fetch

        async def heard(*args: Any, upload: Upload, **more: Any) -> Any:
            sent.append(b"".join([chunk async for chunk in upload.chunks]))
            assert upload.length == len(sent[0])
            return await fetch(*args, **more)

        npm.world.client.fetch = heard  # type: ignore[method-assign, assignment]
        npm.world.origin.route(f"/public{BULK}", headers=JSON, body=b"{}")
        told = json.dumps(body).encode()
        fields = {"content_encoding": "gzip"} if packed else {}
        reply = await send(npm.world, "POST", BULK, [gzip.compress(told) if packed else told], **fields)
        await reply.source.close()
        (record,) = [record for record in npm.world.origin.log if record.method == "POST"]
        assert "content-encoding" not in dict(record.headers)
        return json.loads(sent[0])

    @pytest.mark.parametrize("packed", [False, True])
    async def test_its_name_is_taken_out(self, npm: House, packed: bool) -> None:
        assert await self._sent(npm, {"@acme/x": ["1.0.0"], "six": ["1.0.0"]}, packed=packed) == {"six": ["1.0.0"]}

    async def test_wherever_it_stands_in_a_lock_file(self, npm: House) -> None:
        dependency = {"version": "1.0.0", "requires": {"@acme/y": "1", "six": "1"}, "dependencies": {"@acme/z": {}}}
        lock = {
            "name": "@acme/app",
            "version": "1.0.0",
            "requires": {"@acme/x": "^1", "left-pad": "1"},
            "dependencies": {"@acme/x": {"version": "1"}, "left-pad": dependency},
            "packages": {
                "node_modules/@acme/x": {},
                "node_modules/six": {},
                "node_modules/six/node_modules/@acme/x": {},
            },
            "install": ["@acme/x@1.0.0", "six@1.0.0"],
        }
        sent = await self._sent(npm, lock)
        assert "acme" not in json.dumps(sent)
        assert sent["requires"] == {"left-pad": "1"}
        assert sent["dependencies"]["left-pad"]["requires"] == {"six": "1"}
        assert (sent["install"], [*sent["packages"]]) == (["six@1.0.0"], ["node_modules/six"])

    async def test_what_cannot_be_read_is_not_sent(self, npm: House) -> None:
        for body in (b"{", b'{"@acme/x":' * 100_000):
            with pytest.raises(RequestError, match="not JSON"):
                await send(npm.world, "POST", BULK, [body])
        assert len(npm.world.origin.log) == 0


CONFIG = """
[policy]
private = ["acme-*"]
[mirrors.m]
ecosystem = "{ecosystem}"
upstream = "http://upstream.test/simple"
private_upstream = "http://house.test/simple"
private_auth = "bearer file:token"
"""


def test_it_is_configured(tmp_path: Any) -> None:
    (tmp_path / "token").write_text("hush")
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "config.toml").write_text(CONFIG.format(ecosystem="pypi"))
    (mirror,) = load(tmp_path / "config.toml").mirrors
    assert mirror.private_upstreams == ("http://house.test/simple",)
    assert mirror.gate.private("acme-x")
    assert ("http", "house.test") in mirror.reach.trusted
    assert "hush" not in repr(mirror)


def test_only_where_packages_have_names_of_their_own(tmp_path: Any) -> None:
    (tmp_path / "token").write_text("hush")
    (tmp_path / "config.toml").write_text(CONFIG.format(ecosystem="http"))
    with pytest.raises(ConfigError, match="only pypi and npm mirrors have it"):
        load(tmp_path / "config.toml")


@pytest.mark.parametrize("private", [False, True])
async def test_each_has_its_own_credentials(npm: House, private: bool) -> None:
    npm.become(housed=True)
    public, house = (("authorization", f"Bearer {name}") for name in ("public", "house"))
    npm.world.mirror = replace(npm.world.mirror, auth=public, private_auth=house)
    npm.world.origin.route("/public/other", headers=JSON, body=b'{"name":"other","versions":{}}')
    await npm.get("/@acme/x" if private else "/other")
    (record,) = npm.world.origin.log
    assert Headers(tuple(record.headers)).get("authorization") == f"Bearer {'house' if private else 'public'}"
