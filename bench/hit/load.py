"""Load by wrk: many connections, each with one request at a time, for some seconds."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile

from bench.hit.cache import Cache

# Each request is for another object: `%d` in the target is a number that counts up.
_COUNTING = """
local number = 0
request = function()
    number = number + 1
    return wrk.format("GET", string.format("%s", number))
end
"""


class Failed(Exception):
    """An answer was missing or not what it should be."""


def wrk(
    cache: Cache, target: str, connections: int, seconds: float, fields: dict[str, str] | None = None
) -> tuple[int, float]:
    """How many requests were answered, and in how many seconds. Where `target` has `%d` in it, each is another one.

    Raises Failed for any error of the wire, and any status above 399.
    """
    program = shutil.which("wrk")
    if program is None:
        raise Failed("wrk is not installed (apt-get install wrk)")
    address = f"http://127.0.0.1:{cache.port}{target.replace('%d', '0')}"
    command = [program, "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "30s"]
    for name, value in (fields or {}).items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if "%d" in target:
            script.write(_COUNTING.replace("%s", target))
            script.flush()
            command += ["-s", script.name]
        said = subprocess.run([*command, address], capture_output=True, text=True, check=False)
    return _read(cache, said.stdout + said.stderr)


def _read(cache: Cache, said: str) -> tuple[int, float]:
    done = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", said)
    if done is None or int(done[1]) == 0 or "Socket errors" in said or "Non-2xx or 3xx" in said:
        raise Failed(f"{cache.name}:\n{said}")
    return int(done[1]), float(done[2]) * {"ms": 0.001, "s": 1, "m": 60}[done[3]]
