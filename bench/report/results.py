"""What was measured, as it is kept: a JSON file for each measurement, with the machine that it was made on."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.instruments.peers import PATH

FOLDER = Path(__file__).parents[1] / "results"
_TOLD_BY = {"nginx": "-v", "squid": "-v", "varnishd": "-V", "wrk": "-v"}


def save(name: str, found: dict[str, Any]) -> None:
    """Keeps it, in place of what an earlier run found."""
    FOLDER.mkdir(exist_ok=True)
    kept = {"on": time.strftime("%Y-%m-%d"), "machine": machine(), **found}
    (FOLDER / f"{name}.json").write_text(json.dumps(kept) + "\n")


def load(name: str) -> dict[str, Any] | None:
    """What the last run found that was kept; None where none was."""
    file = FOLDER / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None


def machine() -> str:
    """The cores, the kernel, and the versions of the programs."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    kernel = ".".join(platform.release().split(".")[:2])
    programs = [f"Python {platform.python_version()}", *filter(None, map(_version, _TOLD_BY))]
    return f"{os.cpu_count()} cores{f' ({cpu[1]})' if cpu else ''}, Linux {kernel}, {', '.join(programs)}"


def _version(program: str) -> str:
    found = shutil.which(program, path=PATH)
    if found is None:
        return ""
    said = subprocess.run([found, _TOLD_BY[program]], capture_output=True, text=True, check=False)
    number = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
    return f"{program} {number[0]}" if number else program
