"""What a server tells its supervisor, and what workers tell theirs."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.server.beats import Beats
from mirror.server.systemd import Notify, address, inherited, notify
from mirror.server.upward import Upward, told
from tests.instruments.clock import Clock


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(20)
        yield listening


class TestNotify:
    def test_nobody_is_told_where_nobody_listens(self, tmp_path: Path) -> None:
        for teller in (Notify(), Notify(str(tmp_path / "none"))):
            teller.ready("serves")
            teller.stopping()

    def test_lines_stay_lines_whatever_a_status_says(self, heard: socket.socket) -> None:
        Notify(heard.getsockname()).ready("wrong:\nSTOPPING=1\n" + "x" * 5000)
        lines = heard.recv(10_000).decode().splitlines()
        assert lines[:1] == ["READY=1"]
        assert len(lines) == 2
        assert len(lines[1]) <= 2000

    def test_a_name_in_the_abstract_is_one_too(self) -> None:
        name = f"mirror-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(f"\0{name}")
            listening.settimeout(20)
            Notify(f"@{name}").stopping()
            assert listening.recv(100).startswith(b"STOPPING=1")

    def test_life_is_told_at_half_of_the_time_and_not_more_often(self, heard: socket.socket) -> None:
        clock = Clock(100.0)
        environment = {
            "NOTIFY_SOCKET": heard.getsockname(),
            "WATCHDOG_USEC": "3000000",
            "WATCHDOG_PID": str(os.getpid()),
        }
        teller = notify(environment)
        assert environment == {}
        assert teller.alive == 1.5
        teller = Notify(heard.getsockname(), teller.alive, clock)
        count = 0
        heard.setblocking(False)
        for _ in range(100):
            teller.lives()
            clock.now += 0.1
            try:
                count += heard.recv(100) == b"WATCHDOG=1"
            except BlockingIOError:
                continue
        assert count == 7

    @pytest.mark.parametrize("pid", ["1", "nonsense"])
    def test_what_is_said_to_another_process_is_not_for_us(self, pid: str) -> None:
        assert notify({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": pid}).alive == 0.0
        environment = {"LISTEN_PID": pid, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x"}
        assert inherited(environment) == []
        assert environment == {}


def test_where_a_socket_listens_is_told_as_it_is_configured(tmp_path: Path) -> None:
    for family, where in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, str(tmp_path / "s"))):
        with socket.socket(family) as listening:
            listening.bind(where)
            name = listening.getsockname()
            assert str(address(listening)) == (f"unix:{where}" if isinstance(where, str) else f"127.0.0.1:{name[1]}")


class TestBeats:
    def test_looks_without_a_beat_are_counted(self) -> None:
        beats = Beats(2)
        beat = beats.of(1)
        beat()
        assert [beats.missed(1) for _ in range(3)] == [0, 1, 2]
        beat()
        assert beats.missed(1) == 0
        assert [beats.missed(0) for _ in range(2)] == [0, 1]

    def test_another_process_in_the_same_row_begins_anew(self) -> None:
        beats = Beats(1)
        assert [beats.missed(0) for _ in range(3)] == [0, 1, 2]
        beats.forget(0)
        assert beats.missed(0) == 0


def test_all_that_the_holder_says_is_heard_in_order_and_no_room_is_no_error() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        upward = Upward(theirs)
        assert list(told(ours)) == []
        assert upward.refused("wrong\n" + "x" * 5000)
        assert upward.refused("again")
        reasons = [reason for reason in told(ours) if isinstance(reason, str)]
        assert [len(reason) for reason in reasons] == [2000, 5]
        while upward.refused("x"):
            pass
        assert {*told(ours)} == {"x"}
        assert upward.refused("y")
