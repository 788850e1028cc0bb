"""The record of what was handed out: who got which artifact, when, and what the policy said. It is only appended to.

audit/
├── 000001.2026-11-27.jsonl     an object a line; a file for each day, and a new one where it would be too large
├── 000002.2026-11-28.jsonl
└── head                        number and hash of the last line, its file and that file's size; also the lock

All processes of a server write one chain: each line has a number and the hash of the line before it, over the ends of
files. Whoever writes holds the lock; lines are on disk before the head says that they are there.
"""
