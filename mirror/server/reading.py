"""The part of a connection that reads: one request after the other, none longer than it may be.

The parser cannot be stopped in the middle of what it is given, so it is given what may be one request at most: what
lies behind that is held until the request is answered, and meanwhile the client is not read any more.

Requests without a prepared reply wait in line before they are parsed: the loop tells of all sockets that have something
before it does anything else, and those of a storm took as long as what they ask for.
"""

from __future__ import annotations

from typing import NoReturn

import httptools

from mirror.server.hot import END, head_of
from mirror.server.ready import PreparedProtocol
from mirror.turnstile import Turnstile

FRAMING = (b"content-length", b"transfer-encoding")

_NONE = (400, "no HTTP request that can be understood")


class ReadingProtocol(PreparedProtocol):
    """See the module. What cannot be read is refused by `_refuse`."""

    _silent = False  # what is parsed is a head of ours
    _in_head = False
    _in_line = False  # what came may begin a request, which waits for its turn
    _in_message = False  # a request was begun and is not read to its end
    _head: bytes | None = None  # the bytes of the request that is being read, where it is known by them
    _held = b""  # what came and is not parsed from `_at` on
    _at = 0
    _size = 0  # bytes of this head's fields
    _loose = 0  # bytes since something was made of them: the parser keeps a field that does not end
    _received = 0  # bytes of bodies
    _refusal = _NONE  # what is said when the parser stops
    _over = False  # it was, and what still comes is thrown away

    def data_received(self, data: bytes) -> None:
        """At once where the reply is prepared; else in turn."""
        if (
            not self._in_message
            and not self._in_line
            and self._direct is None
            and (self.cycle is None or self.cycle.response_complete)
            and (kept := self._table.get(data)) is not None
            and self._answered(kept, data)
        ):
            return
        self._held += data
        if self._in_line:
            self.flow.pause_reading()
        else:
            self._parse()

    def _idle(self) -> bool:
        """Whether nothing of a request is here, and all that were read are answered."""
        if self._in_message or self._in_line or self._direct is not None:
            return False
        return self.cycle is None or self.cycle.response_complete

    def _go_on(self) -> None:
        if self.transport.is_closing():
            return
        self._parse()
        if not self._held:
            self.flow.resume_reading()

    def _wait_in_line(self) -> None:
        self._in_line = True
        line: Turnstile = self.config.line  # type: ignore[attr-defined]
        line.enter(self._turn)

    def _turn(self) -> None:
        """Read the request that has waited for it, if its client has."""
        self._in_line = False
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self._parse(may_begin=True)

    def _parse(self, may_begin: bool = False) -> None:
        """Read what came, up to the end of a request that is not answered yet. `may_begin`: its turn has come."""
        while self._at < len(self._held) and (self._in_message or self._idle()) and not self._gone():
            blank = self._held.find(END, self._at)
            end = len(self._held) if blank < 0 else blank + len(END)
            piece, begins = self._held[self._at : end], not self._in_message
            if begins and self._prepared(piece):
                self._at = end
            elif begins and not may_begin:
                self._wait_in_line()
                return
            else:
                self._at, may_begin = end, False
                self._parse_piece(piece)
        if self._at == len(self._held) or self._gone():
            self._held, self._at = b"", 0
        else:
            self.flow.pause_reading()

    def _prepared(self, piece: bytes) -> bool:
        """Whether it was a request that has been answered with its prepared reply."""
        return (kept := self._table.get(piece)) is not None and self._answered(kept, piece)

    def _gone(self) -> bool:
        return self._over or self.transport.is_closing()

    def _parse_piece(self, piece: bytes) -> None:
        self._head = None if self._in_message else head_of(piece)
        self._loose += len(piece)
        try:
            self._feed(piece)
        except httptools.HttpParserError:
            self._refuse(*self._refusal)
        else:
            if self._loose > self.limits.head:
                self._refuse(431, f"more than {self.limits.head} bytes of what frames a body, or of one field")

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                # An upgrade may be ignored (RFC 9110 §7.8), and curl asks for one as a matter of course. The parser
                # takes the head for the whole message then: what follows is read by another that knows of no upgrade.
                data = data[upgrade.args[0] :]
                self._read_on()

    def _read_on(self) -> None:
        """A parser for the body of the request whose head was read, and for what follows it."""
        framing = [(name, value) for name, value in self.headers if name in FRAMING]
        head = b"".join(b"%s: %s\r\n" % field for field in framing)
        self.parser = httptools.HttpRequestParser(self)
        self._silent = bool(framing)
        if framing:
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + head + b"\r\n")
            self._silent = False

    def _stop(self, status: int, detail: str) -> NoReturn:
        """End the reading with this refusal."""
        self._refusal = (status, detail)
        raise ValueError(detail)

    def _refuse(self, status: int, detail: str) -> None:
        """Nothing is read any more."""
        self._over = self._in_message = True

    def on_message_begin(self) -> None:
        if not self._silent:
            self._in_head = self._in_message = True
            self._size = self._loose = 0
            self._count += 1
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._silent:
            super().on_url(url)
            if len(self.url) > self.limits.target:
                self._stop(414, f"the request target is longer than {self.limits.target} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; those of a trailer are nobody's (RFC 9110 §6.5.1)."""
        if not self._in_head:
            return
        super().on_header(name, value)
        self._loose = 0
        self._size += len(name) + len(value) + 4
        if self._size > self.limits.head or len(self.headers) > self.limits.fields:
            self._stop(431, f"more than {self.limits.fields} fields, or {self.limits.head} bytes of them")

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        self._received += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._silent and not self._body_follows():
            self._in_message = False
            super().on_message_complete()

    def _body_follows(self) -> bool:
        """True where the parser takes a request for complete whose body it will not read."""
        framed = any(name in FRAMING and value.strip(b"0") for name, value in self.headers)
        return framed and bool(self.parser.should_upgrade())
