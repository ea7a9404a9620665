"""Switching traffic with ARC routing controls, the way that works when a region's control planes do not.

A routing control is On or Off, and a Route 53 health check follows it. Its state is held by a cluster with an endpoint
in each of five regions: any of them takes a change, so they are asked in turn until one answers. Their addresses only
ARC's control plane in us-west-2 knows; a change carries them, so that undo needs no control plane at all.

Safety rules that forbid a change are kept; they are never overridden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.access import Aws, Need
from blackstart.changes.answers import passing, told
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.model import Change, Json, new_id
from blackstart.errors import Refused, ServiceUnreachable, TargetChanged
from blackstart.scope import Target

DATA, CONFIG, CONFIG_REGION = "route53-recovery-cluster", "route53-recovery-control-config", "us-west-2"
ON, OFF = "On", "Off"
STATE, ENDPOINTS = "state", "endpoints"
GET, UPDATE = f"{DATA}:GetRoutingControlState", f"{DATA}:UpdateRoutingControlStates"

Endpoints = Sequence[Sequence[str]]
"""Region and URL of each endpoint of a cluster."""


@dataclass(frozen=True)
class Control:
    """One routing control (ARN) and its state. ``tags``: of its control panel, as routing controls have none."""

    arn: str
    name: str
    state: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class RoutingControls:
    """A cluster's routing controls, and how to reach them."""

    cluster: str
    account: str
    endpoints: tuple[tuple[str, str], ...]
    controls: tuple[Control, ...]


def find_routing_controls(clients: Clients, cluster: str, lost: str = "") -> RoutingControls:
    """The routing controls of ``cluster`` (its name or ARN); Refused if there is no such cluster. Read-only.

    Endpoints in the region ``lost``, which may not answer, come last. Asks ARC's control plane in us-west-2.
    """
    config = clients.aws(CONFIG, CONFIG_REGION)
    found = _cluster(config, cluster)
    pairs = [(each["Region"], each["Endpoint"]) for each in found["ClusterEndpoints"]]
    endpoints = tuple(sorted(pairs, key=lambda pair: pair[0] == lost))
    panels = _all(config, "list_control_panels", "ControlPanels", ClusterArn=found["ClusterArn"])
    controls = []
    for panel in (each["ControlPanelArn"] for each in panels):
        tags = config.list_tags_for_resource(ResourceArn=panel).get("Tags", {})
        for each in _listed(clients, endpoints, panel):
            arn, name, state = (each[f"RoutingControl{field}"] for field in ("Arn", "Name", "State"))
            controls.append(Control(arn, name, state, dict(tags)))
    return RoutingControls(found["Name"], clients.account(), endpoints, tuple(controls))


def _cluster(config: Any, cluster: str) -> Mapping[str, Any]:
    if cluster.startswith("arn:"):
        try:
            found: Mapping[str, Any] = config.describe_cluster(ClusterArn=cluster)["Cluster"]
        except config.exceptions.ResourceNotFoundException as error:
            raise Refused(f"switching routing controls of {cluster}", "there is no such cluster") from error
        return found
    named = [each for each in _all(config, "list_clusters", "Clusters") if each["Name"] == cluster]
    if len(named) != 1:
        raise Refused(f"switching routing controls of {cluster}", f"{len(named)} clusters are called so; give an ARN")
    return named[0]


def _all(config: Any, operation: str, key: str, **asked: str) -> list[Mapping[str, Any]]:
    return [each for page in config.get_paginator(operation).paginate(**asked) for each in page[key]]


def _listed(clients: Clients, endpoints: Endpoints, panel: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    asked = {"ControlPanelArn": panel}
    while True:
        page = ask(clients, endpoints, "list_routing_controls", **asked)
        found += page["RoutingControls"]
        if not page.get("NextToken"):
            return found
        asked["NextToken"] = page["NextToken"]


def ask(clients: Clients, endpoints: Endpoints, operation: str, **asked: Json) -> Mapping[str, Any]:
    """Call ``operation`` of the first endpoint that answers; ServiceUnreachable if none does.

    An endpoint that said nothing may have carried a change out; the next one is then told the same.
    """
    problem: Exception | None = None
    for region, url in endpoints:
        try:
            answer: Mapping[str, Any] = getattr(clients.aws(DATA, region, url), operation)(**asked)
        except _errors() as error:
            if not passing(error) and _code(error) != "EndpointTemporarilyUnavailableException":
                raise
            problem = error
            continue
        return answer
    where = ", ".join(region for region, _ in endpoints) or "no region"
    raise ServiceUnreachable("ask for routing controls", f"the cluster's endpoints in {where}", f"said: {problem}")


def _errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError)


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def plan_routing(
    found: RoutingControls, on: str, off: str, *, step: int = 0, new_change: Callable[[], str] = new_id
) -> list[Change]:
    """Routing control ``on`` is switched On and ``off`` Off, in one batch; names or ARNs, either may be "". Pure.

    Empty if both are so already; one that is so already is left out. Refused if there is no such routing control.
    """
    wanted = [(_named(found, name), state) for name, state in ((on, ON), (off, OFF)) if name]
    if on and on == off:
        raise Refused(f"switching routing controls of {found.cluster}", f"{on} cannot be both On and Off")
    endpoints = [list(pair) for pair in found.endpoints]
    return [
        Change(
            id=new_change(),
            kind=RoutingControl.name,
            target=Target("routing control", control.arn, account=found.account, tags=dict(control.tags)),
            before={STATE: control.state, ENDPOINTS: endpoints},
            after={STATE: state, ENDPOINTS: endpoints},
            summary=f"routing control {control.name} of {found.cluster}: {control.state} → {state}",
            undo_summary=f"switching it {control.state} again",
            calls=(UPDATE,),
            step=step,
        )
        for control, state in wanted
        if control.state != state
    ]


def _named(found: RoutingControls, name: str) -> Control:
    named = [each for each in found.controls if name in (each.arn, each.name)]
    if len(named) == 1:
        return named[0]
    names = ", ".join(sorted(each.name for each in found.controls)) or "none"
    raise Refused(
        f"switching routing control {name}",
        f"{len(named)} of cluster {found.cluster} are called so; there are: {names}",
    )


class RoutingControl(CompareAndRestore):
    """Whether a routing control is On or Off. Those of one fault are switched in one call, all of them or none."""

    name: ClassVar[str] = "arc.routing_control"
    permissions: ClassVar[tuple[str, ...]] = (GET, UPDATE)
    batch_size: ClassVar[int] = 10
    joined: ClassVar[bool] = True

    def needs(self, change: Change) -> Sequence[Need]:
        return [Aws(name, (change.target.id,)) for name in self.permissions]

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        return {change.id: _state(change, clients) for change in changes}

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for endpoints, mine in _by_cluster(wanted):
            entries = [
                {"RoutingControlArn": item.change.target.id, "RoutingControlState": item.fields[STATE]} for item in mine
            ]
            try:
                ask(clients, endpoints, "update_routing_control_states", UpdateRoutingControlStateEntries=entries)
            except _errors() as error:
                if _code(error) != "ConflictException":
                    raise
                raise TargetChanged(str(mine[0].change.target), f"ARC does not allow it: {told(error)}") from error


def _by_cluster(wanted: Iterable[Wanted]) -> Iterable[tuple[Endpoints, list[Wanted]]]:
    """Together what goes to the same endpoints."""
    found: dict[tuple[tuple[str, ...], ...], list[Wanted]] = {}
    for item in wanted:
        found.setdefault(tuple(tuple(pair) for pair in item.change.before[ENDPOINTS]), []).append(item)
    return found.items()


def _state(change: Change, clients: Clients) -> Seen:
    endpoints = change.before[ENDPOINTS]
    try:
        answer = ask(clients, endpoints, "get_routing_control_state", RoutingControlArn=change.target.id)
    except _errors() as error:
        if _code(error) != "ResourceNotFoundException":
            raise
        return None
    return {STATE: answer["RoutingControlState"], ENDPOINTS: endpoints}
