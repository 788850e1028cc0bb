"""Exit codes of the command line."""

from __future__ import annotations

DONE = 0
FOUND = 1
"""Found or failed something."""
WRONG = 2
"""Wrong usage or configuration."""
INTERRUPTED = 130
"""By Ctrl-C, as shells say it."""
