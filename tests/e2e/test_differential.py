"""nginx, Squid and the mirror in front of one origin: each difference over 500 exchanges has a reason with a clause."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.instruments import peers
from tests.instruments.differences import Difference, differences
from tests.instruments.exchanges import Exchange
from tests.instruments.families import exchanges
from tests.instruments.reasons.table import REASONS, explain, page
from tests.instruments.server import http_mirror, served
from tests.instruments.witness import Seen, carry_out, rehearsed

SEED = 32  # with these every reason is needed
COMMAND = "python -m tests.instruments.reasons.table > docs/differential.md"


@pytest.fixture(scope="module")
def drawn() -> list[Exchange]:
    return list(exchanges(SEED))


@pytest.fixture(scope="module")
def found(drawn: list[Exchange], tmp_path_factory: pytest.TempPathFactory) -> list[Difference]:
    if missing := peers.missing():
        pytest.skip(f"not installed: {missing}")
    seen = _seen(drawn, tmp_path_factory.mktemp("caches"))
    return [
        difference
        for exchange in drawn
        for peer in ("nginx", "squid")
        for difference in differences(exchange, peer, seen["mirror"][exchange.number], seen[peer][exchange.number])
    ]


def _seen(drawn: list[Exchange], folder: Path) -> dict[str, list[tuple[Seen, ...]]]:
    """What each cache did, by the number of the exchange: one after the other, the caches side by side."""
    folder.chmod(0o755)  # Squid is nobody
    born = int(time.time()) - 1  # "now" of the exchanges is past: in that very second nginx still takes it for fresh
    with ExitStack() as stack:
        origins = {name: stack.enter_context(rehearsed(drawn, born)) for name in ("mirror", "nginx", "squid")}
        config = http_mirror(f"http://127.0.0.1:{origins['mirror'].port}")
        ports = {
            "mirror": stack.enter_context(served(folder / "mirror", config)).port,
            "nginx": stack.enter_context(peers.nginx(folder / "nginx", origins["nginx"].port)),
            "squid": stack.enter_context(peers.squid(folder / "squid", origins["squid"].port)),
        }

        def through(name: str) -> list[tuple[Seen, ...]]:
            prefix = "/o" if name == "mirror" else ""
            return [carry_out(exchange, origins[name], ports[name], prefix) for exchange in drawn]

        with ThreadPoolExecutor(len(ports)) as threads:
            return dict(zip(ports, threads.map(through, ports), strict=True))


def test_the_exchanges_are_500_and_the_same_each_time(drawn: list[Exchange]) -> None:
    assert len(drawn) == 500
    assert drawn == list(exchanges(SEED))


def test_each_difference_has_a_reason(found: list[Difference]) -> None:
    unexplained = [difference for difference in found if explain(difference) is None]
    assert not unexplained, "\n".join([f"{len(unexplained)} differences:", *(one.told() for one in unexplained)])


def test_each_reason_is_needed_for_each_cache_that_it_names(found: list[Difference]) -> None:
    used = Counter((reason.name, one.peer) for one in found if (reason := explain(one)))
    named = {(reason.name, peer) for reason in REASONS for peer in reason.peers}
    assert named == used.keys()


def test_the_page_says_what_the_table_says() -> None:
    written = Path(__file__).parents[2] / "docs" / "differential.md"
    assert written.read_text() == page(), f"docs/differential.md is out of date: {COMMAND}"
