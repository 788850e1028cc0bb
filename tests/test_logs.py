"""Log lines: text or JSON, without secrets, whole whoever else writes, and never in the way of serving."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.cli.serve import leveled
from mirror.errors import ConfigError
from mirror.logs import PARTS, Lines, begin
from mirror.settings import LogSettings
from mirror.sinks import AT_ONCE, FileSink, StreamSink

ROOT = Path(__file__).parents[1]


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """One that reaches nobody but who is added to it."""
    logger = logging.Logger("mirror.test")
    yield logger
    for handler in logger.handlers:
        handler.close()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_a_record_is_one_object_with_its_exception(tmp_path: Path, logger: logging.Logger) -> None:
    logger.addHandler(Lines(FileSink(tmp_path / "log"), json=True))
    error = ValueError("of http://user:s3cret@upstream.test/?token=s3cret\nand more")
    try:
        raise error
    except ValueError:
        logger.exception('it "broke" at %s', "/x?sig=s3cret")
    (line,) = lines(tmp_path / "log")
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == ("error", "mirror.test", 'it "broke" at /x?sig=***')
    assert "ValueError: of http://***@upstream.test/?token=***\nand more" in told["exception"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["time"])


@pytest.mark.parametrize("as_json", [True, False])
def test_many_lines_look_as_one_does(tmp_path: Path, logger: logging.Logger, as_json: bool) -> None:
    handler = Lines(FileSink(tmp_path / "log"), json=as_json)
    logger.addHandler(handler)
    logger.info("hello")
    at = time.time()
    handler.many("INFO", "mirror.test", [(at, '"message":"hello"' if as_json else "hello")] * 2)
    found = lines(tmp_path / "log")
    assert len(found) == 3
    if as_json:
        found = [json.dumps(json.loads(line), separators=(",", ":")) for line in found]
    assert len({re.sub(r"\d+", "0", line) for line in found}) == 1


def test_a_text_line_has_no_secret_in_it_and_no_trace_has(tmp_path: Path, logger: logging.Logger) -> None:
    logger.addHandler(Lines(FileSink(tmp_path / "log")))
    error = ValueError("http://user:s3cret@upstream.test/")
    try:
        raise error
    except ValueError:
        logger.exception("/x?token=s3cret")
    text = (tmp_path / "log").read_text()
    assert "s3cret" not in text
    assert "/x?token=***" in text


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_a_file_that_is_gone_is_opened_again(tmp_path: Path, how: str) -> None:
    handler = Lines(FileSink(tmp_path / "log"))
    handler.many("INFO", "mirror.test", [(1.0, "one")])
    if how == "moved":
        (tmp_path / "log").rename(tmp_path / "log.1")
    else:
        (tmp_path / "log").unlink()
    handler.many("INFO", "mirror.test", [(1.0, "two")])
    handler.handle(logging.makeLogRecord({"msg": "three", "levelname": "INFO"}))
    assert [line.rpartition(" ")[2] for line in lines(tmp_path / "log")] == ["two", "three"]
    if how == "moved":
        assert lines(tmp_path / "log.1")[0].endswith(" one")
    handler.close()


def test_processes_that_share_a_file_append_whole_lines(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "log")
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            for _ in range(200):
                sink.write(f"{number}{'x' * 500}\n" * 20)
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    found = lines(tmp_path / "log")
    assert len(found) == 4 * 200 * 20
    assert {len(line) for line in found} == {501}
    sink.close()


@pytest.mark.row(25, at="a log on a full disk: told once")
def test_a_full_disk_is_told_once_and_nothing_is_raised(capfd: pytest.CaptureFixture[str]) -> None:
    sink = FileSink(Path("/dev/full"))
    for _ in range(3):
        sink.write("a line\n")
    sink.close()
    assert capfd.readouterr().err == "the log cannot be written to /dev/full: No space left on device\n"


def test_a_line_that_was_cut_off_is_ended_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink, write, room = FileSink(tmp_path / "log"), os.write, [4]

    def short(fd: int, data: bytes) -> int:
        if not room:
            return write(fd, data)
        count = room.pop()
        if not count:
            raise OSError(28, "No space left on device")
        room.append(0)
        return write(fd, data[:count])

    monkeypatch.setattr(os, "write", short)
    sink.write("a line\n")
    sink.write("another\n")
    assert lines(tmp_path / "log") == ["a li", "another"]
    sink.close()


@pytest.mark.row(40, at="a log that cannot be opened")
def test_a_file_that_cannot_be_opened_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        FileSink(tmp_path / "nowhere" / "log")


def test_a_pipe_that_nobody_reads_is_not_waited_for_and_what_is_lost_is_told() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        sink = StreamSink(stream)
        began = time.monotonic()
        for number in range(3000):
            sink.write(f"{number} {'x' * 100}\n")
        assert time.monotonic() - began < 20
        got = os.read(reading, 1 << 20).decode().splitlines()
        assert got == [f"{number} {'x' * 100}" for number in range(len(got))]
        sink.write("at last\n")
        again = os.read(reading, 1 << 20).decode().splitlines()
        assert again == [f"{3000 - len(got)} lines of the log are lost: nobody read them", "at last"]
    os.close(reading)


def test_long_lines_go_into_a_pipe_too() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        text = f"{'x' * (3 * AT_ONCE)}\n{'y' * 100}\n"
        StreamSink(stream).write(text)
        assert os.read(reading, 1 << 20).decode() == text
    os.close(reading)


def test_whoever_reads_no_more_does_not_end_the_server() -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    os.close(reading)
    StreamSink(stream).write("a line\n")
    stream.close()


def test_each_part_that_logs_has_a_name_for_its_level() -> None:
    named: set[str] = set()
    for path in (ROOT / "mirror").rglob("*.py"):
        named |= set(re.findall(r'getLogger\("mirror\.(\w+)"\)', path.read_text()))
    assert named == set(PARTS)


def test_levels_are_those_of_the_parts(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    try:
        begin("warning", {"origin": "debug", "access": "error"}, "text", tmp_path / "log")
        begin("warning", {"origin": "debug"}, "text", tmp_path / "log")  # again: nothing is said twice
        logging.getLogger("mirror.origin").debug("one")
        logging.getLogger("mirror.fill").info("two")
        logging.getLogger("mirror.access").warning("three")
        logging.getLogger("httpx").info("four")
        assert [line.rpartition(" ")[2] for line in lines(tmp_path / "log")] == ["one", "three"]
    finally:
        begin("warning")
        for handler in [handler for handler in root.handlers if handler not in before[1]]:
            root.removeHandler(handler)
        root.setLevel(before[0])
        logging.getLogger("mirror.access").setLevel(logging.NOTSET)


def test_the_command_line_overrules_the_file_part_by_part() -> None:
    settings = LogSettings("warning", levels={"origin": "error", "fill": "debug"})
    found = leveled(settings, ["info", "origin=debug", "access=warning"])
    assert found == LogSettings("info", levels={"origin": "debug", "fill": "debug", "access": "warning"})
    assert leveled(settings, []) == settings


@pytest.mark.parametrize("given", ["loud", "nowhere=debug", "origin=", "=debug", "origin=loud"])
def test_levels_and_parts_that_there_are_not_are_refused(given: str) -> None:
    with pytest.raises(ConfigError):
        leveled(LogSettings(), [given])
