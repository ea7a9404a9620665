"""A regression experiment for an incident: a shipped experiment (or one of your own), held to what must hold. Pure.

It is a draft: people decide what must hold. What is guessed says so in the file.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from blackstart import experiment
from blackstart.experiment import Expects
from blackstart.reports.review import failures
from blackstart.reports.review.compare import METRICS, Metric, happened
from blackstart.reports.review.cover import Level, nearness
from blackstart.reports.review.incident import Incident
from blackstart.reports.review.known import Known
from blackstart.settings import Objectives

Json = Any
_TIGHTENED = ("rto_seconds", "longest_outage_seconds", "rpo_seconds", "p95_seconds", "p99_seconds")


@dataclass(frozen=True)
class Held:
    """One objective of the draft. ``target`` None: taken out. ``why`` is a phrase. ``guessed``: people must decide."""

    key: str
    target: float | None
    why: str
    guessed: bool = False


@dataclass(frozen=True)
class Draft:
    """``text`` is the YAML. ``level`` None: the experiment only stands in; users feel it alike, as ``instead`` says."""

    name: str
    source: Known
    level: Level | None
    instead: str
    held: tuple[Held, ...]
    text: str


def draft(incident: Incident, known: Sequence[Known], objectives: Objectives, from_name: str = "") -> Draft:
    """``from_name``: the experiment of the newest drill of this failure, if there is one.

    ConfigInvalid if the result would be no experiment that Blackstart takes.
    """
    source, level = choose(incident, known, from_name)
    instead = failures.of(incident.failure).instead if level is None else ""
    held = tuple({each.key: each for each in _held(incident, source, objectives)}.values())
    data = _data(incident, source, held, instead)
    name = f"regression-{incident.id}"
    experiment.check(data, f"{name}.yaml (made of {source.name})")
    return Draft(name, source, level, instead, held, _header(incident, source, held, instead) + _dump(data))


def choose(incident: Incident, known: Sequence[Known], from_name: str = "") -> tuple[Known, Level | None]:
    """The nearest experiment: of this failure, in this way, drilled already, your own before a shipped one."""
    failure = failures.of(incident.failure)
    plainest = [name for names in failure.ways.values() for name in names]
    levels = [(each, nearness(incident, each.name, each.tags)) for each in known]
    found = [(each, level) for each, level in levels if level in (Level.SAME, Level.OTHER_WAY)]
    if found:
        order = {name: number for number, name in enumerate(plainest)}
        return min(
            found,
            key=lambda pair: (pair[1] is not Level.SAME, pair[0].name != from_name, order.get(pair[0].name, -1)),
        )
    return next(each for each in known if each.shipped and each.name == failure.stand_in), None


def _held(incident: Incident, source: Known, objectives: Objectives) -> Iterator[Held]:
    """What is said to hold; else the experiment's own objectives; tighter ones where none of them would have failed."""
    extension = experiment.check(source.data, str(source.path))
    own = extension.expects.model_dump(exclude_unset=True)
    effective = experiment.effective(objectives, extension).model_dump()
    said = incident.must_hold.model_dump(exclude_unset=True)
    for key in Expects.model_fields:
        if key in own and own[key] is None and said.get(key) is not None:
            yield Held(
                key, None, f"as {source.name} has it, whose own course decides it; so it cannot be {said[key]:g}"
            )
        elif key in said:
            yield Held(key, said[key], f"as the incident says must hold{_looser(key, said[key], own.get(key), source)}")
        elif key in own:
            yield Held(key, own[key], f"as {source.name} has it")
    left = [metric for metric in METRICS if metric.key not in said]
    if not any(_fails(incident, metric, {**effective, **said}) for metric in METRICS):
        yield from _tightened(incident, left, effective, own)
    elif happened(incident, "lost_writes") and effective["lost_writes"] is None and "lost_writes" not in said:
        yield Held("lost_writes", 0, "acknowledged writes were lost, and nothing was held to keep them", True)


def _looser(key: str, said: float | None, own: float | None, source: Known) -> str:
    """What is asked for may be less than what the experiment asked for so far: somebody should know."""
    if own is None or (said is not None and (said >= own if key == "availability" else said <= own)):
        return ""
    return f"; {source.name} has {own:g}, which is stricter"


def _fails(incident: Incident, metric: Metric, targets: Mapping[str, Json]) -> bool:
    ours, target = happened(incident, metric.key), targets.get(metric.key)
    if metric.key == "error_budget_share" and target is not None:
        target = budget_seconds(target, targets["yearly_availability"])
    return metric.judged and ours is not None and target is not None and metric.breaks(ours, target)


def budget_seconds(share: float, yearly_availability: float) -> float:
    """How much downtime a share of a year's error budget is."""
    return share * (1 - yearly_availability) * 365 * 24 * 3600


def _tightened(
    incident: Incident, metrics: Sequence[Metric], effective: Mapping[str, Json], own: Mapping[str, Json]
) -> Iterator[Held]:
    for metric in metrics:
        ours = happened(incident, metric.key)
        if not ours or (metric.key in own and own[metric.key] is None):
            continue
        if metric.key == "lost_writes":
            yield Held(metric.key, 0, f"{metric.text(ours)} were lost, and no objective would have failed", True)
        elif metric.key in _TIGHTENED and effective.get(metric.key) is not None:
            why = f"half of the {metric.text(ours)} that it was, because no objective would have failed"
            yield Held(metric.key, float(f"{ours / 2:.2g}"), why, True)


def _data(incident: Incident, source: Known, held: Sequence[Held], instead: str) -> dict[str, Json]:
    data: dict[str, Json] = copy.deepcopy(dict(source.data))
    kind = "Stand-in for" if instead else "Regression of"
    data["title"] = f"{kind} {incident.id}: {plain(str(data['title']))}"
    told = f"It stands in for {incident.id} ({plain(incident.title)}): {instead}. " if instead else ""
    because = "" if instead else f"Because of {incident.id}: {plain(incident.title)}. "
    data["description"] = f"{because}{told}{plain(str(data.get('description', '')))}".strip()
    mine = [incident.failure, *([incident.way] if incident.way else [])] if not instead else []
    data["tags"] = list(dict.fromkeys([*source.tags, *mine, "regression"]))
    _aim(incident, data)
    targets = {each.key: each.target for each in held}
    ours = [each for each in data.get("extensions") or [] if each.get("name") == "blackstart"]
    if not ours:
        ours = [{"name": "blackstart", "fault": failures.of(incident.failure).words}]
        data["extensions"] = [*(data.get("extensions") or []), *ours]
    ours[0]["expects"] = targets
    _wait(data, targets.get("rto_seconds"))
    return data


def _aim(incident: Incident, data: Mapping[str, Json]) -> None:
    """At what failed, unless the environment says otherwise, as for every experiment."""
    place = failures.of(incident.failure).place
    aimed = (data.get("configuration") or {}).get(place)
    if incident.where and isinstance(aimed, dict) and "default" in aimed:
        aimed["default"] = plain(incident.where)


def _wait(data: Mapping[str, Json], rto: float | None) -> None:
    """A probe that stops waiting before the objective's time is over would leave the drill inconclusive."""
    for activity in data["method"]:
        provider = activity.get("provider") or {}
        if provider.get("func") == "recovery_seconds" and rto is not None:
            limit = provider.get("arguments", {}).get("limit_seconds")
            if isinstance(limit, int | float) and limit < rto:
                provider["arguments"]["limit_seconds"] = rto


def _header(incident: Incident, source: Known, held: Sequence[Held], instead: str) -> str:
    lines = [
        f"Draft of a regression experiment for {incident.id}: {plain(incident.title)}",
        f"Made of {source.name}.yaml. Read it, decide what must hold, then: blackstart plan, blackstart run.",
    ]
    if instead:
        lines.append(f"No experiment breaks this. Here, {instead}.")
    lines += [f"{each.key}: {each.why}" + (" (decide this)" if each.guessed else "") for each in held]
    return "".join(f"# {line}\n" for line in lines)


def _dump(data: Mapping[str, Json]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def plain(text: str) -> str:
    """One line, fit for a comment, that the toolkit does not take for a variable."""
    return "".join(each if each.isprintable() else " " for each in " ".join(text.split())).replace("${", "$ {")
