"""Every command's --help and options, wrong usage, and what a start does not load."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mirror.cli import main
from mirror.cli.parser import COMMANDS

ROOT = Path(__file__).parents[2]
SERVER = {"--server", "--token-file", "--ca-file", "--config", "--json"}
OPTIONS = {
    "serve": {"--listen", "--workers", "--log-level", "--config"},
    "check": {"--config"},
    "setup": {"--write", "--undo", "--server", "--config"},
    "stats": {"--watch"} | SERVER,
    "ls": {"--mirror", "--tag", "--search", "--state", "--order", "--limit", "--all"} | SERVER,
    "explain": SERVER,
    "purge": {"--prefix", "--glob", "--tag", "--purl", "--mirror", "--everything", "--soft", "--dry-run", "--yes"}
    | SERVER,
    "warm": {"-r", "--format", "--mirror", "--python", "--all-files", "--dry-run", "--no-wait"} | SERVER,
    "refresh": {"--no-wait"} | SERVER,
    "fills": {"--watch"} | SERVER,
    "jobs": {"--stop", "--follow"} | SERVER,
    "reload": SERVER,
    "completion": set(),
}
LIGHT = (["--version"], ["--help"], ["stats", "--help"], ["completion", "bash"], ["check", "--config", "none"])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_all_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    usage = said.partition("\n\n")[0]
    if command in OPTIONS:  # others have tests of their own
        assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", usage)) - {"-h"} == OPTIONS[command]
    # What it does, in the list of all and by itself.
    does = COMMANDS[command]
    assert f"{does[0].upper()}{does[1:]}." in re.sub(r"\s+", " ", said)


def test_help_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert re.findall(r"^    (\w+)\s", said, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such"],
        ["ls", "--state", "odd"],
        ["ls", "--limit", "x"],
        ["ls", "--limit", "0"],
        ["ls", "--all", "--limit", "1"],
        ["ls", "--order", "largest", "--all"],
        ["ls", "--order", "largest", "--limit", "101"],
        ["explain"],
        ["purge"],
        ["purge", "--soft", "--yes"],
        ["warm"],
        ["warm", "-r", "no such file"],
        ["warm", "/x", "--python", "three"],
        ["refresh"],
        ["jobs", "--follow"],
        ["jobs", "a", "--stop", "b"],
        ["completion", "no-such"],
        ["stats", "--config", "no such file"],
        ["stats", "--server", "not a URL"],
        ["stats", "--server", "http://127.0.0.1:9", "--token-file", "no such file"],
        ["stats", "--server", "https://127.0.0.1:9", "--ca-file", "no such file"],
    ],
)
def test_wrong_usage_is_2_and_told(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRROR_SERVER", "http://127.0.0.1:9")
    if "--config" in arguments:
        monkeypatch.delenv("MIRROR_SERVER")
    try:
        code: object = main(arguments)
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.strip()


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_no_command_but_serve_loads_a_web_server(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom mirror.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print(*{'fastapi', 'uvicorn', 'starlette', 'diskcache'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.splitlines()[-1] == ""


def test_version_loads_no_client() -> None:
    script = "import sys\nfrom mirror.cli import main\ntry:\n    main(['--version'])\nexcept SystemExit:\n    pass\n"
    script += "print({'httpx', 'rich', 'asyncio', 'mirror.config'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines() == ["mirror 0.1.0", "set()"]
