"""What is written of the metrics is what the server tells: the table, and the dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mirror.counters import Counters
from mirror.web.families import FAMILIES, Family
from mirror.web.metrics import Sources, Told

DOCS = Path(__file__).parents[1] / "docs"
EVERYWHERE = {"le", "job", "instance"}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """The families that a server tells, by name."""
    sources = Sources(Counters(["a"]), dict, lambda: {"http://upstream.test": "down"}, lambda: (1, 2, 3))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Told(sources))
    return {_name(family): family for family in text_string_to_metric_families(generate_latest(registry).decode())}


def _name(family: Any) -> str:
    return f"{family.name}_total" if family.type == "counter" else str(family.name)


def rows() -> Iterator[Family]:
    for line in (DOCS / "metrics.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `mirror_"):
            name, kind, labels, text = cells
            assert kind in ("counter", "gauge", "histogram")
            yield Family(name.strip("`"), kind, tuple(re.findall(r"`(\w+)`", labels)), text)  # type: ignore[arg-type]


def test_the_table_is_what_is_declared() -> None:
    assert tuple(rows()) == FAMILIES


def test_what_is_declared_is_what_is_told(told: dict[str, Any]) -> None:
    assert list(told) == [family.name for family in FAMILIES]
    for family in FAMILIES:
        found = told[family.name]
        assert (found.type, found.documentation) == (family.kind, family.text)
        assert found.samples, family.name
        labels = {frozenset(sample.labels) - {"le"} for sample in found.samples}
        assert labels == {frozenset(family.labels)}, family.name


def test_names_are_as_prometheus_wants_them() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"mirror_[a-z0-9_]+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert family.kind != "histogram" or family.name.endswith("_seconds")
        assert not set(family.labels) & EVERYWHERE


def test_the_dashboard_asks_for_metrics_and_labels_that_there_are(told: dict[str, Any]) -> None:
    board = json.loads((DOCS / "grafana.json").read_text())
    assert board["schemaVersion"] >= 36
    samples = {sample.name: set(sample.labels) for family in told.values() for sample in family.samples}
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [variable["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    used = set()
    for expression in asked:
        for name, selector in re.findall(r"\b(mirror_\w+)(?:\{([^}]*)\})?", expression):
            assert name in samples, expression
            assert set(re.findall(r"(\w+)=~?\"", selector)) <= samples[name], expression
            used.add(re.sub(r"_(bucket|count|sum)$", "", name))
        for group in re.findall(r"by \(([^)]*)\)", expression):
            known = set().union(*(samples[name] for name in re.findall(r"\bmirror_\w+", expression)))
            assert {label.strip() for label in group.split(",")} <= known, expression
    assert used == {family.name for family in FAMILIES}, "each metric has a place on it"


def test_the_panels_of_the_dashboard_are_whole_and_do_not_overlap() -> None:
    panels = json.loads((DOCS / "grafana.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        columns = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        assert {target["refId"] for target in panel["targets"]} == set("ABCDEF"[: len(panel["targets"])])
