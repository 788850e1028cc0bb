"""Looks a whole database through for damage, while others use it."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

UNTOLD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN)
"""Errors that say nothing of the database."""


async def damage(path: Path) -> str:
    """What is wrong with the database at `path`; "" when nothing is, or it cannot be told now.

    On a thread and a connection of its own: both go on being used by nobody else, and end early when the caller does.
    """
    thread = ThreadPoolExecutor(1, "mirror-check")
    looking = Looking(path)
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, looking.look)
    finally:
        looking.stop()
        thread.shutdown(wait=False)


class Looking:
    """One look at the database, that another thread may stop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stopped = False
        self._database: sqlite3.Connection | None = None

    def look(self) -> str:
        """See `damage`. Blocks."""
        try:
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, check_same_thread=False)) as self._database:
                if self._stopped:
                    return ""
                ((verdict,),) = self._database.execute("PRAGMA quick_check(1)").fetchall()
                return "" if verdict == "ok" else str(verdict)
        except sqlite3.Error as exc:
            return "" if self._stopped or exc.sqlite_errorcode & 0xFF in UNTOLD else str(exc)

    def stop(self) -> None:
        self._stopped = True
        if self._database is not None:
            with suppress(sqlite3.ProgrammingError):  # it is closed
                self._database.interrupt()
