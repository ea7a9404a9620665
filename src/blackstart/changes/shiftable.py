"""What ARC can shift away from a zone: load balancers, Auto Scaling groups and EKS clusters. Read-only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.changes import load_balancer_finding as balancers
from blackstart.changes.clients import Clients
from blackstart.changes.network import Vpc, tags_of
from blackstart.errors import Refused

BALANCER, GROUP, CLUSTER = "load balancer", "Auto Scaling group", "EKS cluster"
NOUNS = {"elasticloadbalancing": BALANCER, "autoscaling": GROUP, "eks": CLUSTER}
OPT_IN = {
    BALANCER: "set its attribute zonal_shift.config.enabled to true",
    GROUP: "update it with AvailabilityZoneImpairmentPolicy ZonalShiftEnabled",
    CLUSTER: "update its configuration with zonalShiftConfig enabled",
}


@dataclass(frozen=True)
class Resource:
    """``weights``: share of traffic by zone id, as applied; None while it is not opted in. ``under_way``: the shifts
    that there are already, in words."""

    arn: str
    noun: str
    tags: Mapping[str, str]
    weights: Mapping[str, float] | None
    under_way: str

    @property
    def name(self) -> str:
        """What people call it: the last part of its ARN that is not an id of AWS's own."""
        parts = self.arn.replace("autoScalingGroupName/", "").split("/")
        return parts[-2] if self.noun == BALANCER else parts[-1]

    @property
    def opt_in(self) -> str:
        return OPT_IN[self.noun]


def find_shiftable(clients: Clients, vpc: Vpc, arns: Iterable[str] = ()) -> list[Resource]:
    """The resources ``arns``, or else the application and network load balancers of ``vpc``.

    Refused if an ARN is none of the kinds that ARC shifts, or not in the VPC's region.
    """
    named = list(arns) or [
        found.arn for found in balancers.find_balancers(clients, vpc) if found.type in (balancers.ALB, balancers.NLB)
    ]
    return [_resource(clients, vpc.region, arn) for arn in named]


def _resource(clients: Clients, region: str, arn: str) -> Resource:
    parts = [*arn.split(":", 5), "", "", "", ""]
    noun = NOUNS.get(parts[2], "")
    if not noun or parts[3] != region:
        raise Refused(f"shifting {arn} away from a zone", f"it is no ARN of a {', '.join(NOUNS.values())} in {region}")
    tags = _tags(clients, noun, region, arn)
    arc = clients.aws("arc-zonal-shift", region)
    try:
        answer = arc.get_managed_resource(resourceIdentifier=arn)
    except arc.exceptions.ResourceNotFoundException:
        return Resource(arn, noun, tags, None, "")
    return Resource(arn, noun, tags, answer["appliedWeights"], under_way(answer))


def under_way(answer: Mapping[str, Any]) -> str:
    """Which shifts GetManagedResource tells of, in words; "" for none. Pure."""
    shifts = [f"{shift['awayFrom']} (shift {shift['zonalShiftId']})" for shift in answer["zonalShifts"]]
    applied = (shift for shift in answer.get("autoshifts", ()) if shift["appliedStatus"] == "APPLIED")
    return ", ".join([*shifts, *(f"{shift['awayFrom']} (autoshift)" for shift in applied)])


def _tags(clients: Clients, noun: str, region: str, arn: str) -> dict[str, str]:
    """Those of a resource that does not exist are none; ARC says that it does not know it."""
    name = arn.rpartition("/")[2]
    if noun == BALANCER:
        elbv2 = clients.aws("elbv2", region)
        try:
            return balancers.tags_by_arn(elbv2, [arn]).get(arn, {})
        except elbv2.exceptions.LoadBalancerNotFoundException:
            return {}
    if noun == GROUP:
        autoscaling = clients.aws("autoscaling", region)
        answer = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return tags_of(answer["AutoScalingGroups"][0]) if answer["AutoScalingGroups"] else {}
    eks = clients.aws("eks", region)
    try:
        return dict(eks.describe_cluster(name=name)["cluster"].get("tags", {}))
    except eks.exceptions.ResourceNotFoundException:
        return {}
