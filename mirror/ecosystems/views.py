"""What somebody may see of a document: asked of a view for one artifact after the other."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from urllib.parse import unquote

from mirror.errors import Withheld
from mirror.model import Fact
from mirror.policy.artifact import Artifact, Verdict

View = Callable[[Artifact], Verdict]
"""What the rules say of an artifact, now. A document leaves out what is `refused`."""

Seen = Callable[[str], float | None]
"""When the mirror first saw a file named, by the name of its fact (`Fact.name`); None: it has not."""

FIRST_SEEN = "_mirror-first-seen"
"""The member of a project's page that names the files whose time of upload is when the mirror first saw them."""

_MOST = 10
_LONGEST = 255


class Judge:
    """Asks a view, and keeps what follows for the whole document. Without a view all may be seen.

    `until` is the earliest instant (seconds since the epoch) at which one of the verdicts may change.
    """

    def __init__(self, view: View | None) -> None:
        self._view = view
        self.until = inf
        self.reasons: list[str] = []
        self._rules: dict[str, str] = {}  # by reason

    def __bool__(self) -> bool:
        return self._view is not None

    def refusal(self, artifact: Artifact) -> str | None:
        """The reason why the artifact is to be left out, None where it is not. (Text alone: the garbage collector has
        no work with it, however many there are.)"""
        if self._view is None:
            return None
        verdict = self._view(artifact)
        self.until = min(self.until, verdict.until)
        if not verdict.refused:
            return None
        self.reasons.append(verdict.reason)
        self._rules[verdict.reason] = verdict.rule
        return verdict.reason

    @property
    def message(self) -> str:
        """Why, a line for each reason; of many the last ones, which are those of the newest versions nearly always."""
        reasons = list(dict.fromkeys(reason for reason in self.reasons if reason))
        more = [f"and {len(reasons) - _MOST} more"] if len(reasons) > _MOST else []
        return "\n".join([*reasons[-_MOST:], *more])

    def withheld(self, reason: str | None = None) -> Withheld:
        """What a client is told that asks for what is left out for this reason; without one: where nothing is left."""
        if reason is None:
            reason = self.reasons[-1] if self.reasons else ""
        return Withheld(reason, self.until, self._rules.get(reason, ""))


def artifact(ecosystem: str, fact: Fact) -> Artifact:
    """What the fact is about, the same as the document is judged by. What stands beside a Python file is that file."""
    file = unquote(fact.name.rpartition("/")[2])
    if ecosystem == "pypi":
        file = file.removesuffix(".asc").removesuffix(".metadata")
    said = (fact.published, fact.first_seen, fact.license)
    return Artifact(ecosystem, fact.package, fact.version, file, *said)


def plain(text: object) -> str:
    """The text, where it is a short one that can stand in a line, else "": nothing is known."""
    return text if isinstance(text, str) and len(text) <= _LONGEST and text.isprintable() else ""
