"""Who may do what: each cell of the table, through the whole application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from mirror.app import App
from mirror.config import load
from mirror.settings import AdminSettings
from tests.instruments.origin import Origin
from tests.web.rights_table import (
    ABROAD,
    COLUMNS,
    COMMAND,
    FILE,
    HERE,
    PURGE,
    ROWS,
    SERVERS,
    Server,
    What,
    Who,
    bearer,
    document,
)


@asynccontextmanager
async def running(folder: Path, config: str) -> AsyncIterator[App]:
    """The application, between its start and its end."""
    path = folder / "config.toml"
    path.write_text(f'{config}[cache]\nmin_free = "1MB"\n')
    app, told, heard = App(load(path)), asyncio.Queue[Any](), asyncio.Queue[Any]()
    life = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, told.get, heard.put))
    try:
        await told.put({"type": "lifespan.startup"})
        assert (await heard.get())["type"] == "lifespan.startup.complete"
        yield app
    finally:
        await told.put({"type": "lifespan.shutdown"})
        await life


class Clients:
    """Clients of the application, each at an address of its own: wrong tokens of one are not another's."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.extensions: dict[str, Any] = {}
        self._numbers = count(1)

    async def ask(self, who: Who, what: What, body: bytes = b"", number: int = 0, **fields: str) -> httpx.Response:
        """The answer to this request by that client."""
        address = f"{who.network}.{number or next(self._numbers)}"
        transport = httpx.ASGITransport(self._extended, client=(address, 4321))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            del client.headers["connection"]  # with which no reply is prepared
            sent = dict(who.fields) | ({"Content-Type": what.kind} if what.kind else {}) | fields
            return await client.request(what.method, what.target, headers=sent, content=body)

    async def _extended(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app({**scope, "extensions": self.extensions}, receive, send)

    async def row(self, who: Who, cells: str) -> str:
        """The statuses where the cells have some."""
        found = []
        for what, cell in zip(COLUMNS.values(), cells.split(), strict=True):
            if what.method == "PURGE":
                await self.ask(Who(), What("GET", f"/open/{FILE}"))
            asked = cell != "-"
            found.append(str((await self.ask(who, what, PURGE * bool(what.kind))).status_code) if asked else cell)
        return " ".join(found)


@asynccontextmanager
async def clients(folder: Path, server: Server) -> AsyncIterator[tuple[Clients, Origin]]:
    async with Origin() as origin, running(folder, server.config.replace("{upstream}", origin.url())) as app:
        yield Clients(app), origin


@pytest.mark.row(49)
@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
async def test_who_may_do_what(tmp_path: Path, server: Server) -> None:
    """Seen red: the token is not asked for."""
    async with clients(tmp_path, server) as (asking, _):
        found = {name: await asking.row(ROWS[name], cells) for name, cells in server.cells.items()}
    assert found == server.cells


def test_the_page_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "rights.md"
    assert page.read_text() == document(), f"docs/rights.md is out of date: {COMMAND}"


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[tuple[Clients, Origin]]:
    async with clients(tmp_path, SERVERS["Tokens, also for looking"]) as opened:
        yield opened


@pytest.mark.row(43, at="a token for the mirror reaches no upstream")
async def test_what_is_shown_to_this_server_reaches_no_upstream(closed: tuple[Clients, Origin]) -> None:
    asking, origin = closed
    for number, name in enumerate(("read", "operate", "admin")):
        shown = Who(HERE, (bearer(name),))
        answer = await asking.ask(shown, What("GET", f"/closed/obj/b{number}/10"), Cookie="mine")
        posted = await asking.ask(shown, What("POST", f"/closed/obj/b{number}/10", "text/plain"), b"x")
        assert (answer.status_code, posted.request.method) == (200, "POST")
    fields = [name.lower() for record in origin.log for name, _ in record.headers]
    assert fields.count("cookie") == 3
    assert "authorization" not in fields


async def test_what_was_fetched_for_one_token_is_there_for_another(closed: tuple[Clients, Origin]) -> None:
    asking, origin = closed
    what = What("GET", f"/closed/{FILE}")
    kinds = [(await asking.ask(Who(HERE, (bearer(role),)), what)).headers["x-cache"] for role in ("read", "admin")]
    assert (kinds, origin.requests("/obj/a/100")) == (["MISS", "HIT"], 1)
    refused = await asking.ask(Who(), what)
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    assert refused.headers["www-authenticate"] == 'Basic realm="mirror"'
    assert (refused.headers["cache-control"], len(refused.json()["detail"]) > 10) == ("no-store", True)


async def test_a_reply_for_those_who_show_a_token_is_never_prepared_for_the_bytes_of_a_request(
    closed: tuple[Clients, Origin],
) -> None:
    asking, _ = closed
    kept: list[object] = []
    asking.extensions = {"mirror.prepared": kept.append}
    for _ in range(2):
        for name in ("open", "closed"):
            answer = await asking.ask(Who(HERE, (bearer("read"),)), What("GET", f"/{name}/{FILE}"))
            assert answer.status_code == 200
        assert (await asking.ask(Who(), What("GET", f"/closed/{FILE}"))).status_code == 401
    assert kept == []
    for _ in range(2):
        await asking.ask(Who(), What("GET", f"/open/{FILE}"))
    assert len(kept) == 1  # a hit of a mirror for everybody is


async def test_what_is_open_still_hands_its_clients_credentials_on(closed: tuple[Clients, Origin]) -> None:
    asking, origin = closed
    await asking.ask(Who(HERE, (("Authorization", "Bearer theirs"),)), What("GET", "/open/obj/c/10"))
    assert ("authorization", "Bearer theirs") in [(name.lower(), value) for name, value in origin.log[-1].headers]


@pytest.mark.row(49)
async def test_after_ten_wrong_tokens_only_a_right_one_is_looked_at(closed: tuple[Clients, Origin]) -> None:
    """Seen red: tokens may be guessed without a pause."""
    asking, _ = closed
    wrong, right = ROWS["a wrong token"], Who(HERE, (bearer("read"),))
    stats, file = What("GET", "/-/api/stats"), What("GET", f"/closed/{FILE}")
    told = [(await asking.ask(wrong, what, number=99)).status_code for what in (stats, file) * 5]
    assert told == [401] * 10
    for what in (stats, file):
        late = await asking.ask(wrong, what, number=99)
        assert (late.status_code, 1 <= int(late.headers["retry-after"]) <= 60) == (429, True)
        assert (await asking.ask(wrong, what)).status_code == 401  # from another address
        assert (await asking.ask(Who(), what, number=99)).status_code == 401  # who shows none is asked for one
        assert (await asking.ask(right, what, number=99)).status_code == 200


async def test_rights_become_others_in_place_for_mirrors_too(tmp_path: Path) -> None:
    """As a configuration that is read again has them."""
    async with clients(tmp_path, SERVERS["Tokens"]) as (asking, _):
        admin, nobody = Who(ABROAD, (bearer("admin"),)), Who(ABROAD)
        stats, file = What("GET", "/-/api/stats"), What("GET", f"/closed/{FILE}")
        rights = asking.app._rights
        rights.become(AdminSettings("another-one", reads="token"), "")
        for who, what, status in ((nobody, stats, 401), (admin, stats, 401), (admin, file, 401)):
            assert (await asking.ask(who, what)).status_code == status
        another = Who(ABROAD, (("Authorization", "Bearer another-one"),))
        for what in (stats, file):
            assert (await asking.ask(another, what)).status_code == 200
        rights.become(AdminSettings(), "public_url")
        for what, status in ((stats, 200), (COLUMNS["purge"], 403), (file, 401)):
            assert (await asking.ask(Who(), what, PURGE * bool(what.kind))).status_code == status


@pytest.mark.row(49)
async def test_a_body_that_is_too_large_is_not_read(closed: tuple[Clients, Origin]) -> None:
    asking, _ = closed
    purge = COLUMNS["purge"]
    large = b" " * (17 << 20)
    assert (await asking.ask(Who(HERE, (bearer("operate"),)), purge, large)).status_code == 413
    assert (await asking.ask(Who(HERE, (bearer("read"),)), purge, large)).status_code == 403
    assert (await asking.ask(Who(HERE, (bearer("operate"),)), purge, b"{")).status_code == 400
    assert (await asking.ask(Who(), purge, b"{")).status_code == 401  # a right first, then sense


async def test_a_page_of_ours_is_told_so_that_its_browser_does_not_ask(closed: tuple[Clients, Origin]) -> None:
    asking, _ = closed
    stats = What("GET", "/-/api/stats")
    by_page = await asking.ask(Who(), stats, **{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"})
    by_user = await asking.ask(Who(), stats, **{"Sec-Fetch-Mode": "navigate"})
    assert by_page.headers["www-authenticate"] == 'Bearer realm="mirror"'
    assert by_user.headers["www-authenticate"] == 'Bearer realm="mirror", Basic realm="mirror"'


async def test_the_page_on_the_api_names_each_operation_and_loads_nothing(closed: tuple[Clients, Origin]) -> None:
    asking, _ = closed
    shown = Who(HERE, (bearer("read"),))
    page = await asking.ask(shown, COLUMNS["docs"])
    described = (await asking.ask(shown, COLUMNS["openapi.json"])).json()
    for path, methods in described["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}<" in page.text
    assert "dry_run" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert not any(word in page.text for word in ("<script", "src=", "http://", "https://", "@import"))
