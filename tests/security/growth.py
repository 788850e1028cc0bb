"""How much memory a server takes for something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.instruments.server import Served

MOST = 100_000_000
"""Bytes by which an attack may have a server grow (row 47)."""


class Growth:
    """`most`: bytes by which the server was larger at its largest."""

    most = 0


@contextmanager
def growth(server: Served) -> Iterator[Growth]:
    """Looks at a server from now on; what it has found is known afterwards."""
    found, before = Growth(), server.memory()
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # from now on the peak is that of what follows
    yield found
    found.most = server.peak() - before
