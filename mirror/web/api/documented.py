"""How a route documents what it refuses: status by status, each with the shape that all of our errors have."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """An error of ours (RFC 9457); `error` repeats `detail`."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str = Field(description="a sentence that a person understands")
    error: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can refuse with these."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}
