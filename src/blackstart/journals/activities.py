"""What an experiment planned to do, beside what Chaos Toolkit says that it did. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Any

BEFORE, METHOD, AFTER, ROLLBACKS = "before", "method", "after", "rollbacks"
_HYPOTHESIS = {
    BEFORE: ("default", "continuously", "before-method-only"),
    AFTER: ("default", "after-method-only"),
}


@dataclass(frozen=True)
class Activity:
    """One activity of an experiment. ``kind`` is "action" or "probe"; ``phase`` one of before, method, after,
    rollbacks. ``status`` is what Chaos Toolkit says of it ("succeeded", "failed" …), "" if it never ran."""

    name: str
    kind: str
    phase: str
    status: str = ""


def planned(experiment: Mapping[str, Json], deviated: bool = False) -> tuple[Activity, ...]:
    """Everything that the experiment would run, in its order; what its runtime strategies leave out is not planned."""
    return tuple(_planned(experiment, deviated))


def ran(journal: Mapping[str, Json]) -> tuple[Activity, ...]:
    """Everything that was planned, with its status as the toolkit's journal has it."""
    results = Counter((phase, _name(result)) for phase, result in run_results(journal))
    states = {(phase, _name(result)): str(result.get("status") or "") for phase, result in run_results(journal)}
    found: list[Activity] = []
    for each in planned(mapping(journal.get("experiment")), bool(journal.get("deviated"))):
        key = (each.phase, each.name)
        status = states[key] if results[key] > 0 else ""
        results[key] -= 1
        found.append(Activity(each.name, each.kind, each.phase, status))
    return tuple(found)


def run_results(journal: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Phase and result of every activity that the toolkit's journal tells of."""
    states = mapping(journal.get("steady_states"))
    for phase in (BEFORE, AFTER):
        for probe in sequence(mapping(states.get(phase)).get("probes")):
            yield phase, mapping(probe)
    for phase, key in ((METHOD, "run"), (ROLLBACKS, "rollbacks")):
        for result in sequence(journal.get(key)):
            yield phase, mapping(result)


def mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def sequence(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _planned(experiment: Mapping[str, Json], deviated: bool) -> Iterator[Activity]:
    runtime = mapping(experiment.get("runtime"))
    strategy = str(mapping(runtime.get("hypothesis")).get("strategy") or "default")
    hypothesis = sequence(mapping(experiment.get("steady-state-hypothesis")).get("probes"))
    undo = str(mapping(runtime.get("rollbacks")).get("strategy") or "default")
    phases = (
        (BEFORE, hypothesis if strategy in _HYPOTHESIS[BEFORE] else ()),
        (METHOD, sequence(experiment.get("method"))),
        (AFTER, hypothesis if strategy in _HYPOTHESIS[AFTER] else ()),
        (ROLLBACKS, sequence(experiment.get("rollbacks")) if _undoes(undo, deviated) else ()),
    )
    for phase, activities in phases:
        for activity in map(mapping, activities):
            name = activity.get("name") or activity.get("ref") or "unnamed activity"
            yield Activity(str(name), str(activity.get("type") or "probe"), phase)


def _undoes(strategy: str, deviated: bool) -> bool:
    return strategy != "never" and (strategy != "deviated" or deviated)


def _name(result: Mapping[str, Json]) -> str:
    return str(mapping(result.get("activity")).get("name", "unnamed activity"))
