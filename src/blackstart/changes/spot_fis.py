"""Interrupting Spot instances by AWS Fault Injection Service: the notice and the end are AWS's own, two minutes apart.

All instances of an experiment go together. What is left of it afterwards is its template, which undo deletes; it
carries a change's id as its token and tag, so it is found also if nobody heard that it was made. Whoever would heal
the termination of the instances heals this, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from blackstart.access import Aws, Need, arn, within
from blackstart.changes.clients import Clients
from blackstart.changes.instance_power import gone
from blackstart.changes.instance_states import chunks
from blackstart.changes.instance_termination import InstanceTermination
from blackstart.changes.karpenter_node import CLUSTER_READS, KarpenterNode
from blackstart.changes.kind import Ending, Outcome
from blackstart.changes.model import TAG, Change
from blackstart.clock import Clock, SystemClock
from blackstart.errors import NotYet, Refused

ACTION, TARGETS, TYPE = "aws:ec2:send-spot-instance-interruptions", "SpotInstances", "aws:ec2:spot-instance"
NOTICE = "PT2M"
LOST_WITHIN = timedelta(minutes=3)
"""After an action has begun, its instances are gone: two minutes of notice, and one for good measure."""
A_TARGET, AN_EXPERIMENT = 5, 50
"""How many Spot instances a target may have, and an experiment, with ten actions at the same time."""
UNDER_WAY, STARTING = ("pending", "initiating", "running", "stopping"), ("pending", "initiating")
FAILED = ("failed", "stopped", "stopping", "cancelled")
PATIENCE_SECONDS = 60.0
HEALERS = {kind.name: kind for kind in (InstanceTermination(), KarpenterNode())}


def plan_experiments(terminations: Sequence[Change], role: str) -> list[Change]:
    """The same instances, as planned by ``spot.plan_interruption``, interrupted by FIS with the IAM ``role`` (its ARN).
    Pure."""
    return [_interrupted(change, some[0].id, role) for some in chunks(terminations, AN_EXPERIMENT) for change in some]


def _interrupted(change: Change, experiment: str, role: str) -> Change:
    return replace(
        change,
        kind=SpotInterruption.name,
        before={**change.before, "healer": change.kind},
        after={**change.after, "experiment": experiment, "role": role},
        summary=f"{change.summary.rpartition(': ')[0]}: interrupted by FIS",
        undo_summary=f"stopping the experiment and deleting its template; then by {change.undo_summary}",
        calls=("fis:CreateExperimentTemplate", "fis:StartExperiment"),
    )


class SpotInterruption:
    """Spot instances that FIS has AWS take back."""

    name: ClassVar[str] = "fis.spot_interruption"
    permissions: ClassVar[tuple[str, ...]] = (
        "fis:CreateExperimentTemplate",
        "fis:TagResource",
        "fis:StartExperiment",
        "fis:GetExperiment",
        "fis:ListExperimentTemplates",
        "fis:ListExperiments",
        "fis:StopExperiment",
        "fis:DeleteExperimentTemplate",
        "iam:PassRole",
        "ec2:DescribeInstances",
        "autoscaling:DescribeAutoScalingGroups",
        *CLUSTER_READS,
    )
    batch_size: ClassVar[int] = AN_EXPERIMENT
    look_size: ClassVar[int] = 500
    at_once: ClassVar[int] = 2
    joined: ClassVar[bool] = True
    restores: ClassVar[bool] = False

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def needs(self, change: Change) -> Sequence[Need]:
        place = (change.target.region, change.target.account)
        template, experiment = (arn("fis", *place, f"{each}/*") for each in ("experiment-template", "experiment"))
        action = arn("fis", *place, f"action/{ACTION}")
        lists = ("fis:ListExperimentTemplates", "fis:ListExperiments")
        heals = [need for need in HEALERS[change.before["healer"]].needs(change) if "Terminate" not in need.action]
        return (
            Aws("fis:CreateExperimentTemplate", (template, action)),
            Aws("fis:TagResource", (template,), implied_by="fis:CreateExperimentTemplate"),
            Aws("iam:PassRole", (change.after["role"],), implied_by="fis:CreateExperimentTemplate"),
            Aws("fis:StartExperiment", (template, experiment)),
            Aws("fis:GetExperiment", (experiment,)),
            Aws("fis:StopExperiment", (experiment,)),
            Aws("fis:DeleteExperimentTemplate", (template,)),
            *(Aws(name, when=within(change.target.region)) for name in lists),
            *heals,
        )

    def apply(self, changes: Sequence[Change], clients: Clients) -> None:
        for token, same in _experiments(changes).items():
            fis = clients.aws("fis", same[0].target.region)
            template = fis.create_experiment_template(clientToken=token, **_template(token, same))
            made = template["experimentTemplate"]["id"]
            started = fis.start_experiment(clientToken=token, experimentTemplateId=made, tags={TAG: token})
            state = fis.get_experiment(id=started["experiment"]["id"])["experiment"]["state"]
            what = f"FIS experiment {started['experiment']['id']}"
            if state["status"] in STARTING:
                raise NotYet(what, state["status"], PATIENCE_SECONDS)
            if state["status"] in FAILED:
                raise Refused(
                    f"interrupting {len(same)} Spot instances", f"{what} {state['status']}: {state['reason']}"
                )

    def undo(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        for token, same in _experiments(changes).items():
            fis = clients.aws("fis", same[0].target.region)
            template = _find(fis, token)
            for experiment in _under_way(fis, template):
                fis.stop_experiment(id=experiment)
            found = self._looked(same, clients, fis, template)
            if template and all(outcome.done for outcome in found.values()):
                fis.delete_experiment_template(id=template)
                found = {change: Outcome(Ending.RESTORED, seen.note) for change, seen in found.items()}
            outcomes |= found
        return outcomes

    def verify(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        for token, same in _experiments(changes).items():
            fis = clients.aws("fis", same[0].target.region)
            template = _find(fis, token)
            left = Outcome(Ending.PENDING, f"FIS still has its template {template}")
            found = self._looked(same, clients, fis, template)
            outcomes |= {change: left if template and seen.done else seen for change, seen in found.items()}
        return outcomes

    def _looked(self, changes: Sequence[Change], clients: Clients, fis: Any, template: str) -> dict[str, Outcome]:
        """How the instances of one experiment stand; nothing is decided while that goes on."""
        states = _states(fis, template)
        going_on = [name for name, status in states.items() if status in UNDER_WAY]
        if going_on:
            return {each.id: Outcome(Ending.PENDING, f"FIS experiment {going_on[0]} has not ended") for each in changes}
        lost = gone(changes, clients)
        outcomes: dict[str, Outcome] = {}
        for name, kind in HEALERS.items():
            mine = [each for each in changes if each.target.id in lost and each.before["healer"] == name]
            outcomes |= kind.look(mine, clients) if mine else {}
        staying = [change for change in changes if change.target.id not in lost]
        until = _lost_until(fis, states) if staying else None
        return outcomes | {change.id: self._stays(change, until) for change in staying}

    def _stays(self, change: Change, until: datetime | None) -> Outcome:
        """Of an instance that runs, and may be lost ``until`` then."""
        if until is None:
            return Outcome(Ending.UNTOUCHED)
        note = f"{change.target} has been told to go, and still runs"
        if self._clock.now() < until:
            return Outcome(Ending.WAITING, note)
        return Outcome(Ending.UNTOUCHED, f"{note} long after; AWS has not interrupted it")


def _experiments(changes: Sequence[Change]) -> dict[str, list[Change]]:
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(change.after["experiment"], []).append(change)
    return found


def _template(token: str, changes: Sequence[Change]) -> dict[str, Any]:
    """One target, and the action on it, for every five instances; all actions begin at once. Pure."""
    instances = [_arn(change) for change in changes]
    groups = {f"spot{number}": some for number, some in enumerate(chunks(instances, A_TARGET))}
    return {
        "description": f"Blackstart interrupts {len(instances)} Spot instances",
        "roleArn": changes[0].after["role"],
        "stopConditions": [{"source": "none"}],
        "targets": {
            name: {"resourceType": TYPE, "resourceArns": some, "selectionMode": "ALL"} for name, some in groups.items()
        },
        "actions": {
            f"interrupt-{name}": {
                "actionId": ACTION,
                "parameters": {"durationBeforeInterruption": NOTICE},
                "targets": {TARGETS: name},
            }
            for name in groups
        },
        "tags": {TAG: token},
    }


def _arn(change: Change) -> str:
    return arn("ec2", change.target.region, change.target.account, f"instance/{change.target.id}")


def _find(fis: Any, token: str) -> str:
    """The id of the template that carries ``token``; "" if there is none."""
    pages = fis.get_paginator("list_experiment_templates").paginate()
    items = (item for page in pages for item in page["experimentTemplates"])
    return next((str(item["id"]) for item in items if item.get("tags", {}).get(TAG) == token), "")


def _under_way(fis: Any, template: str) -> list[str]:
    """The ids of the experiments of ``template`` that have not ended and were not told to."""
    return [name for name, status in _states(fis, template).items() if status in UNDER_WAY and status != "stopping"]


def _states(fis: Any, template: str) -> dict[str, str]:
    if not template:
        return {}
    pages = fis.get_paginator("list_experiments").paginate(experimentTemplateId=template)
    return {item["id"]: item["state"]["status"] for page in pages for item in page["experiments"]}


def _lost_until(fis: Any, experiments: Iterable[str]) -> datetime | None:
    """Until when instances may still go because an action of these ``experiments`` has told them to, even if that was
    stopped then; None if no action came so far."""
    actions = (one for name in experiments for one in fis.get_experiment(id=name)["experiment"]["actions"].values())
    return max((action["startTime"] + LOST_WITHIN for action in actions if "startTime" in action), default=None)
