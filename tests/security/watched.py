"""`mirror`, watched: python -m tests.security.watched FOLDER serve ... notes each address that it connects to.

`FOLDER/zone.json` is the resolver's: a name and the lists of addresses that it has, one after the other; the last one
stays. `FOLDER/connected` gets a line for each address, by Python's own audit of `socket.connect`; those of other
machines are then refused.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp.resolver import ThreadedResolver


def watch(folder: Path) -> None:
    connected = os.open(folder / "connected", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    asked: Counter[str] = Counter()

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            os.write(connected, f"{arguments[1][0]} {arguments[1][1]}\n".encode())
            if arguments[1][0] not in ("127.0.0.1", "::1", "0.0.0.0", "::"):  # no test goes out into the world
                raise ConnectionRefusedError(None, "watched")

    async def resolve(_: ThreadedResolver, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        turns = json.loads((folder / "zone.json").read_text()).get(host.rstrip(".").lower())
        if turns is None:
            raise OSError(None, "no such name")
        asked[host] += 1
        found = []
        for address in turns[min(asked[host], len(turns)) - 1]:
            kind = socket.AF_INET6 if ":" in address else socket.AF_INET
            flags = {"family": kind, "proto": 0, "flags": socket.AI_NUMERICHOST}
            found.append({"hostname": host, "host": address, "port": port, **flags})
        return found

    ThreadedResolver.resolve = resolve  # type: ignore[method-assign, assignment]
    sys.addaudithook(audit)


if __name__ == "__main__":
    watch(Path(sys.argv.pop(1)))
    from mirror.cli import main

    sys.exit(main())
