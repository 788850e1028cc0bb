"""`GET /-/api/docs`: the admin API as a plain page, made of its OpenAPI description. It loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

Schema = dict[str, Any]

_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>mirror: admin API</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
:root { color-scheme: light dark }
h2 { font: 600 1rem/1.5 ui-monospace, monospace; margin: 2rem 0 0 }
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid #8886; padding: .2rem 1rem .2rem 0; vertical-align: top }
td:first-child { width: 12rem; font-family: ui-monospace, monospace }
</style>
<h1>Admin API</h1>
<p>The same for programs: <a href="/-/api/openapi.json">openapi.json</a>. Bodies are JSON. A token is shown as
<code>Authorization: Bearer TOKEN</code>, or as the password of any user.</p>
"""
_FIELDS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


def routes(description: Callable[[], Schema]) -> APIRouter:
    """The route; `description` is asked each time, because it has all routes when they are there."""
    router = APIRouter()

    @router.head("/-/api/docs", include_in_schema=False)
    @router.get("/-/api/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(description()), headers=_FIELDS)

    return router


def page(schema: Schema) -> str:
    """An OpenAPI description as HTML: each operation with its parameters, its body's fields and its answers."""
    sections = (
        _operation(schema, method.upper(), path, operation)
        for path, methods in schema.get("paths", {}).items()
        for method, operation in methods.items()
    )
    return _HEAD + "\n".join(sections)


def _operation(schema: Schema, method: str, path: str, operation: Schema) -> str:
    rows = [
        (f"{each['name']} ({each['in']})", _told(each.get("schema", {}), each))
        for each in operation.get("parameters", ())
    ]
    rows += _body(schema, operation)
    rows += [(status, answer.get("description", "")) for status, answer in operation.get("responses", {}).items()]
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>\n" for name, text in rows)
    said = escape(operation.get("description") or operation.get("summary", ""))
    return f"<h2>{escape(method)} {escape(path)}</h2>\n<p>{said}</p>\n<table>\n{cells}</table>"


def _body(schema: Schema, operation: Schema) -> Iterator[tuple[str, str]]:
    content = operation.get("requestBody", {}).get("content", {})
    for kind in content.values():
        name = kind.get("schema", {}).get("$ref", "").rpartition("/")[2]
        model = schema.get("components", {}).get("schemas", {}).get(name, {})
        for field, told in model.get("properties", {}).items():
            yield field, _told(told, told)


def _told(kind: Schema, described: Schema) -> str:
    """A field's type, its default, and what it is."""
    types = [one.get("type", one.get("$ref", "").rpartition("/")[2]) for one in kind.get("anyOf", (kind,))]
    parts = [" or ".join(filter(None, types))]
    if kind.get("default") not in (None, ""):
        parts.append(f"default {kind['default']}")
    return ", ".join(filter(None, parts)) + (f": {text}" if (text := described.get("description", "")) else "")
