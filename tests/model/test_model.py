"""Whatever is done in whatever order, answers are right ones and nothing is left: the product against a simple model.

`MIRROR_TEST_MODEL=SECONDS` tries longer sequences for that long, others each time; a failure prints its steps and the
`@reproduce_failure` that repeats them: time is virtual, and nothing depends on chance.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mirror.errors import MirrorError, OriginError
from mirror.operations import Selection
from tests.conftest import take
from tests.model.expected import ALL, Expected
from tests.model.house import House
from tests.model.upstreams import HOSTS, SIZES, body
from tests.model.virtual import VirtualLoop

LONG = int(os.environ.get("MIRROR_TEST_MODEL", "0"))
PATHS = st.sampled_from(ALL)
FIELDS = st.sampled_from([{}, {}, {}, {"cache-control": "no-cache"}])


class Shouts(logging.Handler):
    """What the product says of faults of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))


class Mirrored(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.house = House(
            self.loop,
            Path(tempfile.mkdtemp(prefix="model-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)),
        )
        self.expected = Expected(self.house)
        self.readers: list[asyncio.Task[None]] = []
        self.shouts = Shouts()
        logging.getLogger("mirror").addHandler(self.shouts)

    @initialize(pace=st.sampled_from([0.0, 0.5, 3.0]))
    def open(self, pace: float) -> None:
        self.house.upstreams.pace = pace
        self.loop.do(self.house.start())

    # What clients do.

    async def _read(self, path: str, part: tuple[int, int] | None, fields: dict[str, str]) -> None:
        house, asked = self.house, self.house.wall()
        well = self.expected.well(asked)
        purged = self.expected.purged.get(path, 0.0)
        sent = {**fields, **({"range": f"bytes={part[0]}-{part[1] - 1}"} if part else {})}
        try:
            reply = await house.ask(path, **sent)
        except OriginError as exc:
            assert not (well and self.expected.well(asked)), f"{path}: {exc!r} although an upstream answers"  # noqa: PT017
            return
        if reply.head.status not in (200, 206):
            await reply.source.close()
            assert reply.head.status == 503, reply.head
            assert not (well and self.expected.well(asked)), f"{path}: the failure of one upstream of two"
            return
        version = int((reply.head.headers.get("etag") or "").strip('"'))
        whole, (start, end) = body(path, version), part or (0, None)
        if purged == self.expected.purged.get(path, 0.0):  # a purge meanwhile is not for who has asked before
            self.expected.check(path, version, asked, well=well and self.expected.well(asked))
        if reply.head.status == 206:
            start, end = 0, None  # the upstream's own
            whole = whole[part[0] : part[1]] if part else whole
        got = await take(reply, start, end if end is None or reply.size is None else min(end, reply.size))
        right = whole[start:end]
        assert right.startswith(got.body), f"{path}: {len(got.body)} bytes are not of version {version}"
        assert got.broke is not None or got.body == right, f"{path}: {len(got.body)} of {len(right)} bytes"
        assert got.broke is None or isinstance(got.broke, MirrorError), repr(got.broke)

    @rule(path=PATHS, fields=FIELDS)
    def request(self, path: str, fields: dict[str, str]) -> None:
        self.loop.do(self._read(path, None, fields))

    @rule(path=PATHS, where=st.floats(0, 0.99), share=st.floats(0.01, 1))
    def range(self, path: str, where: float, share: float) -> None:
        start = int(where * SIZES[path])
        end = min(SIZES[path], start + max(1, int(share * SIZES[path])))
        self.loop.do(self._read(path, (start, end), {}))

    @rule(paths=st.lists(PATHS, min_size=1, max_size=5), wait=st.sampled_from([0.0, 0.3, 1.0, 4.0]))
    def begin(self, paths: list[str], wait: float) -> None:
        """Several begin to read, and are not waited for."""
        self.readers += [self.loop.create_task(self._read(path, None, {})) for path in paths]
        self.loop.do(asyncio.sleep(wait))

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 9))
    def leave(self, which: int) -> None:
        """In the middle."""
        reader = self.readers.pop(which % len(self.readers))
        reader.cancel()
        self.loop.do(_over([reader]))

    @rule(seconds=st.sampled_from([0.1, 2.0, 7.0, 30.0, 59.0, 75.0, 130.0, 270.0]))
    def expire(self, seconds: float) -> None:
        for path in ALL if seconds > 1 else ():
            self.house.upstreams.change(path)  # what is served too long is told from what is right
        self.loop.do(asyncio.sleep(seconds))

    # What operators do.

    @rule(path=st.none() | PATHS, soft=st.booleans())
    def purge(self, path: str | None, soft: bool) -> None:
        for changed in (path,) if path else ALL:
            self.house.upstreams.change(changed)
        self.loop.do(asyncio.sleep(2))
        began = self.house.wall()
        running: dict[str, float] = {}
        for name, since in self.house.upstreams.open.values():
            running[name] = min(since, running.get(name, since))
        for fill in self.house.fills.running():  # also what rests between two attempts, and is joined
            name, since = fill.key.removeprefix("/o"), began - self.loop.time() + fill.started
            running[name] = min(since, running.get(name, since))
        chosen = Selection(urls=(f"/o{path}",)) if path else Selection(everything=True)
        self.loop.do(self.house.operations.purge(chosen, soft=soft))
        self.expected.purge((path,) if path else ALL, began, soft=soft, running=running)

    @rule()
    def restart(self) -> None:
        self.loop.do(self.house.stop())
        self.loop.do(_over(self.readers))
        self.loop.do(self.house.start())

    @rule()
    def crash(self) -> None:
        self.loop.do(self.house.crash())
        self.loop.do(_over(self.readers))
        self.loop.do(self.house.start())

    # What the world does.

    @rule(path=PATHS)
    def change(self, path: str) -> None:
        self.house.upstreams.change(path)

    @rule(hosts=st.sampled_from([HOSTS, HOSTS[:1], HOSTS[1:]]), mood=st.sampled_from(["down", "busy", "cut", "silent"]))
    def fail(self, hosts: tuple[str, ...], mood: Any) -> None:
        for host in hosts:
            self.house.upstreams.failed(host)
            self.house.upstreams.mood[host] = mood

    @rule()
    def recover(self) -> None:
        self.house.upstreams.mood = dict.fromkeys(HOSTS, "up")
        for host in HOSTS:
            self.house.upstreams.failed(host)

    # What chance puts together too seldom.

    @rule(path=PATHS, mood=st.sampled_from(["down", "busy"]), seconds=st.sampled_from([90.0, 180.0, 300.0]))
    def outage(self, path: str, mood: Any, seconds: float) -> None:
        self.recover()
        self.request(path, {})
        self.fail(HOSTS, mood)
        self.expire(seconds)
        self.request(path, {})

    @rule(path=PATHS, soft=st.booleans())
    def purge_in_mid_download(self, path: str, soft: bool) -> None:
        self.begin([path], 1.0)
        self.purge(path, soft)
        self.request(path, {})
        self.expire(7.0)
        self.request(path, {})

    @rule(full=st.booleans())
    def disk(self, full: bool) -> None:
        self.house.full = full

    # What always holds.

    @invariant()
    def nobody_got_anything_wrong(self) -> None:
        for reader in [reader for reader in self.readers if reader.done()]:
            self.readers.remove(reader)
            reader.result()
        assert not self.shouts.heard, self.shouts.heard

    @rule()
    def settle(self) -> None:
        """All who read come to their end: nothing else is there then than what is stored."""
        self.loop.do(_over(self.readers))
        self.loop.do(self.house.quiet())
        found = self.loop.do(self.house.leftovers())
        assert not found, found

    def teardown(self) -> None:
        try:
            if hasattr(self.house, "stores"):
                self.settle()
                self.nobody_got_anything_wrong()
                self.loop.do(self.house.stop())
            assert not (left := asyncio.all_tasks(self.loop)), left
            assert not self.house.descriptors(), self.house.descriptors()
            assert not self.loop.troubles, self.loop.troubles
        finally:
            logging.getLogger("mirror").removeHandler(self.shouts)
            self.house.end()
            self.loop.close()


async def _over(readers: list[asyncio.Task[None]]) -> None:
    if readers:
        await asyncio.wait(readers)


pytestmark = [pytest.mark.row(53), pytest.mark.timeout(120 + LONG)]
SHORT = settings(
    max_examples=40,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def test_it_is_as_the_model_says() -> None:
    """Seen red: what is stored may always stand in for an upstream that failed: the model knows better."""
    run_state_machine_as_test(Mirrored, settings=SHORT)
    until, sequences = time.perf_counter() + LONG, 0
    while time.perf_counter() < until:
        longer = settings(SHORT, derandomize=False, stateful_step_count=60, max_examples=10)
        run_state_machine_as_test(Mirrored, settings=longer)
        sequences += 10
    print(f"{sequences} longer sequences in {LONG} s")
