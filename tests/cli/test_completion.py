"""What `mirror completion` prints makes a shell complete."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from mirror.cli import main

_ASK = """
COMP_WORDS=({words}) COMP_CWORD={at} COMP_TYPE=9 COMP_POINT=999 COMP_LINE="{line}"
{function} mirror "{word}" ""
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def completed(source: str, line: str) -> set[str]:
    """What bash offers at the end of a line, by the function that it was told to call."""
    words = line.split(" ")
    bash = ["bash", "--norc", "--noprofile", "-c"]
    named = subprocess.run([*bash, f"{source}\ncomplete -p mirror"], capture_output=True, text=True, check=True).stdout
    function = named.split("-F ")[1].split()[0]
    quoted = " ".join(f"'{word}'" for word in words)
    asked = _ASK.format(words=quoted, at=len(words) - 1, line=line, word=words[-1], function=function)
    done = subprocess.run([*bash, f"{source}\n{asked}"], capture_output=True, text=True, check=True)
    assert not done.stderr
    return {word.strip() for word in done.stdout.split("\n") if word.strip()}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mirror pu", {"purge"}),
        ("mirror re", {"refresh", "reload"}),
        ("mirror purge --dr", {"--dry-run"}),
        ("mirror ls --state ", {"fresh", "stale", "expired", "negative"}),
        ("mirror warm --format po", {"poetry"}),
        ("mirror completion ", {"bash", "zsh", "fish", "tcsh"}),
        ("mirror stats --config pyproj", {"pyproject.toml"}),
    ],
)
def test_bash_completes(line: str, offered: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert completed(script("bash", capsys), line) == offered


@pytest.mark.parametrize(
    ("shell", "options"), [("zsh", ("-n",)), ("fish", ("--no-execute",)), ("tcsh", ("-n",)), ("bash", ("-n",))]
)
def test_other_shells_understand_theirs(
    shell: str, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    written = script(shell, capsys)
    assert "purge" in written
    if shutil.which(shell):
        done = subprocess.run([shell, *options], input=written, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
