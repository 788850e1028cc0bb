"""Log lines, as text or JSON: one per event, without secrets; many of them in one write where they are many."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from mirror.masking import masked
from mirror.sinks import FileSink, Sink, StreamSink

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

PARTS = (
    *("access", "audit", "engine", "evict", "fill", "forwarding", "generations", "index", "jobs", "lookup", "origin"),
    *("policy", "reload", "rights", "server", "stores", "web"),
)
"""What has a level of its own: the logger `mirror.NAME`."""

_NOISY = ("aiohttp", "asyncio", "httpcore", "httpx", "uvicorn.access")


class Lines(logging.Handler):
    """Writes lines to a sink. `json`: each is an object."""

    def __init__(self, sink: Sink | None = None, *, json: bool = False) -> None:
        super().__init__()
        self.json = json
        self._sink = sink or StreamSink()
        self.setFormatter(Objects() if json else logging.Formatter(FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self._sink.write(f"{text if self.json else masked(text)}\n")  # `Objects` has looked: escapes hide ends

    def many(self, level: str, name: str, events: Iterable[tuple[float, str]]) -> None:
        """Lines (wall clock in seconds, message) as `FORMAT` has them, in one write: a record for each would cost more
        than what it tells of. With `json` the messages are members of an object. Secrets are not looked for."""
        written, second, before, between, behind = [], -1, "", "", "\n"
        for at, message in events:
            if int(at) != second:
                second = int(at)
                before, between, behind = _stamp(second, level, name, json=self.json)
            written.append(f"{before}{int(at * 1000) % 1000:03d}{between}{message}{behind}")
        self.acquire()
        try:
            self._sink.write("".join(written))
        finally:
            self.release()

    def close(self) -> None:
        self._sink.close()
        super().close()


def _stamp(second: int, level: str, name: str, *, json: bool) -> tuple[str, str, str]:
    """What stands before the milliseconds, between them and a message, and behind it."""
    if json:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f'{{"time":"{stamp}.', f'Z","level":"{level.lower()}","logger":"{name}",', "}\n"
    return time.strftime("%Y-%m-%d %H:%M:%S,", time.localtime(second)), f" {level:<7} {name}: ", "\n"


class Objects(logging.Formatter):
    """A record as a JSON object: time (RFC 3339, UTC), level, logger, message, and the exception's text if it has one.

    A secret is taken out before the text is escaped, which would hide where it ends.
    """

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        found = {
            "time": f"{stamp}.{int(record.created * 1000) % 1000:03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage()),
        }
        if record.exc_info:
            found["exception"] = masked(self.formatException(record.exc_info))
        return json.dumps(found, ensure_ascii=False)


def begin(
    level: str = "info", levels: Mapping[str, str] | None = None, form: str = "text", file: Path | None = None
) -> None:
    """Send all log lines of `level` and above (of parts: of their own) to standard error, or to that file. May be
    called again. OSError where the file cannot be opened."""
    sink = FileSink(file) if file is not None else StreamSink()
    root = logging.getLogger()
    for before in [handler for handler in root.handlers if isinstance(handler, Lines)]:
        root.removeHandler(before)
        before.close()
    root.addHandler(Lines(sink, json=form == "json"))
    root.setLevel(level.upper())
    for name in PARTS:
        logging.getLogger(f"mirror.{name}").setLevel((levels or {}).get(name, "notset").upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
