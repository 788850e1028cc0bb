"""The file that says how much is taken at most: never less than is, whatever the stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirror.stores.taken import Taken


async def run(call: Callable[..., Any], *args: Any) -> Any:
    await asyncio.sleep(0)
    return call(*args)


def taken(path: Path, limit: int = 64_000) -> Taken:
    return Taken(path / "taken", limit, run, sync=True)


async def test_it_says_no_less_than_was_promised_and_not_much_more(tmp_path: Path) -> None:
    here = taken(tmp_path)
    for count in (1, 500, 5000, 63_990, 64_000, 80_000):
        await here.promise(count)
        said = taken(tmp_path).read()
        assert said is not None
        assert count <= said <= max(count, min(count + 1000, 64_000))


async def test_it_is_written_seldom(tmp_path: Path) -> None:
    here = taken(tmp_path)
    written = []
    here._run = lambda call, count: (written.append(count), run(call, count))[1]
    for count in range(0, 10_000, 10):
        await here.promise(count)
    assert 5 <= len(written) <= 11


async def test_what_was_freed_is_told_too(tmp_path: Path) -> None:
    here = taken(tmp_path)
    await here.promise(60_000)
    await here.promise(100)
    assert taken(tmp_path).read() == 1100


async def test_who_gives_up_while_it_is_written_leaves_no_older_number(tmp_path: Path) -> None:
    # 1. A asks for 5000, and is cancelled while that is written. 2. B asks for 9000. 3. A's write must not come last.
    here = taken(tmp_path)
    held = asyncio.Event()

    async def slowly(call: Callable[..., Any], count: int) -> Any:
        if count < 9000:
            await held.wait()
        return call(count)

    here._run = slowly
    first = asyncio.create_task(here.promise(5000))
    await asyncio.sleep(0)
    first.cancel()
    second = asyncio.create_task(here.promise(9000))
    for _ in range(5):
        await asyncio.sleep(0)
    held.set()
    await second
    for _ in range(5):
        await asyncio.sleep(0)
    assert (taken(tmp_path).read() or 0) >= 9000


@pytest.mark.parametrize("text", ["", "many", "-5", "1e9"])
def test_what_is_no_number_is_not_known(tmp_path: Path, text: str) -> None:
    (tmp_path / "taken").write_text(text)
    assert taken(tmp_path).read() is None


async def test_what_cannot_be_written_says_nothing(tmp_path: Path) -> None:
    here = taken(tmp_path)
    await here.promise(5000)
    (tmp_path / "taken").unlink()
    (tmp_path / "elsewhere").write_text("7")
    (tmp_path / "taken").symlink_to(tmp_path / "elsewhere")  # not followed
    await here.promise(20_000)
    assert taken(tmp_path).read() is None
    assert (tmp_path / "elsewhere").read_text() == "7"


async def test_nothing_is_written_through_a_second_name(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("somebody else's")
    (tmp_path / "taken").hardlink_to(secret)
    here = taken(tmp_path)
    await here.promise(1000)
    assert secret.read_text() == "somebody else's"
    assert (taken(tmp_path).read() or 0) >= 1000
