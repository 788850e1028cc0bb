"""What somebody may see of a Python project: its page less what a view refuses, with the dates that it lacks."""

from __future__ import annotations

from mirror.ecosystems import instants, simple_versions
from mirror.ecosystems.simple_files import Listed
from mirror.ecosystems.simple_links import normalized
from mirror.ecosystems.simple_project import Project
from mirror.ecosystems.views import FIRST_SEEN, Judge, Seen, View
from mirror.policy.artifact import Artifact


def project_of(page: str) -> str:
    """The canonical name of the project whose page is at that URL."""
    return normalized(page.rstrip("/").rpartition("/")[2])


def dated(project: Project, dates: Seen | None) -> Project:
    """The page with the instants at which the mirror first saw those files that have no time of upload (PEP 700); a
    member of our own names them."""
    names = []
    for entry in project.files if dates is not None else ():
        if entry.file.get("upload-time") is None and (first_seen := _at(entry, dates)) is not None:
            entry.file["upload-time"] = instants.written(first_seen)
            names.append(entry.file.get("filename"))
    if names:
        before = project.document.get(FIRST_SEEN)  # of a mirror in front of which we stand
        project.document[FIRST_SEEN] = [*(before if isinstance(before, list) else ()), *names]
    return project


class Sight:
    """A project's files, as one client may see them; true where there is a view."""

    def __init__(self, project: str, view: View | None, seen: Seen | None) -> None:
        self._project = project
        self._judge = Judge(view)
        self._seen = seen
        self._verdicts: dict[str, bool] = {}  # the legacy document names most files twice

    def __bool__(self) -> bool:
        return bool(self._judge)

    @property
    def until(self) -> float:
        """The instant from which on more or less may be seen."""
        return self._judge.until

    @property
    def judge(self) -> Judge:
        """What was asked so far."""
        return self._judge

    def hides(self, entry: Listed, licensed: str = "") -> bool:
        """Whether the file is left out; `licensed`: the license that is stated for it."""
        key = entry.place.name if entry.place else entry.file["url"]
        if key not in self._verdicts:
            version, first_seen = entry.version(self._project), self._first_seen(entry)
            said = (entry.name, entry.published, first_seen, licensed)
            refusal = self._judge.refusal(Artifact("pypi", self._project, version, *said))
            self._verdicts[key] = refusal is not None
        return self._verdicts[key]

    def shown(self, project: Project) -> Project:
        """The page less the files that are hidden, and less the versions that have lost all their files by that."""
        if not self:
            return project
        hidden = [self.hides(entry) for entry in project.files]
        kept = [entry for entry, gone in zip(project.files, hidden, strict=True) if not gone]
        if len(kept) < len(hidden) and isinstance(versions := project.document.get("versions"), list):
            left = {self._version(entry) for entry in kept}
            lost = {self._version(entry) for entry, gone in zip(project.files, hidden, strict=True) if gone}
            lost -= left | {""}
            project.document["versions"] = [
                version
                for version in versions
                if not isinstance(version, str) or simple_versions.canonical(version) not in lost
            ]
        return project._replace(files=kept)

    def _first_seen(self, entry: Listed) -> float | None:
        return _at(entry, self._seen)

    def _version(self, entry: Listed) -> str:
        return simple_versions.canonical(entry.version(self._project))


def _at(entry: Listed, seen: Seen | None) -> float | None:
    return seen(entry.place.name) if seen is not None and entry.place is not None else None
