"""What clients of the mirror do while somebody looks at the page."""

from __future__ import annotations

import asyncio
from http.client import HTTPConnection

from tests.instruments.server import Served

FRESH = "cc=max-age=86400"


def get(server: Served, *targets: str) -> list[int]:
    """Ask for all of them on one connection; their statuses."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    found = []
    for target in targets:
        connection.request("GET", target)
        answer = connection.getresponse()
        answer.read()
        found.append(answer.status)
    connection.close()
    return found


async def fill(server: Served, *targets: str) -> list[int]:
    """The same, in a thread: the browser is spoken to from this one."""
    return await asyncio.to_thread(get, server, *targets)


def outcome(server: Served, target: str) -> str:
    """What X-Cache says of it now."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", target)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers["X-Cache"] or ""
