"""Log lines: one per event, with time and level; many of them in one write where they are many."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class Lines(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes lines to standard error."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter(FORMAT))

    def many(self, level: str, name: str, events: Iterable[tuple[float, str]]) -> None:
        """Lines (wall clock in seconds, message) as `FORMAT` has them, in one write: a record for each would cost more
        than what it tells of."""
        written, second, stamp = [], -1, ""
        for at, message in events:
            if int(at) != second:
                second = int(at)
                stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            written.append(f"{stamp},{int(at * 1000) % 1000:03d} {level:<7} {name}: {message}\n")
        self.acquire()
        try:
            self.stream.write("".join(written))
            self.flush()
        except OSError:
            pass  # nobody reads it any more; serving goes on
        finally:
            self.release()


def log_to_stderr(level: str = "info") -> None:
    """Send all log lines of `level` and above to standard error."""
    logging.basicConfig(handlers=[Lines()], level=level.upper())
    for noisy in ("httpx", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
