"""What is not wrong with a configuration, and yet not what its author may think."""

from __future__ import annotations

from mirror.settings import Config

SHORT = 16
"""Characters of a token, below which it can be tried out: right ones are never told to wait."""


def cautions(config: Config) -> list[str]:
    """A line for each, with its key."""
    admin, key, found = config.admin, config.server.proxied, []
    if key and not admin.known:
        found.append(
            f"[server] {key} says that a proxy stands in front, and behind it every client looks like this machine: "
            "changes below /-/api are refused until there is a token (`mirror token` makes one)"
        )
    if 0 < len(admin.token) < SHORT:
        found.append(f"[admin] token has fewer than {SHORT} characters and can be guessed (`mirror token` makes one)")
    closed = [mirror.name for mirror in config.mirrors if mirror.access == "token"]
    if closed and admin.reads == "anyone":
        found.append(f'[admin] reads = "anyone": everybody may see what is stored of {", ".join(closed)}')
    return found
