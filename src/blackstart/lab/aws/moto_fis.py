"""FIS experiments that happen: moto keeps their records, but nothing comes of them.

Of all actions the lab has only the interruption of Spot instances, all actions of an experiment at once, and takes only
targets that are named one by one. An instance is recommended to be replaced as soon as its action begins, warned two
minutes before its end, and terminated ``durationBeforeInterruption`` after the action has begun. What has not happened
when an experiment is stopped never happens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.core.utils import unix_time
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.fis import models as fis
from moto.fis import urls as fis_urls
from moto.fis.exceptions import FISException
from moto.fis.models import Experiment, FISBackend

from blackstart.clock import Clock
from blackstart.lab.aws.signature import ACCOUNT

ACTION, TARGETS, TYPE = "aws:ec2:send-spot-instance-interruptions", "SpotInstances", "aws:ec2:spot-instance"
REBALANCE, INTERRUPTION = "EC2 Instance Rebalance Recommendation", "EC2 Spot Instance Interruption Warning"
NOTICE_SECONDS = 120.0
A_TARGET = 5
"""How many Spot instances an action may have."""
ENDED = frozenset(Experiment.TERMINAL_STATUSES) | {"cancelled"}
_BEFORE = re.compile(r"PT([2-9]|1[0-5])M")


@dataclass(frozen=True)
class Told:
    """What EC2 says of an instance; ``id`` is the same if it is said again."""

    id: str
    event: str
    region: str
    zone: str
    instance: str
    moment: datetime


class Course(Experiment):
    """An experiment that goes on by itself, not by being looked at, as moto's does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begun = 0.0
        self._said: set[tuple[str, str]] = set()

    def advance(self) -> None:
        pass

    def _sync_state(self) -> str:
        return self.status

    @property
    def status(self) -> str:
        return str(self._status)

    @status.setter
    def status(self, status: str) -> None:
        """Actions that have not ended follow their experiment; what never began is cancelled."""
        self._status = status
        if status in ENDED:
            self.end_time = unix_time()
        for action in self._left():
            began = "startTime" in action
            _set(action, "cancelled" if status in ENDED and not began else status)

    def go_on(self, clock: Clock, scale: float) -> tuple[list[Told], list[str]]:
        """What is said now, and the instances that are lost now; one step towards the end."""
        if self.status == "running":
            return self._happen(clock, scale)
        if self.status == "pending":
            self.status = "initiating"
        elif self.status == "stopping":
            self.status = "stopped"
        elif self.status == "initiating":
            problem = next(filter(None, map(self._problem, self.actions.values())), "")
            if problem:
                own: Any = self
                own.STATUS_REASONS = {**Experiment.STATUS_REASONS, "failed": problem}
                self.status = "failed"
            else:
                self._begun = clock.monotonic()
                self.status = "running"
                return self._happen(clock, scale)
        return [], []

    def _left(self) -> list[dict[str, Any]]:
        return [action for action in self.actions.values() if action["state"]["status"] not in ENDED]

    def _problem(self, action: Mapping[str, Any]) -> str:
        found = len(list(self._running(action)))
        if not found:
            return "Target resolution returned empty set"
        return f"{found} Spot instances are more than the {A_TARGET} that a target may have" if found > A_TARGET else ""

    def _happen(self, clock: Clock, scale: float) -> tuple[list[Told], list[str]]:
        passed = (clock.monotonic() - self._begun) * scale
        said: list[Told] = []
        lost: list[str] = []
        for name, action in self.actions.items():
            before = seconds_before(action)
            for event, due in ((REBALANCE, 0.0), (INTERRUPTION, before - NOTICE_SECONDS)):
                if passed >= due and (name, event) not in self._said:
                    self._said.add((name, event))
                    said += self._told(action, event, clock.now())
            if passed >= before and action["state"]["status"] not in ENDED:
                for instance in self._running(action):
                    instance.terminate()
                    lost.append(instance.id)
                _set(action, "completed")
        if not self._left():
            self.status = "completed"
        return said, lost

    def _told(self, action: Mapping[str, Any], event: str, moment: datetime) -> Iterator[Told]:
        for instance in self._running(action):
            number = f"{self.id}/{instance.id}/{event}"
            yield Told(number, event, self.region_name, instance.placement.zone, instance.id, moment)

    def _running(self, action: Mapping[str, Any]) -> Iterator[Any]:
        """The Spot instances among the targets that run."""
        named = self.targets[action["targets"][TARGETS]]["resourceArns"]
        ids = {arn.rpartition("/")[2] for arn in named}
        for instance in ec2_backends[ACCOUNT][self.region_name].all_instances():
            if instance.id in ids and instance.lifecycle == "spot" and instance.state == "running":
                yield instance


class Experiments(FISBackend):
    """FIS of one region, which takes only templates of which it can do all."""

    _url_module = fis_urls  # moto would look for it beside this module

    def create_experiment_template(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        _check(kwargs["actions"], kwargs["targets"] or {})
        return super().create_experiment_template(*args, **kwargs)

    def start_experiment(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        template = self.experiment_templates.get(kwargs["experiment_template_id"])
        if template:  # it may have been updated
            _check(template.actions, template.targets)
        return super().start_experiment(*args, **kwargs)

    def go_on(self, clock: Clock, scale: float) -> tuple[list[Told], list[str]]:
        """One step of every experiment that has not ended: what is said now, and the instances that are lost now."""
        said, lost = [], []
        for experiment in self.experiments.values():
            if isinstance(experiment, Course) and experiment.status not in ENDED:
                told, gone = experiment.go_on(clock, scale)
                said += told
                lost += gone
        if lost:
            autoscaling_backends[ACCOUNT][self.region_name].notify_terminate_instances(lost)
            elbv2_backends[ACCOUNT][self.region_name].notify_terminate_instances(lost)
        return said, lost


def seconds_before(action: Mapping[str, Any]) -> float:
    """How long after its begin ``action`` interrupts. Pure. ValidationException if that is not 2 to 15 minutes."""
    asked = (action.get("parameters") or {}).get("durationBeforeInterruption", "")
    match = _BEFORE.fullmatch(asked)
    if match is None:
        raise _invalid(f"durationBeforeInterruption {asked!r} is not PT2M to PT15M.")
    return 60.0 * int(match[1])


def _check(actions: Mapping[str, Any], targets: Mapping[str, Any]) -> None:
    for name, action in actions.items():
        if action["actionId"] != ACTION:
            raise _invalid(f"The lab's FIS has no action {action['actionId']}; it has only {ACTION}.")
        seconds_before(action)
        for key in (action.get("targets") or {}).keys() - {TARGETS}:
            raise _invalid(f'Unexpected target "{key}" found in action "{name}".')
        target = targets.get((action.get("targets") or {}).get(TARGETS, ""))
        if target is None or target.get("resourceType") != TYPE:
            raise _invalid(f'Action "{name}" needs a target {TARGETS} of type {TYPE}.')
        if action.get("startAfter") or not target.get("resourceArns") or target.get("selectionMode") != "ALL":
            raise NotImplementedError(f"the lab begins all actions at once, on all of the resourceArns: {name}")


def _set(action: dict[str, Any], status: str) -> None:
    action["state"] = {"status": status, "reason": f"Action is {status}."}
    if status == "running":
        action["startTime"] = unix_time()
    if status in ENDED:
        action["endTime"] = unix_time()


def _invalid(message: str) -> FISException:
    return FISException("ValidationException", message)


def install() -> None:
    """Make moto use these; before its first call."""
    own: Any = fis
    own.Experiment = Course
    fis.fis_backends.backend = Experiments


def go_on(regions: tuple[str, ...], clock: Clock, scale: float) -> tuple[list[Told], set[str]]:
    """One step of all experiments in ``regions``, whose time runs ``scale`` times faster: what is said now, and the
    regions where instances were lost."""
    said: list[Told] = []
    changed = set()
    for region in regions:
        backend = fis.fis_backends[ACCOUNT].get(region)
        if isinstance(backend, Experiments):
            told, lost = backend.go_on(clock, scale)
            said += told
            changed |= {region} if lost else set()
    return said, changed
