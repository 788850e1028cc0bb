"""Replies as ASGI messages: zero-copy where the server offers it, chunks elsewhere, and clean fields."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mirror.errors import MirrorError, NotFound, OriginError, OriginResting, OriginTimeout
from mirror.model import Head, Headers, Request
from mirror.outcome import Outcome
from mirror.ports import Piece
from mirror.reply import InMemory, Reply
from mirror.web.replies import ZERO_COPY, Sent, send_error, send_reply

BODY = bytes(range(256)) * 20


def bodiless(told: Head, size: int, outcome: Outcome) -> Reply:
    """A reply to a HEAD: its fields, and no byte."""
    return Reply(told, size, InMemory(b""), outcome)


class Span:
    """A span over an open file that is all in memory."""

    def __init__(self, fd: int, offset: int, count: int) -> None:
        self.fd, self.offset, self.count = fd, offset, count

    def in_memory(self, offset: int, count: int) -> bool:
        return True

    async def chunks(self, offset: int | None = None, count: int | None = None) -> AsyncIterator[bytes]:
        await asyncio.sleep(0)
        yield os.pread(self.fd, self.count if count is None else count, self.offset if offset is None else offset)


class File:
    def __init__(self, fd: int) -> None:
        self.fd, self.closed = fd, False

    async def read(self, start: int, end: int | None) -> AsyncGenerator[Piece, None]:
        yield Span(self.fd, start, (len(BODY) if end is None else end) - start)

    async def close(self) -> None:
        self.closed = True


def head(**fields: str) -> Head:
    given = {"content-length": str(len(BODY)), "etag": '"x"', "date": "Thu, 01 Jan 2026 00:00:00 GMT"}
    return Head(200, Headers.of(given | {name.replace("_", "-"): value for name, value in fields.items()}), 1.0, 1.0)


async def send(reply: Reply, sent: Sent, method: str = "GET", **fields: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []

    async def taking(message: dict[str, Any]) -> None:
        messages.append(message)

    named = Headers.of({name.replace("_", "-"): value for name, value in fields.items()})
    await send_reply(reply, Request(method, "/x", headers=named), taking, sent, 2.0)
    return messages


@pytest.mark.parametrize("zero_copy", [True, False])
async def test_a_file_goes_by_descriptor_where_the_server_can_and_in_chunks_elsewhere(
    tmp_path: Path, zero_copy: bool
) -> None:
    (tmp_path / "f").write_bytes(BODY)
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    try:
        file, sent = File(fd), Sent(zero_copy=zero_copy)
        messages = await send(Reply(head(), len(BODY), file, Outcome(hit=True)), sent, range="bytes=10-4000")
        kinds = {message["type"] for message in messages}
        assert (ZERO_COPY in kinds) is zero_copy
        got = b"".join(
            os.pread(fd, m["count"], m["offset"]) if m["type"] == ZERO_COPY else m.get("body", b"")
            for m in messages[1:]
        )
        assert got == BODY[10:4001]
        assert (messages[0]["status"], sent.count, sent.complete, file.closed) == (206, 3991, True, True)
    finally:
        os.close(fd)


async def test_control_characters_of_the_origin_do_not_split_a_response(tmp_path: Path) -> None:
    messages = await send(bodiless(head(x_a="a\r\nset-cookie: b\x01"), 5, Outcome()), Sent(), "HEAD")
    assert (b"x-a", b"aset-cookie: b") in messages[0]["headers"]


async def test_head_on_a_cold_cache_answers_conditions_and_tells_of_ranges() -> None:
    messages = await send(bodiless(head(), len(BODY), Outcome(fwd="uri-miss")), Sent(), "HEAD")
    assert (b"accept-ranges", b"bytes") in messages[0]["headers"]
    messages = await send(bodiless(head(), len(BODY), Outcome(fwd="uri-miss")), Sent(), "HEAD", if_none_match='"x"')
    assert messages[0]["status"] == 304


async def test_what_caches_before_us_said_stays_and_ours_comes_behind() -> None:
    reply = bodiless(head(cache_status="up; hit", via="1.1 up", x_cache="HIT"), 5, Outcome(fwd="uri-miss"))
    fields = dict((await send(reply, Sent(), "HEAD"))[0]["headers"])
    assert fields[b"cache-status"] == b"up; hit, mirror; fwd=uri-miss"
    assert (fields[b"via"], fields[b"x-cache"]) == (b"1.1 up, 1.1 mirror", b"MISS")


@pytest.mark.parametrize(
    ("error", "asked"),
    [(OriginError("x"), "5"), (OriginResting("x"), "5"), (OriginTimeout("x"), "5"), (NotFound("x"), None)],
)
async def test_a_failure_says_when_to_come_again_where_that_is_known(error: MirrorError, asked: str | None) -> None:
    assert (await failure(error)).get("retry-after") == asked
    error.retry_after = 1.2
    assert (await failure(error)).get("retry-after") == (asked and "2")


async def failure(error: MirrorError) -> dict[str, str]:
    messages: list[dict[str, Any]] = []

    async def taking(message: dict[str, Any]) -> None:
        messages.append(message)

    await send_error(error, "GET", taking, Sent(), 2.0)
    return {name.decode(): value.decode() for name, value in messages[0]["headers"]}
