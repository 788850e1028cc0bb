"""A server with the page, and an admin API of its own making behind it: what the page shows of a busy mirror.

`python -m tests.page.stub PORT` runs it. It moves: downloads get on, requests come in.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

from mirror.web import page

DAY = 86400
MIRRORS = {"pypi": "pypi", "npm": "npm", "debian": "apt", "debian-security": "apt", "get": "any"}
SIZES = {"pypi": 18.4e9, "npm": 6.21e9, "debian": 9.8e9, "debian-security": 1.1e9, "get": 2.9e9}
ENTRIES = {"pypi": 41_337, "npm": 128_902, "debian": 8210, "debian-security": 951, "get": 44}
EVIL = "/get/https/downloads.example.com/<img src=x onerror=document.title='pwned'>.bin"
LONG = (
    "/pypi/files/packages/9b/2d/f7fcb4fc1a1bbd7a9b7b6a3b1c1f/"
    "a_rather_long_distribution_name_for_a_wheel-2026.11.2.post1-cp312-cp312-manylinux_2_28_x86_64.whl"
)
KEYS = (
    LONG,
    "/pypi/simple/httpx/",
    "/npm/react",
    "/npm/@acme/design-system/-/design-system-14.2.0.tgz",
    "/debian/pool/main/l/linux/linux-image-6.12.57+deb13-amd64_6.12.57-1_amd64.deb",
    "/debian/dists/bookworm/by-hash/SHA256/0d1f7cb0f3b4a5be7c6a0ac02f7d3b7a2dd9b3d7f04b3c3a9cf2b1c1d2e3f405",
    "/get/https/downloads.example.com/pub/release-2026.11/installer-linux-x86_64.tar.zst",
    EVIL,
)


def entry(number: int, now: float) -> dict[str, Any]:
    """One stored entry."""
    dice = random.Random(number)
    key = (
        KEYS[number] if number < len(KEYS) else f"/npm/package-{number:06}/-/package-{number:06}-1.{number % 40}.0.tgz"
    )
    mirror = key.split("/")[1]
    age = dice.random() ** 3 * 40 * DAY
    state = "negative" if number % 41 == 40 else "fresh" if number % 7 else "stale"
    return {
        "key": key,
        "mirror": mirror,
        "url": f"https://upstream.test/{number}",
        "status": 404 if state == "negative" else 200,
        "size": int(10 ** dice.uniform(2.5, 8.6)),
        "type": "application/octet-stream",
        "stored_at": now - age,
        "age": age,
        "ttl": (None if number % 3 else 600 - age) if state != "stale" else -age,
        "state": state,
        "tags": [f"{mirror}:x"],
        "digest": f"sha256:{number:064x}",
        "last_access": None if number % 5 == 4 else now - dice.random() * DAY,
        "hits": None if number % 5 == 4 else int(10 ** dice.uniform(0, 5)),
    }


def requests(total: int) -> dict[str, int]:
    shares = {"HIT": 0.881, "STALE": 0.021, "REVALIDATED": 0.03, "MISS": 0.06, "BYPASS": 0.006, "ERROR": 0.002}
    return {name: int(total * share) for name, share in shares.items()}


class Stub:
    """The state behind the answers. `token`: what has to be shown; `ill`: upstreams are; `error`: of a reload."""

    def __init__(self, *, count: int = 2000, token: str = "", ill: bool = True, error: str | None = None) -> None:
        self.began = time.time() - 3 * DAY - 15_000
        self.token = token
        self.ill = ill
        self.error = error
        self.gone: set[str] = set()
        self.entries = [entry(number, time.time()) for number in range(count)]
        self.jobs: list[dict[str, Any]] = []

    def stored(self) -> list[dict[str, Any]]:
        return [one for one in self.entries if one["key"] not in self.gone]

    def stats(self) -> dict[str, Any]:
        spent = time.time() - self.began
        mirrors = {}
        for name, ecosystem in MIRRORS.items():
            total = int(spent * {"pypi": 3.1, "npm": 9.7, "debian": 1.2, "debian-security": 0.2}.get(name, 0.01))
            saved = int(spent * SIZES[name] / 20_000)
            mirrors[name] = {
                "requests": requests(total),
                "bytes_served": int(saved * 1.12),
                "bytes_saved": saved,
                "bytes_fetched": int(saved * 0.13),
                "errors": int(total * 0.002),
                "entries": ENTRIES[name],
                "size": int(SIZES[name]),
                "ecosystem": ecosystem,
                "unavailable": "",
                "access": "anyone",
                "max_size": int(5e9) if name == "get" else None,
            }
        totals: dict[str, Any] = {"requests": {}}
        for name in requests(1):
            totals["requests"][name] = sum(one["requests"][name] for one in mirrors.values())
        for name in ("bytes_served", "bytes_saved", "bytes_fetched", "errors", "entries", "size"):
            totals[name] = sum(one[name] for one in mirrors.values())
        return {
            "version": "0.1.0",
            "uptime": spent,
            "mirrors": mirrors,
            "totals": totals,
            "upstreams": self.upstreams(),
            "cache": {
                "path_free": int(311e9),
                "used": totals["size"] + int(1.3e9),
                "max_size": int(50e9),
                "min_free": 10**9,
                "entries": totals["entries"],
                "evicted": 18_221,
            },
            "fills": len(self.fills()),
            "config": {"loaded_at": self.began + 3 * 3600, "error": self.error},
            "workers": 2,
        }

    def upstreams(self) -> list[dict[str, Any]]:
        now = time.time()
        known = {
            "https://python.upstream.test": ["pypi"],
            "https://npm.upstream.test": ["npm"],
            "https://archive.upstream.test": ["debian", "debian-security"],
            "https://downloads.example.com": ["get"],
        }
        found = [
            {"name": name, "mirrors": mirrors, "state": "up", "since": self.began, "error": "", "error_at": None}
            | {"resting": 0}
            for name, mirrors in known.items()
        ]
        if self.ill:
            down = {"state": "down", "since": now - 1260, "error": "connect: Connection refused", "error_at": now - 20}
            found[3] |= down | {"resting": 41}
            found[1] |= {"state": "busy", "since": now - 95, "error": "answered 503", "error_at": now - 8}
        return found

    def fills(self) -> list[dict[str, Any]]:
        now = time.time() - self.began
        total = (734_003_200, 88_211_402, None)
        names = (KEYS[6], KEYS[4], "/npm/@acme/editor/-/editor-3.0.1.tgz")
        found = []
        for at, (name, size) in enumerate(zip(names, total, strict=True)):
            age = now % (60 + at * 17)
            speed = (11_200_000, 1_430_000, 250_000)[at]
            there = int(min(size or 1 << 40, age * speed))
            fill = {"key": name, "mirror": name.split("/")[1], "url": "https://upstream.test/x", "there": there}
            fill |= {"total": size, "rate": speed, "readers": (3, 1, 0)[at], "segments": (4, 1, 1)[at]}
            found.append(fill | {"age": age, "stored": at != 2, "state": "running"})
        return found

    def history(self, span: str) -> dict[str, Any]:
        step, count = (10, 360) if span == "hour" else (300, 288)
        now = time.time() // step * step
        samples = []
        for number in range(count):
            at = now - (count - number) * step
            dice = random.Random(at)
            wave = (1.2 + math.sin(at / (step * 40))) * dice.uniform(0.5, 1.3)
            asked = requests(int(wave * 20 * step))
            saved = wave * 2.2e6 * step
            fetched = saved * (0.08 if dice.random() > 0.05 else 0.9)
            sample = {"at": at, "requests": asked, "bytes_served": int(saved + fetched), "bytes_saved": int(saved)}
            samples.append(sample | {"bytes_fetched": int(fetched), "errors": asked["ERROR"]})
        return {"step": step, "began": self.began, "samples": samples}

    def selected(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        urls, prefixes, mirrors = body.get("urls", []), tuple(body.get("prefixes", [])), body.get("mirrors", [])

        def matches(one: dict[str, Any]) -> bool:
            everything, key = body.get("everything", False), one["key"]
            return everything or key in urls or key.startswith(prefixes) or one["mirror"] in mirrors

        return [one for one in self.stored() if matches(one)]


def routes(app: FastAPI, stub: Stub) -> None:
    """The admin API."""

    @app.get("/-/ready")
    def ready() -> dict[str, Any]:
        return {"status": "ok", "checks": {"started": "ok"}}

    @app.get("/-/api/stats")
    def stats() -> dict[str, Any]:
        return stub.stats()

    @app.get("/-/api/fills")
    def fills() -> dict[str, Any]:
        return {"fills": stub.fills()}

    @app.get("/-/api/history")
    def history(span: str) -> dict[str, Any]:
        return stub.history(span)

    @app.get("/-/api/jobs")
    def jobs() -> dict[str, Any]:
        return {"jobs": stub.jobs}

    @app.get("/-/api/entries")
    def entries(
        mirror: str = "", search: str = "", state: str = "", order: str = "key", cursor: int = 0, limit: int = 100
    ) -> dict[str, Any]:
        found = [
            one
            for one in stub.stored()
            if search.lower() in one["key"].lower() and mirror in ("", one["mirror"]) and state in ("", one["state"])
        ]
        if order != "key":
            by = {"largest": lambda one: -one["size"], "oldest": lambda one: one["stored_at"]}
            found.sort(key=by.get(order, lambda one: -(one["hits"] or 0)))
            return {"entries": found[:limit], "cursor": None, "complete": True, "as_of": time.time() - 12}
        more = str(cursor + limit) if cursor + limit < len(found) else None
        return {"entries": found[cursor : cursor + limit], "cursor": more, "complete": True}

    @app.post("/-/api/purge")
    def purge(body: dict[str, Any]) -> dict[str, Any]:
        found = stub.selected(body)
        dry = body.get("dry_run", False)
        if not dry and not body.get("soft"):
            stub.gone.update(one["key"] for one in found)
        told = {"matched": len(found), "purged": 0 if dry else len(found), "bytes": sum(one["size"] for one in found)}
        told |= {"in_flight": 0, "soft": body.get("soft", False), "dry_run": dry, "job": None}
        return told | {"entries": [one["key"] for one in found[:100]]}

    @app.get("/-/api/explain")
    def explain(url: str) -> dict[str, Any]:
        found = next((one for one in stub.stored() if one["key"] == url), None)
        fresh = {"age": 312, "lifetime": 600, "ttl": 288, "source": "rule"}
        fresh["arithmetic"] = "age 312 s, fresh for 600 s by the mirror's ttl: 288 s left"
        rule = {"ttl": 600, "grace": DAY, "keep": 30 * DAY, "negative_ttl": 60, "store": True, "immutable": False}
        stored = found and found | {"headers": {"content-type": found["type"], "etag": '"abc"'}, "blob_present": True}
        return {
            "url": url,
            "mirror": "pypi",
            "ecosystem": "pypi",
            "key": url,
            "class": "index",
            "upstreams": ["https://python.upstream.test/simple/httpx/"],
            "rule": rule,
            "decision": "hit" if found else "miss",
            "reason": "It is stored and fresh." if found else "Nothing is stored under this key.",
            "entry": stored,
            "freshness": fresh if found else None,
            "digest": found and found["digest"],
            "fill": None,
            "upstream_states": stub.upstreams()[:1],
            "policy": None,
            "redirect": None,
            "error": None,
        }

    @app.post("/-/api/warm", status_code=202)
    def warm(body: dict[str, Any]) -> dict[str, Any]:
        job = {"id": f"w{len(stub.jobs)}", "kind": "warm", "state": "running", "began": time.time(), "ended": None}
        job |= {"done": 3, "total": len(body["urls"]) + 9, "bytes": 18_300_000, "failed": 1, "current": body["urls"][0]}
        failures = [{"url": "/npm/left", "reason": "the upstream answered 404"}]
        stub.jobs.append(job | {"error": "", "result": None, "failures": failures})
        return stub.jobs[-1]

    @app.get("/-/api/clients")
    def clients() -> dict[str, Any]:
        here = "http://mirror.example.com:8000"
        trust = "pip config set global.trusted-host mirror.example.com:8000"
        lines = {
            "pypi": {
                "pip": [f"pip config set global.index-url {here}/pypi/simple/ && {trust}"],
                "uv": [f"export UV_DEFAULT_INDEX={here}/pypi/simple/"],
            },
            "npm": {name: [f"{name} config set registry {here}/npm/"] for name in ("npm", "pnpm")},
            "debian": {"apt": [f"deb {here}/debian/ SUITE main    (in place of the archive's address)"]},
            "get": {"curl": [f"curl -O {here}/get/https/HOST/PATH"]},
        }
        told = [
            {"name": name, "ecosystem": MIRRORS[name]}
            | {"clients": [{"client": client, "lines": each} for client, each in found.items()]}
            for name, found in lines.items()
        ]
        return {"address": here, "mirrors": told}

    @app.get("/-/api/events")
    def events() -> StreamingResponse:
        async def told() -> AsyncIterator[str]:
            while True:
                yield f"event: stats\ndata: {json.dumps(stub.stats())}\n\n"
                yield f"event: fills\ndata: {json.dumps({'fills': stub.fills()})}\n\n"
                await asyncio.sleep(1)

        return StreamingResponse(told(), media_type="text/event-stream")


def app(stub: Stub) -> FastAPI:
    """The whole application."""
    made = FastAPI()

    @made.middleware("http")
    async def rights(request: Request, call_next: Any) -> Any:
        shown = request.headers.get("authorization", "")
        if stub.token and request.url.path.startswith("/-/api/") and shown != f"Bearer {stub.token}":
            return JSONResponse({"detail": "a valid token is needed", "error": "a valid token is needed"}, 401)
        return await call_next(request)

    made.include_router(page.routes(), prefix="/-")
    routes(made, stub)
    return made


if __name__ == "__main__":
    uvicorn.run(app(Stub()), port=int(sys.argv[1]), log_level="warning")
