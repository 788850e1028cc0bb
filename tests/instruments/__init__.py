"""Test instruments: checkable bodies, an origin with faults, a verifying reader, a hand-wound clock."""
