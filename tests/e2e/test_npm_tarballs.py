"""npm's tarballs through a mirror: never changed, found through their packument, in parts, for many at once."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest

from tests.e2e.npm_house import YARN, Place, problem
from tests.instruments.call import Call
from tests.instruments.npm_faults import Fault
from tests.instruments.npm_world import WORLD, Version

pytestmark = pytest.mark.asyncio(loop_scope="module")

CORE, TOOLS, LEGACY = (next(v for v in WORLD if v.package == name) for name in ("@acme/core", "@acme/tools", "legacy"))
PLAIN = next(version for version in WORLD if version.name == "plain@1.0.0")


async def test_a_tarball_is_the_same_file_for_every_client_and_asked_for_once(place: Place) -> None:
    spelled = [CORE.path, CORE.path.replace("@acme/", "@acme%2f"), CORE.path.replace("@acme/", "@acme%2F")]
    for path in spelled:
        for fields in (("accept: */*", "accept-encoding: gzip,deflate"), (YARN, "accept-encoding: zstd, gzip")):
            heard = await place.ask(path, *fields)
            assert (heard.status, heard.body) == (200, CORE.tarball)
            assert heard.fields.get("content-type") == "application/octet-stream"
            assert "content-encoding" not in heard.fields
            assert "set-cookie" not in heard.fields
            assert heard.fields.get("accept-ranges") == "bytes"
            assert heard.fields.get("content-length") == str(len(CORE.tarball))
            assert (heard.fields.get("etag") or "").startswith('"')
            assert "immutable" in (heard.fields.get("cache-control") or "")
    assert place.registry.asked(CORE.path) == 1


@pytest.mark.parametrize("version", WORLD, ids=lambda version: version.name)
async def test_every_version_has_its_bytes_also_the_old_and_the_oddly_named(place: Place, version: Version) -> None:
    heard = await place.ask(version.path)
    assert (heard.status, heard.body) == (200, version.tarball)


async def test_what_a_client_says_of_a_tarballs_digest_counts_for_nothing(place: Place) -> None:
    wrong = "pacote-integrity: sha512-" + "A" * 86 + "=="
    for fields in ((wrong,), ()):
        heard = await place.ask(PLAIN.path, *fields)
        assert (heard.status, heard.body) == (200, PLAIN.tarball)
    assert place.registry.asked(PLAIN.path) == 1


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize(("span", "start", "end"), [("0-0", 0, 1), ("5-", 5, None), ("-10", -10, None)])
async def test_a_part_of_a_tarball(place: Place, warm: bool, span: str, start: int, end: int | None) -> None:
    if warm:
        await place.ask(TOOLS.path)
    heard = await place.ask(TOOLS.path, f"range: bytes={span}")
    expected, size = TOOLS.tarball[start:end], len(TOOLS.tarball)
    assert (heard.status, heard.body) == (206, expected)
    first = start % size
    assert heard.fields.get("content-range") == f"bytes {first}-{first + len(expected) - 1}/{size}"
    assert (await place.ask(TOOLS.path)).body == TOOLS.tarball


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_parts_that_there_are_not_and_several_at_once(place: Place, warm: bool) -> None:
    if warm:
        await place.ask(TOOLS.path)
    size = len(TOOLS.tarball)
    beyond = await place.ask(TOOLS.path, f"range: bytes={size}-")
    assert (beyond.status, beyond.fields.get("content-range")) == (416, f"bytes */{size}")
    assert (await place.ask(TOOLS.path, "range: lines=1-2")).body == TOOLS.tarball
    several = await place.ask(TOOLS.path, "range: bytes=0-99,1000-1099")
    if several.status == 206:
        assert TOOLS.tarball[:100] in several.body
        assert TOOLS.tarball[1000:1100] in several.body
    else:
        assert (several.status, several.body) == (200, TOOLS.tarball)


async def test_a_part_of_what_may_have_changed(place: Place) -> None:
    known = (await place.ask(TOOLS.path)).fields
    part, right = "range: bytes=10-19", [f"if-range: {known.get('etag')}"]
    if place.registry.real:  # a date of ours is too young to be strong (RFC 9110 §8.8.2.2)
        right.append(f"if-range: {known.get('last-modified')}")
    for condition in right:
        heard = await place.ask(TOOLS.path, part, condition)
        assert (heard.status, heard.body) == (206, TOOLS.tarball[10:20]), condition
    for condition in ('if-range: "other"', f"if-range: {formatdate(0, usegmt=True)}"):
        heard = await place.ask(TOOLS.path, part, condition)
        assert (heard.status, heard.body) == (200, TOOLS.tarball), condition


async def test_who_has_a_tarball_is_told_so(place: Place) -> None:
    known = (await place.ask(TOOLS.path)).fields
    conditions = [f"if-none-match: {tag}" for tag in (known.get("etag"), f'"other", W/{known.get("etag")}', "*")]
    if place.registry.real:  # the poor one dates nothing
        conditions.append(f"if-modified-since: {known.get('last-modified')}")
    for condition in conditions:
        heard = await place.ask(TOOLS.path, condition)
        assert (heard.status, heard.body) == (304, b""), condition
        for name in ("etag", "cache-control", "vary"):
            assert heard.fields.get(name) == known.get(name), name
        assert heard.fields.get("date")


async def test_a_version_published_since_is_found_by_one_more_look(place: Place) -> None:
    await place.ask("/plain")
    late = Version("plain", "1.1.0", published="2021-01-01T00:00:00.000Z")
    place.registry.publish(late)
    before = place.registry.asked("/plain")
    heard = await place.ask(late.path)
    assert (heard.status, heard.body) == (200, late.tarball)
    assert place.registry.asked("/plain") == before + 1


async def test_a_version_that_was_never_published_costs_one_look_and_is_a_404(place: Place) -> None:
    await place.ask("/plain")
    before = place.registry.asked("/plain")
    for heard in await asyncio.gather(*(place.ask("/plain/-/plain-7.7.7.tgz") for _ in range(5))):
        assert heard.status == 404
        problem(heard)
    assert place.registry.asked("/plain") <= before + 1
    assert place.registry.asked("/plain/-/plain-7.7.7.tgz") == 0


@pytest.mark.row(11, 13, at="npm: 20 clients, the first leaves")
async def test_twenty_at_once_are_one_download_that_outlives_the_first(place: Place) -> None:
    place.registry.befall(CORE.path, Fault("hold=50%"))
    target = (
        f"GET {place.mount}{CORE.path} HTTP/1.1\r\nHost: 127.0.0.1:{place.server.port}\r\nConnection: close\r\n\r\n"
    )
    first = await asyncio.to_thread(Call, place.server.port, target.encode())
    await asyncio.to_thread(first.until, 2000)
    others = [asyncio.create_task(place.ask(CORE.path)) for _ in range(19)]
    with first:
        pass
    place.registry.origin.release(place.mount + CORE.path)
    assert {(heard.status, heard.body) for heard in await asyncio.gather(*others)} == {(200, CORE.tarball)}
    assert (await place.ask(CORE.path)).fields.get("x-cache") == "HIT"
    assert place.registry.asked(CORE.path) == 1


async def test_twenty_at_once_are_one_request_for_a_packument(place: Place) -> None:
    heard = await asyncio.gather(*(place.ask("/app", YARN) for _ in range(20)))
    assert len({each.body for each in heard}) == 1
    assert {each.status for each in heard} == {200}
    assert place.registry.asked("/app") == 1


async def test_names_that_look_alike_are_different_packages(place: Place) -> None:
    alike = [Version(name) for name in ("@a_b/c", "@a/b_c", "Plain", "a_b", "a-b", "a.b")]
    for version in alike:
        place.registry.publish(version)
    for version in [*alike, *alike]:
        assert (await place.document("/" + version.package.replace("/", "%2f"))) == place.ours(version.package)
        assert (await place.ask(version.path)).body == version.tarball


@pytest.mark.parametrize(
    "path",
    [
        *("/..", "/%2e%2e/o", "/plain/../app", "/plain%2f..%2fapp", "/plain%5cx", "/plain%00", "/@acme%2f.."),
        *("/pl%0aain", "/plain/-/..%2f..%2fapp", "/plain/-/%2e%2e", "/@acme%2f%2ftools", "/@%2fx"),
        "/-/package/../dist-tags",
    ],
)
async def test_paths_that_mean_no_package_are_refused_and_reach_nobody(place: Place, path: str) -> None:
    heard = await place.ask(path)
    assert 400 <= heard.status < 500
    assert not [record for record in place.registry.origin.log if record.path.startswith(place.mount + "/")]
