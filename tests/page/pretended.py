"""What a busy mirror could tell of itself: made up, the same each time."""

from __future__ import annotations

import math
import random
import time
from typing import Any

DAY = 86400
MIRRORS = {"pypi": "pypi", "npm": "npm", "debian": "apt", "debian-security": "apt", "get": "any"}
SIZES = {"pypi": 18.4e9, "npm": 6.21e9, "debian": 9.8e9, "debian-security": 1.1e9, "get": 2.9e9}
ENTRIES = {"pypi": 41_337, "npm": 128_902, "debian": 8210, "debian-security": 951, "get": 44}
EVIL = "/get/https/downloads.example.com/<img/src=x/onerror=document.title='pwned'>.bin"
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
        "ttl": (None if number % 3 else dice.randrange(600)) if state != "stale" else -age,
        "state": state,
        "tags": [f"{mirror}:x"],
        "digest": f"sha256:{number:064x}",
        "last_access": None if number % 5 == 4 else now - dice.random() * DAY,
        "hits": None if number % 5 == 4 else int(10 ** dice.uniform(0, 5)),
    }


def requests(total: int) -> dict[str, int]:
    shares = {"HIT": 0.881, "STALE": 0.021, "REVALIDATED": 0.03, "MISS": 0.06, "BYPASS": 0.006, "ERROR": 0.002}
    return {name: int(total * share) for name, share in shares.items()}


def upstreams(began: float, ill: bool) -> list[dict[str, Any]]:
    now = time.time()
    known = {
        "https://python.upstream.test": ["pypi"],
        "https://npm.upstream.test": ["npm"],
        "https://archive.upstream.test": ["debian", "debian-security"],
        "https://downloads.example.com": ["get"],
    }
    found = [
        {"name": name, "mirrors": mirrors, "state": "up", "since": began, "error": "", "error_at": None}
        | {"resting": 0}
        for name, mirrors in known.items()
    ]
    if ill:
        down = {"state": "down", "since": now - 1260, "error": "connect: Connection refused", "error_at": now - 20}
        found[3] |= down | {"resting": 41}
        found[1] |= {"state": "busy", "since": now - 95, "error": "answered 503", "error_at": now - 8}
    return found


def history(span: str) -> dict[str, Any]:
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
    return {"step": step, "began": now - count * step, "samples": samples}


def held(mirror: str) -> list[dict[str, Any]]:
    """What the policy keeps back."""
    now = time.time()
    one = {"allowed": False, "enforced": True, "dated": "origin", "package": "httpx", "version": "9.0", "file": "httpx"}
    young = "httpx 9.0 is 2 days old; minimum age 7 days (policy 'cooldown')"
    found = [one | {"address": LONG, "rule": "cooldown", "reason": young, "until": now + 5 * DAY}]
    found.append(one | {"address": EVIL, "rule": "deny", "reason": EVIL, "until": None, "enforced": False})
    return [each | {"published": now - 2 * DAY, "first_seen": now, "mirror": mirror} for each in found]


def clients() -> dict[str, Any]:
    """The lines for each client."""
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
