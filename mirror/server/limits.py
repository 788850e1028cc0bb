"""What a client may send, and how long it is waited for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and seconds. Times are looked at about once a second, and are that much longer at most."""

    target: int = 16 << 10
    """Bytes of a request target (RFC 9110 §4.1 asks for 8,000 at least); 414 for a longer one."""
    fields: int = 256
    """Field lines of a head; 431 for more."""
    head: int = 64 << 10
    """Bytes of the fields of a head; 431 for more. The same for what frames a body, between two pieces of it."""

    head_time: float = 10.0
    """For a head, from its first byte to its last: 408 when it is over; and for a new connection to begin one."""
    body_time: float = 30.0
    """For each `body_least` bytes of a request's body: 408 when it is over."""
    body_least: int = 30_000
    take_time: float = 60.0
    """For a client to take at least one byte of what it is sent: else it is reset."""
    rest_time: float = 60.0
    """Between two requests."""
    leave_time: float = 5.0
    """For a client to hear that it was refused, while what it still sends is thrown away."""
