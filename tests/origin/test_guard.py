"""No request reaches an address that is not public, by whatever name, redirect or change of mind (SSRF)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.resolver import ThreadedResolver

from mirror.errors import OriginError, OriginForbidden
from mirror.reach import Reach, Route
from tests.origin.scripted import Make, RawOrigin, body, get

pytestmark = pytest.mark.row(44)

GUARDED = Route(reach=Reach(private=False))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, list[list[str]]], list[str]]:
    """Makes a name resolve to one of these lists of addresses, each time to the next; gives what was looked up."""

    def resolving(name: str, turns: list[list[str]]) -> list[str]:
        asked: list[str] = []

        async def resolve(_self: ThreadedResolver, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
            asked.append(host)
            addresses = turns[min(len(asked), len(turns)) - 1] if host == name else []
            flags = {"family": socket.AF_INET, "proto": 0, "flags": socket.AI_NUMERICHOST}
            return [{"hostname": host, "host": address, "port": port, **flags} for address in addresses]

        monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
        return asked

    return resolving


@pytest.mark.row(44, at="7 spellings of this machine")
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "127.1", "2130706433", "0x7f000001"]
)
async def test_an_address_of_this_machine_is_not_connected_to(raw: RawOrigin, make: Make, host: str) -> None:
    origin = await make()
    with pytest.raises(OriginError, match=r"public|cannot be sent"):
        await origin.fetch([f"http://{host}:{raw.port}/hello"], route=GUARDED)
    assert raw.connections == 0


@pytest.mark.row(44, at="a name with two addresses, a name that is rebound")
async def test_a_name_with_one_address_that_is_not_public_is_refused_whole(
    raw: RawOrigin, make: Make, names: Callable[[str, list[list[str]]], list[str]]
) -> None:
    """Seen red: only the first address of a name is looked at."""
    asked = names("upstream.test", [["8.8.8.8", "127.0.0.1"]])
    with pytest.raises(OriginForbidden, match=r"127\.0\.0\.1"):
        await (await make(retries=3)).fetch([f"http://upstream.test:{raw.port}/hello"], route=GUARDED)
    assert (raw.connections, len(asked)) == (0, 1)


@pytest.mark.row(44, at="a name with two addresses, a name that is rebound")
async def test_a_name_that_changes_its_mind_changes_nothing(
    raw: RawOrigin, make: Make, names: Callable[[str, list[list[str]]], list[str]]
) -> None:
    """1. The name is looked up: public. 2. It is looked up again: not. What is connected to is what was looked at.

    Seen red: a name is looked up again when it is connected to.
    """
    names("upstream.test", [["127.0.0.1"]])
    origin = await make()
    address = f"http://upstream.test:{raw.port}/hello"
    assert await get(origin, address) == b"hello"  # a mirror that may: its connection rests in the pool
    for _ in range(2):
        with pytest.raises(OriginForbidden):
            await origin.fetch([address], route=GUARDED)
    assert (len(raw.asked), raw.connections) == (1, 1)


@pytest.mark.row(44, at="redirects")
async def test_a_redirect_leads_to_no_address_that_is_not_public(raw: RawOrigin, make: Make) -> None:
    """Seen red: where a redirect leads is not looked at."""
    raw.scripts["/x"] = (
        f"HTTP/1.1 302 F\r\nLocation: http://localhost:{raw.port}/hello\r\nContent-Length: 0\r\n\r\n".encode()
    )
    trusted = Route(reach=Reach(private=False, trusted=frozenset({("http", f"127.0.0.1:{raw.port}")})))
    origin = await make()
    assert await body(await origin.fetch([raw.url + "/hello"], route=trusted)) == b"hello"
    with pytest.raises(OriginForbidden, match="localhost"):
        await origin.fetch([raw.url + "/x"], route=trusted)
    assert len(raw.asked) == 2


@pytest.mark.row(44, at="redirects")
async def test_a_redirect_leads_to_no_host_that_is_not_on_the_list(raw: RawOrigin, make: Make) -> None:
    raw.scripts["/x"] = b"HTTP/1.1 302 F\r\nLocation: http://evil.test/hello\r\nContent-Length: 0\r\n\r\n"
    listed = Route(reach=Reach((f"127.0.0.1:{raw.port}",)))
    with pytest.raises(OriginForbidden, match=r"evil\.test is not on"):
        await (await make()).fetch([raw.url + "/x"], route=listed)
