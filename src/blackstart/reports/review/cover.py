"""Which drills were about what failed, and how near they came to it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from blackstart.journals.coverage import Catalogue, decides
from blackstart.journals.index import Row
from blackstart.reports.review import failures
from blackstart.reports.review.incident import Incident

JUST_OVER = timedelta(minutes=5)  # what a drill leaves behind may take so long to be felt


class Level(StrEnum):
    """How near a drill comes to the incident, the nearest first. The words stand in the review."""

    SAME = "this failure"
    OTHER_WAY = "the same, another way"
    WIDER = "as part of a wider one"
    SYSTEM = "the same system, another failure"


@dataclass(frozen=True)
class Drill:
    """A drill of what failed, or near it. ``days`` before the incident; negative: after it."""

    row: Row
    level: Level
    days: float

    @property
    def conclusive(self) -> bool:
        return decides(self.row)

    @property
    def verdict(self) -> str:
        """The word for it; never "passed" for what proves nothing."""
        if self.row.problem:
            return "damaged"
        return self.row.verdict if self.conclusive else "inconclusive"

    @property
    def name(self) -> str:
        return self.row.drill or self.row.folder


@dataclass(frozen=True)
class Covered:
    """``before`` and ``since`` the incident: the nearest level first, in it the newest first. ``during``: was running
    when the incident began, or had just ended. ``elsewhere``: near it, but on another service. ``damaged``: cannot be
    placed."""

    before: tuple[Drill, ...]
    since: tuple[Drill, ...]
    during: tuple[Row, ...]
    elsewhere: tuple[Drill, ...]
    damaged: tuple[Row, ...]
    looked_at: int

    def at(self, level: Level) -> tuple[Drill, ...]:
        """Those before the incident at this level, the newest first."""
        return tuple(drill for drill in self.before if drill.level is level)

    @property
    def same(self) -> tuple[Drill, ...]:
        return self.at(Level.SAME)

    @property
    def nearest(self) -> Drill | None:
        """The newest of those that come nearest: a conclusive one, if there is any."""
        if not self.before:
            return None
        level = self.at(self.before[0].level)
        return next((drill for drill in level if drill.conclusive), level[0])

    @property
    def newest(self) -> Drill | None:
        """The newest drill of this very failure: a conclusive one, if there is any."""
        near = self.nearest
        return near if near is not None and near.level is Level.SAME else None


def cover(incident: Incident, rows: Sequence[Row], tags: Mapping[str, tuple[str, ...]]) -> Covered:
    """``rows``: all journals. ``tags``: of experiments by name, for journals that do not tell their own."""
    placed: list[Drill] = []
    damaged, during = [], []
    for row in rows:
        if row.started is None or not row.experiment:
            damaged.append(row)
            continue
        if row.started <= incident.started and incident.started - JUST_OVER <= (row.ended or row.started):
            during.append(row)
        level = nearness(incident, row.experiment, row.tags or tags.get(row.experiment, ()))
        if level is not None:
            placed.append(Drill(row, level, (incident.started - row.started).total_seconds() / 86_400))
    ours = [drill for drill in placed if _same_service(incident, drill.row)]
    return Covered(
        before=tuple(sorted((drill for drill in ours if drill.days > 0), key=_nearest)),
        since=tuple(sorted((drill for drill in ours if drill.days <= 0), key=_nearest)),
        during=tuple(during),
        elsewhere=tuple(sorted((drill for drill in placed if not _same_service(incident, drill.row)), key=_nearest)),
        damaged=tuple(damaged),
        looked_at=len(rows),
    )


def nearness(incident: Incident, experiment: str, tags: tuple[str, ...]) -> Level | None:
    """How near drills of the experiment come to the incident; None: it is about something else."""
    failure = failures.of(incident.failure)
    ways = failures.ways(failure, experiment, tags)
    if ways is not None:
        return Level.SAME if not incident.way or incident.way in ways else Level.OTHER_WAY
    if any(failures.ways(failures.of(kind), experiment, tags) is not None for kind in failure.wider):
        return Level.WIDER
    systems = {system.lower() for system in (*failure.systems, *incident.systems)}
    return Level.SYSTEM if systems & {tag.lower() for tag in tags} else None


def every_days(catalogue: Catalogue | None, drill: Drill | None) -> float | None:
    """How often the catalogue of what must be drilled asks for the drill's experiment; None: it does not."""
    if catalogue is None or drill is None:
        return None
    asked = [
        entry.every_days or catalogue.every_days
        for entry in catalogue.entries
        if drill.row.experiment in entry.experiments and entry.service in ("", drill.row.service)
    ]
    return min(asked, default=None)


def _same_service(incident: Incident, row: Row) -> bool:
    return not incident.service or not row.service or incident.service.lower() == row.service.lower()


def _nearest(drill: Drill) -> tuple[int, float, str]:
    return list(Level).index(drill.level), abs(drill.days), drill.row.folder
