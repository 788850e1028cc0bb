"""Errors of ours as Starlette's responses."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from mirror.web.shapes import problem


def refusal(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error of ours as Starlette's response."""
    fields, body = problem(status, detail)
    return Response(body, status, {**dict(fields), **(headers or {})})
