"""Advisories at a URL, before a server of several processes: one of them fetches, all of them refuse."""

from __future__ import annotations

import asyncio
import json
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.instruments.origin import Origin
from tests.instruments.server import Served, served
from tests.policy.builders import advisory

pytestmark = pytest.mark.timeout(120)

CONFIG = """
[cache]
min_free = "1MB"
[policy]
advisories = ["{0}/osv.json"]
[mirrors.pypi]
ecosystem = "pypi"
upstream = "{0}/simple"
"""


def status(server: Served) -> int:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("GET", "/pypi/files/p/six-1.16.0.tar.gz")
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


async def every(server: Served, wanted: int) -> None:
    """All processes answer so, within a few seconds: eight connections reach both."""
    async with asyncio.timeout(30):
        while True:
            found = set(await asyncio.gather(*(asyncio.to_thread(status, server) for _ in range(8))))
            if found == {wanted}:
                return
            assert found <= {503, wanted}
            await asyncio.sleep(0.1)


async def test_nothing_gets_through_before_the_first_copy_which_outlives_its_origin(tmp_path: Path) -> None:
    async with Origin() as origin:
        origin.route("/osv.json", 404)
        page = json.dumps({"meta": {"api-version": "1.0"}, "name": "six", "files": []}).encode()
        origin.route("/simple/six/", headers=[("Content-Type", "application/vnd.pypi.simple.v1+json")], body=page)
        with served(tmp_path, CONFIG.format(origin.url().rstrip("/")), workers=2) as server:
            await every(server, 503)
            assert origin.requests("/osv.json") == 1
            told = [advisory("six", name="MAL-1", versions=["1.16.0"])]
            origin.route("/osv.json", body=json.dumps(told).encode())
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await every(server, 403)
            assert origin.requests("/osv.json") == 2
            await asyncio.to_thread(server.stop)
            origin.down()
            await asyncio.to_thread(server.start)
            await every(server, 403)
