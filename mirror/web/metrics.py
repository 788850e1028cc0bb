"""`/-/metrics`: what is counted and measured, as Prometheus reads it."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from mirror.counters import NOBODY, Count, Counters
from mirror.measures import OF_A_MIRROR, OF_A_PROCESS, OUTCOMES, Measure
from mirror.pulse import Vital
from mirror.web.auth import Rights, Role
from mirror.web.families import FAMILIES, PREFIX, Family

NO_MIRROR = "-"
"""The label `mirror` of requests for none; no mirror can have that name."""

STATES = {"up": 0, "busy": 1, "down": 2}

Rows = Iterable[tuple[tuple[str, ...], float | tuple[list[tuple[str, float]], float]]]
"""Of a family: the values of its labels, and a number, or the buckets of a histogram and their sum."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the numbers come from. `fills`: of each mirror that has any, how many, and how many read them; `upstreams`:
    the state of each by name; `disk`: bytes used, at most, and free."""

    counters: Counters
    fills: Callable[[], Mapping[str, tuple[int, int]]]
    upstreams: Callable[[], Mapping[str, str]]
    disk: Callable[[], tuple[int, int, int]]


class Told(Collector):
    """All metrics as they were when this was made."""

    def __init__(self, sources: Sources) -> None:
        counters = sources.counters
        self._rows = counters.sums()
        self._counts = {name: Count.of(row) for name, row in self._rows.items()}
        self._vitals = counters.vitals()
        self._fills = sources.fills()
        self._upstreams = sources.upstreams()
        self._disk = sources.disk()
        self._began = counters.began

    def collect(self) -> Iterator[Metric]:
        """Each family, in the order in which they are declared."""
        sources = {**self._by_mirror(), **self._by_worker(), **self._of_all()}
        for family in FAMILIES:
            yield _told(family, sources[family.name.removeprefix(PREFIX)])

    def _by_mirror(self) -> dict[str, Rows]:
        counts = [(_mirror(name), count) for name, count in self._counts.items()]
        named = [name for name in self._rows if name != NOBODY]
        fills = [(name, self._fills.get(name, (0, 0))) for name in named]
        return {
            "requests_total": [((name, each), count.requests[each]) for name, count in counts for each in OUTCOMES],
            "first_byte_seconds": self._histograms("first_byte"),
            "served_bytes_total": [((name,), count.served) for name, count in counts],
            "saved_bytes_total": [((name,), count.saved) for name, count in counts],
            "fetched_bytes_total": [((name,), count.fetched) for name, count in counts],
            "fills": [((name,), each[0]) for name, each in fills],
            "followers": [((name,), each[1]) for name, each in fills],
            "upstream_head_seconds": self._histograms("head", none=False),
            "upstream_errors_total": self._numbers("failed"),
            "verification_failures_total": self._numbers("refuted"),
            "evictions_total": self._numbers("evicted", none=True),
            "evicted_bytes_total": self._numbers("evicted_bytes", none=True),
            "cache_refused_total": self._numbers("unstored"),
            "policy_refused_total": self._numbers("withheld"),
        }

    def _histograms(self, measure: str, *, none: bool = True) -> Rows:
        found = OF_A_MIRROR[measure]
        for name, row in self._rows.items():
            if name != NOBODY or none:
                for value in found.values:
                    yield (_mirror(name), *filter(None, (value,))), _histogram(found, row, value)

    def _numbers(self, measure: str, *, none: bool = False) -> Rows:
        found = OF_A_MIRROR[measure]
        for name, row in self._rows.items():
            if name != NOBODY or none:
                for value in found.values:
                    yield (_mirror(name), *filter(None, (value,))), row[found.place(value)]

    def _by_worker(self) -> dict[str, Rows]:
        def each(of: Callable[[Vital], float]) -> Rows:
            return [((str(number),), of(vital)) for number, vital in self._vitals.items()]

        lag = OF_A_PROCESS["lag"]
        return {
            "event_loop_lag_seconds": [((str(n),), _histogram(lag, each.row)) for n, each in self._vitals.items()],
            "event_loop_lag_max_seconds": each(lambda vital: vital.lag),
            "connections": each(lambda vital: vital.connections),
        }

    def _of_all(self) -> dict[str, Rows]:
        used, limit, free = self._disk
        return {
            "upstream_state": [((name,), STATES[state]) for name, state in self._upstreams.items()],
            "disk_used_bytes": [((), used)],
            "disk_limit_bytes": [((), limit)],
            "disk_free_bytes": [((), free)],
            "workers": [((), sum(vital.alive for vital in self._vitals.values()))],
            "build_info": [((version("mirror"), platform.python_version()), 1)],
            "start_time_seconds": [((), self._began)],
        }


def _mirror(name: str) -> str:
    return NO_MIRROR if name == NOBODY else name


def _histogram(measure: Measure, row: list[int], value: str = "") -> tuple[list[tuple[str, float]], float]:
    names = [*map(str, measure.bounds), "+Inf"]
    total, buckets = 0, []
    for name, count in zip(names, measure.buckets(row, value), strict=True):
        total += count
        buckets.append((name, float(total)))
    return buckets, measure.seconds(row, value)


def _told(family: Family, rows: Rows) -> Metric:
    match family.kind:
        case "counter":
            metric: Metric = CounterMetricFamily(family.name, family.text, labels=family.labels)
        case "gauge":
            metric = GaugeMetricFamily(family.name, family.text, labels=family.labels)
        case "histogram":
            metric = HistogramMetricFamily(family.name, family.text, labels=family.labels)
    for labels, value in rows:
        if isinstance(value, tuple):
            metric.add_metric(labels, buckets=value[0], sum_value=value[1])  # type: ignore[attr-defined]
        else:
            metric.add_metric(labels, value)  # type: ignore[attr-defined]
    return metric


def routes(sources: Sources, rights: Rights) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["health"])

    @router.head("/metrics", include_in_schema=False, dependencies=[rights.needs(Role.READ)])
    @router.get("/metrics", dependencies=[rights.needs(Role.READ)], response_class=Response)
    async def metrics(request: Request) -> Response:
        """What is counted and measured, over all processes: Prometheus' text, or OpenMetrics to who accepts that."""
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Told(sources))
        text = await asyncio.to_thread(encode, registry)  # some milliseconds, which requests need not wait for
        return Response(text, media_type=kind)

    return router
