"""The composition root: a Config becomes the ASGI application, whose lifespan opens and closes all parts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from functools import partial

from fastapi import APIRouter, FastAPI

from mirror import advising
from mirror.audit.book import Book
from mirror.audit.recording import Recording
from mirror.changes import Changes
from mirror.config import load
from mirror.copying import Copying
from mirror.counters import NOBODY, Counters
from mirror.documents import Documents
from mirror.engine import Engine
from mirror.errors import MirrorError, Refused, Unavailable
from mirror.evict import Limits
from mirror.fills import Fills
from mirror.framing import named
from mirror.mounts import Mounts
from mirror.operations import Around, Operations
from mirror.operations.reloading import Commit, Loaded, Reloading
from mirror.origin import Origin, OriginSettings
from mirror.outside import Outside
from mirror.policy.advisories import Advisories
from mirror.rights import Tokens
from mirror.settings import Config, FillSettings
from mirror.signatures import Gpgv
from mirror.stores import Stores, open_stores
from mirror.uses import Uses
from mirror.web import api, health, metrics, page
from mirror.web.access import Gathered
from mirror.web.api import reference, watching
from mirror.web.api.about import About
from mirror.web.api.purge import PurgeByMethod
from mirror.web.api.refusals import told_as_problems
from mirror.web.auth import Rights
from mirror.web.beside import Beside
from mirror.web.doors import PROXIED
from mirror.web.entrance import Entrance
from mirror.web.proxy import Names, Proxy, Receive, Scope
from mirror.web.replies import Send
from mirror.web.site import Site

log = logging.getLogger("mirror")

ABSOLUTE = "http.request.absolute_form"
"""The extension of a scope whose request named its URL whole (RFC 9112 §3.2.2)."""


class App:
    """The ASGI application: `/-/...` is FastAPI's, everything else the mirrors'."""

    def __init__(
        self,
        config: Config,
        fill_settings: FillSettings | None = None,
        *,
        changes: Changes | None = None,
        counters: Counters | None = None,
        patience: float = 0.0,
        read: Callable[[], Config] | None = None,
        loaded: Loaded | None = None,
    ) -> None:
        """`patience`: seconds that it waits for the one before to let the cache go. `read` reads the configuration
        again where that is asked for; `loaded` is what other processes know of this one."""
        loaded = loaded or Loaded.first(config)
        self.config = config
        self.reloading = Reloading(loaded, read or partial(load, config.path))
        self.reloading.parts.append(self._prepare)
        self._changes = changes or Changes()
        self._patience = patience
        self.readiness = health.Readiness(config.cache.path)
        self._fill_settings = fill_settings
        self._started = time.monotonic()
        self._names = names(config)
        self._counters = counters or Counters(loaded.names)
        self.pulse = self._counters.pulse
        self._gathered = Gathered()
        self._beside = Beside(self._gathered, self._counters.of(NOBODY))
        self._mounts = Mounts(config.mirrors)
        self._engine: Engine | None = None
        self._advising = advising.Advising()
        self._tokens = Tokens()
        self._rights = Rights(self._tokens, lambda host, asked: self._names.known(host, asked.scope))
        self._rights.become(config.admin, config.server.proxied)
        self._proxy: Proxy | None = None
        self._purge: PurgeByMethod | None = None
        self._operations: Operations | None = None
        self._touch: Callable[[str, float], None] | None = None
        self._uses = Uses()
        self._site = Site(
            title="mirror",
            openapi_url="/-/api/openapi.json",
            docs_url=None,  # that one loads scripts from elsewhere
            redoc_url=None,
            redirect_slashes=False,
            lifespan=self._lifespan,
        )
        told_as_problems(self._site)
        self._site.include_router(health.routes(self.readiness), prefix="/-")
        self._site.include_router(page.routes(lambda: self.config.admin.page), prefix="/-")
        self._site.include_router(reference.routes(self._site.openapi))
        self._below = Entrance(self._site, self._rights)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._site(scope, receive, send)  # type: ignore[arg-type]
        elif refused := self._refused(scope := self._proxied(scope)):
            await self._beside.refuse(refused, scope, send)
        elif scope["raw_path"].startswith(b"/-/") or scope["raw_path"] == b"/-":
            await self._beside.answer(self._below, scope, receive, send)
        elif scope["method"] == "PURGE" and self._purge:
            await self._beside.answer(self._purge, scope, receive, send)
        elif self._proxy:
            await self._proxy(scope, receive, send)

    def _prepare(self, loaded: Loaded) -> Commit:
        """Of this and of each configuration that takes its place: what the address of a request means."""
        config, own, mounts = loaded.config, names(loaded.config), Mounts(loaded.config.mirrors)
        mirrors = config.mirrors
        if config.copied:  # else they wait
            mirrors = advising.known(mirrors, self._advising.read(config.advisories))

        def commit() -> None:
            self.config, self._names, self._mounts = replace(config, mirrors=mirrors), own, mounts
            self._counters.know(loaded.names)
            self._rights.become(config.admin, config.server.proxied)
            self._put_in_force()

        return commit

    def _put_in_force(self) -> None:
        """The mirrors are others."""
        if self._proxy is not None:
            self._proxy.become(self.config.mirrors, self._names, self._mounts)
        if self._operations is not None:
            self._operations.become(self.config.mirrors)
        if self._engine is not None:
            self._engine.forget()

    def _advised(self, paths: advising.Paths, found: Advisories) -> None:
        """The advisories in these files say that."""
        loaded = self.reloading.loaded.config
        mirrors = advising.known(loaded.mirrors, found)
        if loaded.advisories == paths and mirrors != self.config.mirrors:
            self.config = replace(self.config, mirrors=mirrors)
            self._put_in_force()

    def _follow_advisories(self, stack: AsyncExitStack, origin: Origin | None = None) -> None:
        """Read them behind the requests, which wait for that; who has an `origin` fetches those at URLs for all."""

        def config() -> Config:
            return self.reloading.loaded.config

        running = [self._advising.follow(lambda: config().advisories, self._advised, lambda: config().copied)]
        if origin is not None:
            follow = Copying(origin).follow
            running.append(follow(lambda: config().copies, lambda: config().policy.advisories_every))
        for each in running:
            task = asyncio.get_running_loop().create_task(each)
            stack.push_async_callback(asyncio.wait, [task])
            stack.callback(task.cancel)

    def used(self, blobs: Mapping[str, tuple[float, int]]) -> None:
        """Others have used these blobs: when last (wall clock), and how often since they told so before."""
        if self._touch is not None:
            for blob, (at, _) in blobs.items():
                self._touch(blob, at)
            self._uses.add(blobs)

    def _fills(self, config: Config) -> FillSettings:
        return self._fill_settings or FillSettings(retries=config.upstream.retries)

    def _proxied(self, scope: Scope) -> Scope:
        """For a client that takes this server for its proxy: the address here of what it asks for."""
        if ABSOLUTE not in scope.get("extensions", ()):
            return scope
        host = _host(scope)
        address = None if self._names.reached(host, scope) else self._mounts.absolute(host, scope["raw_path"].decode())
        if address is None:
            return scope
        extensions = {name: value for name, value in scope["extensions"].items() if name != ABSOLUTE} | {PROXIED: {}}
        return {**scope, "raw_path": address.encode(), "extensions": extensions}

    def _refused(self, scope: Scope) -> MirrorError | None:
        """What is answered before anybody looks at what is asked."""
        if ABSOLUTE in scope.get("extensions", ()) and not self._names.known(_host(scope), scope):
            return Refused("this server is a proxy for the upstreams of its mirrors only")
        if self.readiness.draining and not scope["raw_path"].startswith(b"/-/"):
            return Unavailable("this server is about to end")
        return None

    @asynccontextmanager
    async def _lifespan(self, site: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await self._open(site, stack)
            self.readiness.started = True
            yield
            self.readiness.draining = True

    async def _open(self, site: FastAPI, stack: AsyncExitStack) -> None:
        """Open the parts in the order of what they need; the stack closes them in the reverse one."""
        config = self.config
        await self._begin_record(stack)
        origin = Origin(_origin_settings(config), counters=self._counters)
        await origin.open()
        stack.push_async_callback(origin.close)
        stores = open_stores(
            config.cache.path,
            _limits(config),
            config.cache.durability,
            self._changes,
            self._patience,
            self._counters,
        )
        stores.room.become(_limits(config), config.shares)
        await stores.start()
        self._touch = stores.store.touch
        stack.push_async_callback(stores.close)
        outside = Outside(origin, stores.store, stores.index, time.time, stores.changes, self._uses, self._counters)
        fills = Fills(outside, self._fills(config))
        self._engine = engine = Engine(outside, fills, stores.facts, Documents(), Gpgv())
        stack.push_async_callback(engine.close)
        stack.push_async_callback(fills.close)
        around = Around(engine, stores.room, origin.health, self.reloading)
        operations = Operations(stores.store, stores.index, fills, config.mirrors, self._counters, around=around)
        operations.history.start()
        stack.push_async_callback(operations.history.close)
        stack.push_async_callback(operations.jobs.close)
        stack.push_async_callback(operations.entries.close)
        known = (config.mirrors, self._names, self._mounts, time.time, self._counters)
        self._proxy = Proxy(engine, *known, self._tokens, self._gathered)
        stack.callback(self._proxy.close)
        self._operations = operations
        self._follow_advisories(stack, origin)
        self._purge = PurgeByMethod(operations, self._rights)
        self.reloading.parts += [
            lambda loaded: origin.prepare(_origin_settings(loaded.config)),
            lambda loaded: partial(stores.become, _limits(loaded.config), loaded.config.shares),
            lambda loaded: partial(fills.become, self._fills(loaded.config)),
        ]
        below = APIRouter(prefix="/-")
        about = About(self._started, config.server.workers, lambda: self._names, self.readiness.lasts_no_more)
        stack.push_async_callback((feed := watching.feed(operations, about)).close)
        below.include_router(api.routes(operations, self._rights, about, feed))
        below.include_router(metrics.routes(self._sources(fills, origin, stores), self._rights))
        site.include_router(below)

    async def _begin_record(self, stack: AsyncExitStack) -> None:
        """Keep the record of what is handed out, where that is wanted."""
        if self.config.audit.enabled:
            recording = Recording(Book(self.config.record, self.config.audit.max_file, self.config.audit.keep))
            await recording.open()
            stack.push_async_callback(recording.close)
            self._gathered.record = recording.take

    def _sources(self, fills: Fills, origin: Origin, stores: Stores) -> metrics.Sources:
        """What the metrics are of."""

        def upstreams() -> dict[str, str]:
            configured = {named(url)[0]: "up" for mirror in self.config.mirrors for url in mirror.upstreams}
            troubled = {name: each.state for name, each in origin.health().items() if each.state != "up"}
            return {**configured, **troubled}

        return metrics.Sources(self._counters, fills.by_mirror, upstreams, stores.room.told)


def _limits(config: Config) -> Limits:
    return Limits(config.cache.max_size, config.cache.min_free, config.cache.max_object)


def _host(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")


def names(config: Config) -> Names:
    """Which Host values are this server's own."""
    listen = config.server.listen
    hosts = {"localhost", "127.0.0.1", "[::1]", *config.server.hosts}
    if not listen.host:
        return Names(config.server.public_url, frozenset(hosts), "localhost")
    if listen.host in ("0.0.0.0", "::"):  # noqa: S104  compared, not bound
        return Names(config.server.public_url, frozenset(hosts))
    hosts.add(f"[{listen.host}]" if ":" in listen.host else listen.host.lower())
    return Names(config.server.public_url, frozenset(hosts), str(listen).lower())


def _origin_settings(config: Config) -> OriginSettings:
    settings = asdict(config.upstream)
    settings["ca_file"] = str(config.upstream.ca_file or "")
    return OriginSettings(**settings)
