"""The manual's page of the admin API, from the running server's OpenAPI: `python -m tests.docs.api > docs/api.md`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.instruments.server import Served, http_mirror, served

COMMAND = "python -m tests.docs.api > docs/api.md"

INTRODUCTION = """\
# Admin API

Below `/-/api`; OpenAPI at `/-/api/openapi.json`, a plain page of it at `/-/api/docs`. Page and commands are clients
of it. Sizes are bytes, durations seconds, times POSIX seconds. Errors are `application/problem+json` with
`detail` and, the same text, `error`. Unknown parameters and fields are errors.

Who may do what is in [Rights](rights.md). Changes are POST or DELETE, with a body in JSON:

```sh
curl -fsS http://127.0.0.1:8000/-/api/purge -H 'Content-Type: application/json' \\
    -d '{"urls": ["/pypi/simple/six/"], "dry_run": true}'
curl -fsS 'http://127.0.0.1:8000/-/api/entries?mirror=pypi&limit=10'
curl -fsS 'http://127.0.0.1:8000/-/api/explain?url=/pypi/simple/six/'
```

`PURGE /{mirror}/path` removes one address with all its variants: 200, or 404 if nothing was stored.
"""


def page(server: Served) -> str:
    """The page."""
    connection = server.connect()
    connection.request("GET", "/-/api/openapi.json")
    told = json.loads(connection.getresponse().read())
    connection.close()
    return INTRODUCTION + "".join(_routes(told))


def _routes(told: dict[str, Any]) -> Iterator[str]:
    for path, methods in sorted(told["paths"].items()):
        for method, route in methods.items():
            yield f"\n## {method.upper()} {path}\n\n{route.get('description', '').strip()}\n"
            if parameters := [each for each in route.get("parameters", []) if each["in"] != "header"]:
                yield "\n| parameter | meaning |\n|---|---|\n"
                yield from (f"| `{each['name']}` | {_meaning(each, each['schema'])} |\n" for each in parameters)
            if fields := _fields(told, route):
                yield "\n| field of the body | meaning |\n|---|---|\n"
                yield from (f"| `{name}` | {_meaning(field, field)} |\n" for name, field in fields.items())


def _fields(told: dict[str, Any], route: dict[str, Any]) -> dict[str, Any]:
    content = route.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    fields: dict[str, Any] = told["components"]["schemas"][name]["properties"] if name else {}
    return fields


def _meaning(told: dict[str, Any], schema: dict[str, Any]) -> str:
    """What is said of it, and which values there are."""
    said = [" ".join(told.get("description", "").split()).replace("|", "\\|")]
    kinds = [schema, *schema.get("anyOf", [])]
    said += [", ".join(f"`{value}`" for value in kind["enum"]) for kind in kinds if "enum" in kind]
    said += [f"{kind['minimum']} to {kind['maximum']}" for kind in kinds if {"minimum", "maximum"} <= set(kind)]
    return "; ".join(filter(None, said))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), http_mirror("http://127.0.0.1:9")) as server:
        print(page(server), end="")
