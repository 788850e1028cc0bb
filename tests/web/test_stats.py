"""Stats, while the mirrors become others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mirror.counters import NOBODY, Count
from mirror.model import Mirror
from mirror.operations.holdings import Held
from mirror.web.api.stats import tell

OLD, NEW = (Mirror("a", "http"), Mirror("old", "http")), (Mirror("a", "http"), Mirror("new", "http"))


async def test_a_mirror_that_comes_or_goes_while_all_is_summed_up_is_no_error() -> None:
    class Operations(SimpleNamespace):
        mirrors = OLD

        async def stats(self) -> dict[str, Held]:
            self.mirrors = NEW
            return {name: Held(Count(), 1, 10) for name in ("a", "old", NOBODY)}

    room = SimpleNamespace(told=lambda: (2, 3, 1), used=2, limits=SimpleNamespace(max_size=3, min_free=4), evicted=0)
    about: Any = SimpleNamespace(started=0.0, workers=1)
    operations: Any = Operations(room=room, upstreams=list, running=list, reloading=None)
    told = await tell(operations, about)
    assert [*told.mirrors] == ["a"]
    assert told.totals.entries == 3
