"""Plays a case: asks a real server, lets the scripted origin answer, and compares what came back with what should."""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from functools import partial

from mirror.model import Headers
from tests.e2e.http_steps import Case, Step
from tests.instruments.call import Call, Heard
from tests.instruments.script import Asked, Reply, Script

PATIENCE = 10.0  # seconds for what happens behind an answer


class Play:
    """One case between a server's port and an origin."""

    def __init__(self, case: Case, port: int, origin: Script) -> None:
        self._case = case
        self._port = port
        self._origin = origin
        self._began = time.time()

    def run(self) -> None:
        for number, step in enumerate(self._case.steps, start=1):
            where = f"{self._case.name}, step {number}"
            self._origin.answer(self._case.name, map(self._filled, step.origin))
            if step.until:
                self._until(step, where)
            else:
                self._compare(step, self._once(step, where), where)
            self._compare_asked(step, where)

    def _until(self, step: Step, where: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._compare(step, self._once(step, where), where)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise

    def _once(self, step: Step, where: str) -> Heard:
        with Call(self._port, self._request(step)) as call:
            head = call.head()
            if step.meanwhile is not None:
                assert call.until(1), f"{where}: no byte of the body before its end"
                self._beside(step.meanwhile, f"{where}, meanwhile")
            return call.rest(head)

    def _beside(self, step: Step, where: str) -> None:
        """Another client, while the answer of the first is held in mid-body, and goes on once this one has a head."""
        with Call(self._port, self._request(step)) as call:
            head = call.head()
            self._origin.release(self._case.name)
            self._compare(step, call.rest(head), where)

    def _request(self, step: Step) -> bytes:
        lines = [f"{step.method} /{self._case.mirror}/{self._case.name}{step.more} HTTP/{step.version}"]
        lines += [f"Host: 127.0.0.1:{self._port}", *map(self._text, step.fields)]
        body = step.body
        if step.chunked:
            lines.append("Transfer-Encoding: chunked")
            body = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        elif body:
            lines.append(f"Content-Length: {len(body)}")
        if not any(line.lower().startswith("connection:") for line in lines):
            lines.append("Connection: close")
        return "\r\n".join((*lines, "", "")).encode("latin-1") + body

    def _filled(self, reply: Reply) -> Reply:
        return Reply(**{name: getattr(reply, name) for name in Reply.__slots__} | {"fields": self._all(reply.fields)})

    def _all(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(self._text, lines))

    def _text(self, line: str) -> str:
        line = line.replace("{path}", f"/{self._case.name}").replace("{origin}", self._origin.url)
        return re.sub(r"\{([+-]\d+) ?(\w*)\}", partial(_date, self._began), line)

    def _compare(self, step: Step, heard: Heard, where: str) -> None:
        told = f"{where}: {heard}"
        assert heard.status == step.status, told
        assert [each.status for each in heard.interim] == list(step.interim), told
        assert heard.whole is not step.broken, told
        assert heard.close is step.close, told
        assert heard.behind == b"", told
        if step.reason:
            assert heard.reason == step.reason, told
        if step.gets is not None:
            assert heard.body == step.gets, told
        if step.matches:
            assert re.fullmatch(step.matches, heard.body), told
        _compare_lines(self._all(step.has), step.lacks, heard.fields, told)
        members = (heard.fields.get("cache-status") or "").split(", ")[-1].split("; ")
        for member in step.cache.split():
            assert (member.removeprefix("!") in members) is not member.startswith("!"), f"{member} in {told}"

    def _compare_asked(self, step: Step, where: str) -> None:
        asked = self._origin.asked(self._case.name, len(step.origin) if step.behind else 0)
        many = bool(step.origin) and step.origin[-1].again
        told = f"{where}: the origin was asked {len(asked)} times: {asked}"
        assert len(asked) == len(step.origin) or (many and len(asked) > len(step.origin)), told
        if asked:
            _compare_lines(self._all(step.told), step.untold, _fields(asked[-1]), told)
            assert step.sent is None or asked[-1].body == step.sent, told


def _compare_lines(has: tuple[str, ...], lacks: tuple[str, ...], fields: Headers, told: str) -> None:
    for line in has:
        name, found, value = line.partition(": ")
        if found:
            assert fields.get(name) == value, f"{line!r} in {told}"
        else:
            name, _, pattern = line.partition("~")
            assert re.search(pattern, fields.get(name) or ""), f"{line!r} in {told}"
    for name in lacks:
        assert name not in fields, f"{name!r} in {told}"


def _fields(asked: Asked) -> Headers:
    return Headers(((":method", asked.method), (":target", asked.target), *asked.fields))


def _date(began: float, match: re.Match[str]) -> str:
    moment = began + int(match[1])
    if match[2] == "asctime":
        return time.asctime(time.gmtime(moment))
    if match[2] == "rfc850":
        return time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(moment))
    return formatdate(moment, usegmt=True)
