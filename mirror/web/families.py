"""The metrics, declared: name, type, labels, meaning. `docs/metrics.md` says the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "mirror_"

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric, by its name as it is told, prefix and all."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    text: str


def _counter(name: str, *labels: str, text: str) -> Family:
    return Family(f"{PREFIX}{name}_total", "counter", labels, text)


def _gauge(name: str, *labels: str, text: str) -> Family:
    return Family(f"{PREFIX}{name}", "gauge", labels, text)


def _histogram(name: str, *labels: str, text: str) -> Family:
    return Family(f"{PREFIX}{name}_seconds", "histogram", labels, text)


FAMILIES = (
    _counter("requests", "mirror", "outcome", text="Requests that have ended, by what became of them"),
    _histogram("first_byte", "mirror", "outcome", text="Seconds until the first byte of the body went out"),
    _counter("served_bytes", "mirror", text="Bytes of bodies that went out to clients"),
    _counter("saved_bytes", "mirror", text="Of the bytes served, those that came from the store"),
    _counter("fetched_bytes", "mirror", text="Bytes of bodies that came from upstreams"),
    _gauge("fills", "mirror", text="Downloads that run"),
    _gauge("followers", "mirror", text="Readers of the downloads that run"),
    _histogram("upstream_head", "mirror", text="Seconds until an upstream's status and fields came, over redirects"),
    _counter("upstream_errors", "mirror", "kind", text="What upstreams did wrong"),
    _gauge("upstream_state", "upstream", text="How an upstream does: 0 up, 1 busy (asked last), 2 down (not asked)"),
    _counter("verification_failures", "mirror", text="Bodies whose length or digest was not what was announced"),
    _counter("evictions", "mirror", text="Stored bodies that had to go for room"),
    _counter("evicted_bytes", "mirror", text="Bytes on disk of what had to go"),
    _counter("cache_refused", "mirror", "reason", text="Bodies that are not stored, by what is in the way"),
    _counter("policy_refused", "mirror", "rule", text="Requests that the policy has refused, by the rule that decided"),
    _gauge("disk_used_bytes", text="Bytes that the cache takes, or has promised to downloads that run"),
    _gauge("disk_limit_bytes", text="Bytes that the cache may take (max_size)"),
    _gauge("disk_free_bytes", text="Bytes that are free on the file system of the cache"),
    _histogram(
        "event_loop_lag", "worker", text="Seconds by which the event loop was late, looked at ten times a second"
    ),
    _gauge("event_loop_lag_max_seconds", "worker", text="The largest lag of the last half minute, to a minute"),
    _gauge("connections", "worker", text="Open connections of clients"),
    _gauge("workers", text="Processes that serve now"),
    _gauge("build_info", "version", "python", text="Always 1; what runs"),
    _gauge("start_time_seconds", text="When the server was started, seconds since 1970"),
)
