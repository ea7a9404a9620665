"""What a fault by zone is aimed at: a VPC with its zones and subnets. Read-only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.changes.clients import Clients
from blackstart.errors import Refused


@dataclass(frozen=True)
class Subnet:
    """One subnet and the availability zone that it is in, by name ("us-east-1a"; an account's own) and by id
    ("use1-az2"; the same for everybody). ``owner``: the account that it belongs to, "" if nobody says; ``cidrs``: its
    addresses, of both families."""

    id: str
    zone: str
    tags: Mapping[str, str]
    zone_id: str = ""
    owner: str = ""
    cidrs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vpc:
    """A VPC with all its subnets, as found. ``account`` is where the credentials really reach."""

    id: str
    account: str
    region: str
    tags: Mapping[str, str]
    subnets: tuple[Subnet, ...]

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones that it has subnets in, sorted: what "all zones of the region" means here."""
        return tuple(sorted({subnet.zone for subnet in self.subnets}))


def find_vpc(clients: Clients, region: str, vpc: str) -> Vpc:
    """The VPC of ``region`` with the id, or else the Name tag, ``vpc``; Refused unless it is exactly one."""
    ec2 = clients.aws("ec2", region)
    name = "vpc-id" if vpc.startswith("vpc-") else "tag:Name"
    found = list(_pages(ec2, "describe_vpcs", "Vpcs", name, vpc))
    if len(found) != 1:
        raise Refused(f"touching VPC {vpc} of {region}", f"{len(found)} VPCs there have this id or Name; name one")
    (one,) = found
    subnets = [
        Subnet(
            item["SubnetId"],
            item["AvailabilityZone"],
            tags_of(item),
            item.get("AvailabilityZoneId", ""),
            item.get("OwnerId", ""),
            _cidrs(item),
        )
        for item in _pages(ec2, "describe_subnets", "Subnets", "vpc-id", one["VpcId"])
    ]
    ordered = sorted(subnets, key=lambda subnet: (subnet.zone, subnet.id))
    return Vpc(one["VpcId"], clients.account(), region, tags_of(one), tuple(ordered))


def _cidrs(subnet: Mapping[str, Any]) -> tuple[str, ...]:
    sixth = (item["Ipv6CidrBlock"] for item in subnet.get("Ipv6CidrBlockAssociationSet", []))
    return tuple(filter(None, (subnet.get("CidrBlock"), *sixth)))


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """The tags of something that EC2 or Auto Scaling described."""
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def _pages(client: Any, operation: str, key: str, name: str, value: str) -> Iterable[Any]:
    for page in client.get_paginator(operation).paginate(Filters=[{"Name": name, "Values": [value]}]):
        yield from page[key]
