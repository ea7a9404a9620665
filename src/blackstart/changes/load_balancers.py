"""Taking zones away from application load balancers: their nodes there go, and their name stops leading there.

SetSubnets replaces the whole list, so what was there is kept with the addresses that were chosen for it. A load
balancer of application type must keep two zones. One of network type keeps its subnets: it is left to its own health
checks, which find that the zone's targets are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from blackstart.access import Aws, Need, everything
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Unsettled, Wanted
from blackstart.changes.load_balancer_finding import ALB, Balancer, mappings
from blackstart.changes.model import ZONE, Change, Json, Share, new_id
from blackstart.changes.network import Vpc
from blackstart.scope import Target

LEAST_ZONES = 2
SUBNET = "subnet in "
READ, WRITE = "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:SetSubnets"


def plan_subnets_away(
    balancers: Sequence[Balancer],
    vpc: Vpc,
    zones: Collection[str],
    *,
    step: int = 0,
    new_change: Callable[[], str] = new_id,
) -> list[Change]:
    """No load balancer that can do without has subnets in ``zones``. Pure."""
    return [
        _without(balancer, vpc, zones, step, new_change())
        for balancer in balancers
        if set(zones) & set(balancer.mappings) and not _must_stay(balancer, zones)
    ]


def left_alone(balancers: Sequence[Balancer], zones: Collection[str]) -> list[str]:
    """Each load balancer that keeps its subnets in ``zones``, and why; sentences. Pure."""
    return [
        f"load balancer {balancer.name} keeps {', '.join(sorted(zones))}: {_must_stay(balancer, zones)}"
        for balancer in balancers
        if set(zones) & set(balancer.mappings) and _must_stay(balancer, zones)
    ]


def _must_stay(balancer: Balancer, zones: Collection[str]) -> str:
    if balancer.type != ALB:
        return f"as a {balancer.type} load balancer it is left to its own health checks"
    left = set(balancer.mappings) - set(zones)
    return "" if len(left) >= LEAST_ZONES else f"it must have {LEAST_ZONES} zones, and {len(left)} would be left"


def _without(balancer: Balancer, vpc: Vpc, zones: Collection[str], step: int, change_id: str) -> Change:
    lost = tuple(sorted(set(zones) & set(balancer.mappings)))
    before: dict[str, Json] = {SUBNET + zone: dict(mapping) for zone, mapping in balancer.mappings.items()}
    gone = {SUBNET + zone: None for zone in lost}
    tags, zone = dict(balancer.tags), lost[0] if len(lost) == 1 else ""
    return Change(
        id=change_id,
        kind=BalancerSubnets.name,
        target=Target("load balancer", balancer.arn, account=vpc.account, region=vpc.region, zone=zone, tags=tags),
        before=before,
        after=before | gone,
        summary=f"load balancer {balancer.name}: without {', '.join(lost)}",
        undo_summary="giving it its subnets there back",
        calls=(WRITE,),
        step=step,
        share=Share(ZONE, vpc.region, lost, len(vpc.zones)),
    )


class BalancerSubnets(CompareAndRestore):
    """Which subnet a load balancer has nodes in, by zone; None where it has none."""

    name: ClassVar[str] = "elbv2.subnets"
    permissions: ClassVar[tuple[str, ...]] = (READ, WRITE)
    batch_size: ClassVar[int] = 20  # the most load balancers that one describe_load_balancers can be asked for

    def needs(self, change: Change) -> Sequence[Need]:
        return everything(self.permissions, change.target.region, [Aws(WRITE, (change.target.id,))])

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        found: dict[str, Seen] = {change.id: None for change in changes}
        for region in {change.target.region for change in changes}:
            same = [change for change in changes if change.target.region == region]
            described = _described(clients.aws("elbv2", region), [change.target.id for change in same])
            found |= {change.id: _state(described.get(change.target.id)) for change in same}
        return found

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            elbv2 = clients.aws("elbv2", item.change.target.region)
            wished = [mapping for mapping in {**item.seen, **item.fields}.values() if mapping]
            plain = all(set(mapping) == {"SubnetId"} for mapping in wished)
            subnets = {"Subnets": [mapping["SubnetId"] for mapping in wished]} if plain else {"SubnetMappings": wished}
            elbv2.set_subnets(LoadBalancerArn=item.change.target.id, **subnets)


def _described(elbv2: Any, arns: list[str]) -> dict[str, Any]:
    """By ARN. One that is gone fails the whole call, so then they are asked for one by one."""
    try:
        found = elbv2.describe_load_balancers(LoadBalancerArns=arns)["LoadBalancers"]
    except elbv2.exceptions.LoadBalancerNotFoundException:
        if len(arns) == 1:
            return {}
        return {arn: item for each in arns for arn, item in _described(elbv2, [each]).items()}
    return {item["LoadBalancerArn"]: item for item in found}


def _state(described: Mapping[str, Any] | None) -> Seen:
    if described is None:
        return None
    if described.get("State", {}).get("Code") == "provisioning":
        return Unsettled("being provisioned")
    return {SUBNET + zone: mapping for zone, mapping in mappings(described).items()}
