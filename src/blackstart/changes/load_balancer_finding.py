"""The load balancers of a VPC, as a fault by zone sees them. Read-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blackstart.changes.clients import Clients
from blackstart.changes.network import Vpc, tags_of

ALB, NLB = "application", "network"
TAGS_AT_ONCE = 20  # the most load balancers that one describe_tags can be asked for
ADDRESSES = {"AllocationId": "AllocationId", "PrivateIPv4Address": "PrivateIPv4Address", "IPv6Address": "IPv6Address"}


@dataclass(frozen=True)
class Balancer:
    """One load balancer. ``mappings``: its subnet in each zone (by name), as SetSubnets takes it."""

    arn: str
    name: str
    type: str
    mappings: Mapping[str, Mapping[str, str]]
    tags: Mapping[str, str]


def find_balancers(clients: Clients, vpc: Vpc) -> list[Balancer]:
    """The application, network and gateway load balancers of ``vpc``, by name."""
    elbv2 = clients.aws("elbv2", vpc.region)
    pages = elbv2.get_paginator("describe_load_balancers").paginate()
    found = [item for page in pages for item in page["LoadBalancers"] if item.get("VpcId") == vpc.id]
    tags = tags_by_arn(elbv2, [item["LoadBalancerArn"] for item in found])
    balancers = [
        Balancer(
            item["LoadBalancerArn"],
            item["LoadBalancerName"],
            item["Type"],
            mappings(item),
            tags.get(item["LoadBalancerArn"], {}),
        )
        for item in found
    ]
    return sorted(balancers, key=lambda balancer: balancer.name)


def mappings(described: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Where a load balancer is: its subnet by zone, with the addresses that it was given there. Pure."""
    found = {}
    for zone in described["AvailabilityZones"]:
        fixed = [address for address in zone.get("LoadBalancerAddresses") or [] if _given(address)]
        chosen = {name: fixed[0][key] for name, key in ADDRESSES.items() if fixed and fixed[0].get(key)}
        found[zone["ZoneName"]] = {"SubnetId": zone["SubnetId"], **chosen}
    return found


def _given(address: Mapping[str, Any]) -> bool:
    return any(address.get(key) for key in ADDRESSES.values())


def tags_by_arn(elbv2: Any, arns: Sequence[str]) -> dict[str, dict[str, str]]:
    """The tags of load balancers and target groups, by ARN."""
    found: dict[str, dict[str, str]] = {}
    for start in range(0, len(arns), TAGS_AT_ONCE):
        answer = elbv2.describe_tags(ResourceArns=list(arns[start : start + TAGS_AT_ONCE]))
        found |= {item["ResourceArn"]: tags_of(item) for item in answer["TagDescriptions"]}
    return found
