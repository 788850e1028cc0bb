"""Whole responses to what is no HTTP request, or none for this server."""

from __future__ import annotations

import json
from email.utils import formatdate
from http import HTTPStatus


def refusal(status: int, detail: str) -> bytes:
    """A problem (RFC 9457) on the wire, after which the connection ends."""
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail, "error": detail}
    body = json.dumps(problem).encode()
    allow = "allow: GET, HEAD\r\n" if status == HTTPStatus.METHOD_NOT_ALLOWED else ""
    head = (
        f"HTTP/1.1 {status} {title}\r\n{allow}"
        "content-type: application/problem+json\r\ncache-control: no-store\r\n"
        f"cache-status: mirror; detail=error\r\nx-cache: ERROR\r\ndate: {formatdate(usegmt=True)}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
