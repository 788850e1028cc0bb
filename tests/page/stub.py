"""A server with the page, and an admin API of its own making behind it: what the page shows of a busy mirror.

It moves: downloads get on, requests come in.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

from mirror.web import page
from tests.page.pretended import DAY, ENTRIES, KEYS, MIRRORS, SIZES, clients, entry, held, history, requests, upstreams


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
            "upstreams": upstreams(self.began, self.ill),
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

    def selected(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        urls, prefixes, mirrors = body.get("urls", []), tuple(body.get("prefixes", [])), body.get("mirrors", [])

        def matches(one: dict[str, Any]) -> bool:
            everything, key = body.get("everything", False), one["key"]
            return everything or key in urls or key.startswith(prefixes) or one["mirror"] in mirrors

        return [one for one in self.stored() if matches(one)]


class Answers:
    """The admin API of a stub, a method for each route."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    def ready(self) -> dict[str, Any]:
        return {"status": "ok", "checks": {"started": "ok"}}

    def fills(self) -> dict[str, Any]:
        return {"fills": self._stub.fills()}

    def jobs(self) -> dict[str, Any]:
        return {"jobs": self._stub.jobs}

    def entries(
        self, mirror: str = "", search: str = "", state: str = "", order: str = "key", cursor: int = 0, limit: int = 100
    ) -> dict[str, Any]:
        found = [
            one
            for one in self._stub.stored()
            if search.lower() in one["key"].lower() and mirror in ("", one["mirror"]) and state in ("", one["state"])
        ]
        if order != "key":
            by = {"largest": lambda one: -one["size"], "oldest": lambda one: one["stored_at"]}
            found.sort(key=by.get(order, lambda one: -(one["hits"] or 0)))
            return {"entries": found[:limit], "cursor": None, "complete": True, "as_of": time.time() - 12}
        more = str(cursor + limit) if cursor + limit < len(found) else None
        return {"entries": found[cursor : cursor + limit], "cursor": more, "complete": True}

    def held(self, mirror: str, limit: int = 100, cursor: str = "") -> dict[str, Any]:
        return {"held": held(mirror) if self._stub.entries else [], "cursor": None, "complete": True}

    def purge(self, body: dict[str, Any]) -> dict[str, Any]:
        found = self._stub.selected(body)
        dry, soft = body.get("dry_run", False), body.get("soft", False)
        if not dry and not soft:
            self._stub.gone.update(one["key"] for one in found)
        told = {"matched": len(found), "purged": 0 if dry else len(found), "bytes": sum(one["size"] for one in found)}
        told |= {"in_flight": 0, "soft": soft, "dry_run": dry, "job": None}
        return told | {"entries": [one["key"] for one in found[:100]]}

    def explain(self, url: str) -> dict[str, Any]:
        found = next((one for one in self._stub.stored() if one["key"] == url), None)
        fresh = {"age": 312, "lifetime": 600, "ttl": 288, "source": "rule"}
        fresh["arithmetic"] = "age 312 s, fresh for 600 s by the mirror's ttl: 288 s left"
        rule = {"ttl": 600, "grace": DAY, "keep": 30 * DAY, "negative_ttl": 60, "store": True, "immutable": False}
        stored = found and found | {"headers": {"content-type": found["type"], "etag": '"abc"'}, "blob_present": True}
        told = {"url": url, "mirror": "pypi", "ecosystem": "pypi", "key": url, "class": "index", "rule": rule}
        told |= {"upstreams": ["https://python.upstream.test/simple/httpx/"], "decision": "hit" if found else "miss"}
        told |= {"reason": "It is stored and fresh." if found else "Nothing is stored under this key."}
        told |= {"entry": stored, "freshness": fresh if found else None, "digest": found and found["digest"]}
        told |= {"upstream_states": upstreams(self._stub.began, False)[:1]}
        return told | {"fill": None, "policy": None, "redirect": None, "error": None}

    def warm(self, body: dict[str, Any]) -> dict[str, Any]:
        job = {"id": f"w{len(self._stub.jobs)}", "kind": "warm", "state": "running", "began": time.time()}
        job |= {"done": 3, "total": len(body["urls"]) + 9, "bytes": 18_300_000, "failed": 1, "current": body["urls"][0]}
        failures = [{"url": "/npm/left", "reason": "the upstream answered 404"}]
        self._stub.jobs.append(job | {"ended": None, "error": "", "result": None, "failures": failures})
        return self._stub.jobs[-1]

    def events(self) -> StreamingResponse:
        async def told() -> AsyncIterator[str]:
            while True:
                yield f"event: stats\ndata: {json.dumps(self._stub.stats())}\n\n"
                yield f"event: fills\ndata: {json.dumps({'fills': self._stub.fills()})}\n\n"
                await asyncio.sleep(1)

        return StreamingResponse(told(), media_type="text/event-stream")


def _routed(made: FastAPI, stub: Stub) -> None:
    answers = Answers(stub)
    made.add_api_route("/-/ready", answers.ready)
    gets = {"stats": stub.stats, "history": history, "clients": clients}
    gets |= {name: getattr(answers, name) for name in ("fills", "jobs", "entries", "explain", "held")}
    for name, answer in gets.items():
        made.add_api_route(f"/-/api/{name}", answer)
    made.add_api_route("/-/api/events", answers.events, response_model=None)
    made.add_api_route("/-/api/purge", answers.purge, methods=["POST"])
    made.add_api_route("/-/api/warm", answers.warm, methods=["POST"], status_code=202)


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
    _routed(made, stub)
    return made
