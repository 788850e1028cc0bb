"""What is said of the mirrors, by `mirror serve` when it starts and by `mirror check`."""

from __future__ import annotations

from mirror import pointers, setup
from mirror.model import Mirror
from mirror.settings import Config


def welcome(config: Config) -> str:
    """What the server says when it starts: its address, the mirrors, and the line that points each client here."""
    base = setup.address(config.server)
    lines = [f"mirror at {base}/  (cache: {config.cache.path})", ""]
    for mirror in config.mirrors:
        lines.append(f"  /{mirror.name}/  {mirror.ecosystem}, from {upstreams(mirror)}")
        lines += [f"      {line}" for line in pointers.welcome(mirror, base) if not mirror.unavailable]
    return "\n".join(lines) + "\n"


def upstreams(mirror: Mirror) -> str:
    """Where what the mirror has comes from, or why it comes from nowhere."""
    if mirror.ecosystem == "any":
        return ", ".join(mirror.reach.hosts or ()) or "no host yet (write them into `allow`)"
    return f"unavailable: {mirror.unavailable}" if mirror.unavailable else ", ".join(mirror.upstreams)
