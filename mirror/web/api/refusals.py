"""Errors of ours as Starlette's responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mirror.errors import MirrorError, RequestError
from mirror.web.shapes import problem


def refusal(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error of ours as Starlette's response."""
    fields, body = problem(status, detail)
    return Response(body, status, {**dict(fields), **(headers or {})})


def told_as_problems(site: FastAPI) -> None:
    """Have all errors of a site told as our own are."""
    site.add_exception_handler(MirrorError, _mirror_error)
    site.add_exception_handler(RequestValidationError, _invalid)
    site.add_exception_handler(HTTPException, _refused)


async def _mirror_error(_request: Request, exc: Exception) -> Response:
    status = exc.status if isinstance(exc, MirrorError) else 500
    return refusal(status, str(exc))


async def _refused(_request: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    return refusal(exc.status_code, str(exc.detail), exc.headers)


async def _invalid(_request: Request, exc: Exception) -> Response:
    problems: list[Any] = list(exc.errors()) if isinstance(exc, RequestValidationError) else []
    lines = [f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in problems]
    return refusal(RequestError.status, "; ".join(lines) or str(exc))
