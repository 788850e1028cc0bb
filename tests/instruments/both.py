"""One engine behind two listeners, one of which keeps prepared replies: what they answer must be the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mirror.model import Mirror
from mirror.mounts import Mounts
from mirror.server.hot import Hot
from mirror.web.proxy import Names, Proxy
from tests.conftest import World
from tests.instruments.listening import Listening, listening
from tests.instruments.origin import Origin

OBJECT = "/o/obj/a/1000?cc=max-age=60"
NAMES = Names(hosts=frozenset({"localhost", "other.test"}))


def ask(target: str, *fields: str, method: str = "GET", host: str = "localhost") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode()


@dataclass
class Both:
    """One engine behind two listeners: `warm` keeps prepared replies, `cold` never does."""

    world: World
    proxy: Proxy
    warm: Listening
    cold: Listening

    async def same(self, request: bytes) -> bytes:
        """The warm answer, which must be the cold one; where the origin was asked, its body at least."""
        (warm,), (cold,) = await self.warm.talk(request), await self.cold.talk(request)
        if b"mirror; hit" in warm and b"mirror; hit" in cold:
            assert warm == cold
        assert warm.partition(b"\r\n\r\n")[2] == cold.partition(b"\r\n\r\n")[2]
        return warm

    async def heat(self, *requests: bytes) -> None:
        """Have them asked for so often that their replies are prepared, where they can be."""
        await self.warm.talk(ask(OBJECT), ask("/o/obj/b/200000?cc=max-age=60"))
        await self.world.settled()
        for request in requests:
            for _ in range(3):
                await self.warm.talk(request)
                await self.world.settled()

    @property
    def prepared(self) -> int:
        return len(self.warm.hot._order)


def documents(origin: Origin) -> None:
    tarball = origin.url("/npm/thing/-/thing-1.0.0.tgz")
    version = {
        "name": "thing",
        "version": "1.0.0",
        "dist": {"tarball": tarball, "shasum": hashlib.sha1(b"t").hexdigest()},  # noqa: S324
    }
    packument = {"name": "thing", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    origin.route("/npm/thing", headers=[("Content-Type", "application/json")], body=json.dumps(packument).encode())
    origin.route("/npm/thing/-/thing-1.0.0.tgz", body=b"t")
    page = f'<a href="/files/thing-1.zip#sha256={hashlib.sha256(b"PKz").hexdigest()}">thing-1.zip</a>'
    origin.route("/simple/thing/", headers=[("Content-Type", "text/html")], body=page.encode())
    origin.route("/files/thing-1.zip", body=b"PKz")


@asynccontextmanager
async def both_of(world: World) -> AsyncIterator[Both]:
    """Mirrors of an http origin, a registry and an index in front of that world's origin."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(world.open())
        documents(world.origin)
        url = world.origin.url("").rstrip("/")
        mirrors = (
            Mirror("o", "http", (url,), grace=0.0, keep=0.0),
            Mirror("npm", "npm", (f"{url}/npm",), ttl=300.0, grace=0.0),
            Mirror("pypi", "pypi", (f"{url}/simple",), ttl=600.0, grace=0.0),
            Mirror("dead", "http", ("http://127.0.0.1:1",)),
        )
        proxy = Proxy(world.engine, mirrors, NAMES, Mounts(mirrors), world.clock)
        cold = Hot(wall=world.clock)
        cold.close()
        warm = await stack.enter_async_context(listening(proxy, Hot(wall=world.clock)))
        yield Both(world, proxy, warm, await stack.enter_async_context(listening(proxy, cold)))
        proxy.close()
