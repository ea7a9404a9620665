"""Experiment files, checked before anything is touched.

Chaos Toolkit ignores keys that it does not know, so a misspelt guard would be no guard. Here they are refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blackstart.errors import ConfigInvalid
from blackstart.settings import Objectives, invalid

OURS = "blackstart."


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Provider(_Strict):
    """Who carries an activity out; http and process providers are the toolkit's own business."""

    type: Literal["python", "http", "process"]
    module: str = ""
    func: str = ""
    arguments: Any = Field(default_factory=dict)
    url: str = ""
    path: str = ""
    method: str = ""
    headers: dict[str, Any] = Field(default_factory=dict)
    timeout: Any = None
    expected_status: int | None = None
    verify_tls: bool = True
    max_retries: int = 0
    secrets: Any = None


class Activity(_Strict):
    """An action or a probe, wherever it stands."""

    name: str = ""
    type: Literal["action", "probe"] = "action"
    provider: Provider | None = None
    ref: str = ""
    tolerance: Any = None
    secrets: Any = None
    configuration: Any = None
    background: Any = False
    controls: Any = None
    pauses: dict[str, float | str] = Field(default_factory=dict)
    timeout: float | None = None
    annotations: Any = None


class Hypothesis(_Strict):
    title: str
    probes: list[Activity] = Field(default_factory=list)
    controls: Any = None


class Rollbacks(_Strict):
    strategy: Literal["always", "default", "never", "deviated"] = "default"


class Runtime(_Strict):
    rollbacks: Rollbacks = Rollbacks()
    hypothesis: dict[str, Any] = Field(default_factory=dict)


class Expects(_Strict):
    """Objectives of this drill that differ from the configuration's; None takes one out."""

    model_config = ConfigDict(extra="forbid")

    rto_seconds: float | None = None
    rpo_seconds: float | None = None
    lost_writes: int | None = None
    dns_failover_seconds: float | None = None
    availability: float | None = None
    error_budget_share: float | None = None
    longest_outage_seconds: float | None = None
    p95_seconds: float | None = None
    p99_seconds: float | None = None
    failback_downtime_seconds: float | None = None
    time_to_detect_seconds: float | None = None


class Extension(_Strict):
    """What Blackstart reads from the experiment's ``extensions``."""

    name: Literal["blackstart"]
    fault: str = Field(default="", description="the failure in a few words: loss of zone us-east-1b")
    felt: bool = Field(default=True, description="false: nobody need feel it: a restore, for one")
    expects: Expects = Expects()


class Experiment(_Strict):
    version: str | float = "1.0.0"
    title: str
    description: str
    tags: list[str] = Field(default_factory=list)
    contributions: dict[str, Any] = Field(default_factory=dict)
    configuration: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, Any] = Field(default_factory=dict)
    controls: list[dict[str, Any]] = Field(default_factory=list)
    extensions: list[dict[str, Any]] = Field(default_factory=list)
    runtime: Runtime = Runtime()
    hypothesis: Hypothesis | None = Field(default=None, alias="steady-state-hypothesis")
    method: list[Activity]
    rollbacks: list[Activity] = Field(default_factory=list)
    dry: Any = None


@dataclass(frozen=True)
class Named:
    """One activity, tolerance or control in the order of a run. ``where``: its place in the file.

    ``said`` is empty for those of Blackstart, else says what it is.
    """

    where: str
    name: str
    provider: Provider | None
    said: str = ""


def read(path: Path) -> dict[str, Any]:
    """The experiment in ``path`` (YAML or JSON) as the toolkit sees it; ConfigInvalid if it is not to be had."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigInvalid(str(path), "", f"the experiment cannot be read: {reason}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigInvalid(str(path), where, f"not YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(data, dict):
        raise ConfigInvalid(str(path), "", "an experiment is a mapping with title, description and method")
    return data


def check(data: Mapping[str, Any], path: str) -> Extension:
    """Refuse unknown keys, wrong types and arguments that no activity takes. Gives what Blackstart reads of it."""
    try:
        experiment = Experiment.model_validate(dict(data))
        extension = _extension(experiment)
    except ValidationError as error:
        raise invalid(path, error) from error
    if experiment.rollbacks and experiment.runtime.rollbacks.strategy != "always":
        raise ConfigInvalid(path, "runtime.rollbacks.strategy", "must be always, or an interrupted drill is not undone")
    if not any(control.get("provider", {}).get("module") == "blackstart.control" for control in experiment.controls):
        raise ConfigInvalid(path, "controls", "the control blackstart.control is missing, so nothing would be measured")
    for where, provider in _providers(experiment):
        _check_arguments(path, where, provider)
    return extension


def activities(data: Mapping[str, Any]) -> Iterator[Named]:
    """Everything that a run of a checked experiment calls, references resolved."""
    experiment = Experiment.model_validate(dict(data))
    for control in experiment.controls:
        if not str((control.get("provider") or {}).get("module", "")).startswith(OURS):
            name = str(control.get("name", ""))
            yield Named("controls", name, None, f"control {name}")
    for where, provider in _providers(experiment):
        name, ours = where.partition(".")[2], provider.type == "python" and provider.module.startswith(OURS)
        called = f"{provider.module}.{provider.func}" if provider.type == "python" else provider.type
        yield Named(where, name, provider, "" if ours else f"{name} ({called})")


def _extension(experiment: Experiment) -> Extension:
    ours = [extension for extension in experiment.extensions if extension.get("name") == "blackstart"]
    return Extension.model_validate(ours[0]) if ours else Extension(name="blackstart")


def _providers(experiment: Experiment) -> Iterator[tuple[str, Provider]]:
    hypothesis = experiment.hypothesis.probes if experiment.hypothesis else []
    parts = {"steady-state-hypothesis": hypothesis, "method": experiment.method, "rollbacks": experiment.rollbacks}
    by_name = {activity.name: activity.provider for part in parts.values() for activity in part if activity.name}
    for part, members in parts.items():
        for activity in members:
            where = f"{part}.{activity.name or activity.ref}"
            provider = activity.provider or by_name.get(activity.ref)
            if provider:
                yield where, provider
            if isinstance(activity.tolerance, dict) and "provider" in activity.tolerance:
                yield f"{where}.tolerance", Provider.model_validate(activity.tolerance["provider"])


def _check_arguments(path: str, where: str, provider: Provider) -> None:
    """Only our own functions are checked here; the toolkit checks the rest."""
    if provider.type != "python" or not provider.module.startswith(OURS):
        return
    try:
        function = getattr(import_module(provider.module), provider.func)
    except (ImportError, AttributeError) as error:
        raise ConfigInvalid(path, where, f"there is no {provider.module}.{provider.func}") from error
    known = inspect.signature(function).parameters
    unknown = [name for name in provider.arguments if name not in known]
    if unknown:
        takes = ", ".join(name for name in known if name not in ("configuration", "secrets"))
        raise ConfigInvalid(path, f"{where}.arguments.{unknown[0]}", f"unknown key; {provider.func} takes {takes}")
    missing = [
        name
        for name, parameter in known.items()
        if parameter.default is parameter.empty and name not in provider.arguments
    ]
    if missing:
        raise ConfigInvalid(path, f"{where}.arguments", f"{provider.func} needs {missing[0]}")


def effective(objectives: Objectives, extension: Extension) -> Objectives:
    """The configuration's objectives with this experiment's own in their place."""
    return objectives.model_copy(update=extension.expects.model_dump(exclude_unset=True))
