"""What FastAPI serves below `/-/`, with a description of it (OpenAPI) that says what is answered."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI


class Site(FastAPI):
    """FastAPI's application. What does not validate is answered with a 400 as all else that is wrong, not with 422."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if self.openapi_schema is None:
            described = super().openapi()
            for path in described["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                described.get("components", {}).get("schemas", {}).pop(name, None)
        return self.openapi_schema or {}
