"""What the AWS API holds, as far as the lab makes it real: pure data, and the readers that fetch it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from blackstart.errors import LabError
from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.plan import CLUSTER_TAG, NODE_GROUP_TAG, RegionPlan, SeedPlan

_GROUP_TAG = "aws:autoscaling:groupName"
_ALL_PROTOCOLS = "-1"
SERVICES = "Custom:Service"
"""The type of inventory that tells which services of an instance run."""
IPV4, IPV6 = FAMILIES = ("CidrBlock", "Ipv6CidrBlock")
"""Under which name a rule of a network ACL holds addresses of each family."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Instance:
    """One EC2 instance of a node group. ``lifecycle``: on-demand or spot; ``state`` in EC2's words."""

    id: str
    region: str
    zone: str
    lifecycle: str
    state: str
    group: str  # Auto Scaling group
    node_group: str
    private_ip: str


@dataclass(frozen=True)
class AwsState:
    """All of it at one moment. ``node_groups`` maps (region, node group) to the size that is wanted."""

    cut_zones: frozenset[str]
    instances: tuple[Instance, ...]
    writer_region: str
    cache_primary_region: str
    node_groups: Mapping[tuple[str, str], int]


def read(clients: Clients, plan: SeedPlan) -> AwsState:
    """Everything; some fifteen calls, 0.1–0.3 s. Raises LabError if the API lacks what the plan names."""
    return AwsState(
        cut_zones=read_cut_zones(clients, plan),
        instances=read_instances(clients, plan),
        writer_region=read_writer_region(clients, plan),
        cache_primary_region=read_cache_primary_region(clients, plan),
        node_groups=read_node_groups(clients, plan),
    )


def read_cut_zones(clients: Clients, plan: SeedPlan) -> frozenset[str]:
    """Zones of which every subnet in the plan's VPC is behind a network ACL that lets nothing in or nothing out."""
    found = (read_cut_zones_in(clients, region.name, read_vpcs(clients, plan, region.name)) for region in plan.regions)
    return frozenset().union(*found)


def read_vpcs(clients: Clients, plan: SeedPlan, region: str) -> tuple[str, ...]:
    """The ids of the plan's VPC in one region: one, or none before there is an account."""
    filters = [{"Name": "tag:Name", "Values": [plan.name]}]
    return tuple(vpc["VpcId"] for vpc in clients("ec2", region).describe_vpcs(Filters=filters)["Vpcs"])


def read_cut_zones_in(clients: Clients, region: str, vpcs: Sequence[str]) -> frozenset[str]:
    """The same, of the VPCs ``vpcs`` of one region. Both calls at once: they may have to queue behind others."""
    if not vpcs:
        return frozenset()
    ec2, inside = clients("ec2", region), [{"Name": "vpc-id", "Values": list(vpcs)}]
    with ThreadPoolExecutor(2, thread_name_prefix="cuts") as pool:
        subnets = pool.submit(ec2.describe_subnets, Filters=inside)
        acls = pool.submit(ec2.describe_network_acls, Filters=inside)
        return cut_zones(subnets.result()["Subnets"], acls.result()["NetworkAcls"])


def cut_zones(subnets: Iterable[Mapping[str, Any]], acls: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The same, of the subnets and network ACLs of one VPC as EC2 describes them. Pure."""
    shut = {
        association["SubnetId"]
        for acl in acls
        if not any(_both_ways(acl["Entries"], family) for family in FAMILIES)
        for association in acl["Associations"]
    }
    by_zone: dict[str, list[bool]] = {}
    for subnet in subnets:
        by_zone.setdefault(subnet["AvailabilityZone"], []).append(subnet["SubnetId"] in shut)
    return frozenset(zone for zone, closed in by_zone.items() if all(closed))


def _both_ways(entries: Sequence[Mapping[str, Any]], family: str) -> bool:
    return all(lets_through(entries, egress=egress, family=family) for egress in (False, True))


def lets_through(entries: Iterable[Mapping[str, Any]], *, egress: bool, family: str = IPV4) -> bool:
    """Whether any packet of ``family`` passes: an ALLOW that no earlier DENY of all protocols covers."""
    denied: list[_Network] = []
    for entry in sorted((e for e in entries if e["Egress"] == egress and e.get(family)), key=_rule_number):
        network = ipaddress.ip_network(entry[family], strict=False)
        if entry["RuleAction"] == "deny":
            if entry["Protocol"] == _ALL_PROTOCOLS:
                denied.append(network)
        elif not any(_covers(wider, network) for wider in denied):
            return True
    return False


def _covers(wider: _Network, network: _Network) -> bool:
    begins = int(wider.network_address) <= int(network.network_address)
    return begins and int(network.broadcast_address) <= int(wider.broadcast_address)


def _rule_number(entry: Mapping[str, Any]) -> int:
    return int(entry["RuleNumber"])


def read_closed_zones(clients: Clients, plan: SeedPlan, region_name: str) -> frozenset[str]:
    """Zones of a region that its load balancer sends nothing to: it has no subnet there, or is shifted away."""
    elbv2, arc = clients("elbv2", region_name), clients("arc-zonal-shift", region_name)
    (balancer,) = elbv2.describe_load_balancers(Names=[plan.regional(region_name)])["LoadBalancers"]
    enabled = {zone["ZoneName"] for zone in balancer["AvailabilityZones"]}
    try:
        weights = arc.get_managed_resource(resourceIdentifier=balancer["LoadBalancerArn"])["appliedWeights"]
    except arc.exceptions.ResourceNotFoundException:
        weights = {}  # somebody has opted it out
    zones = clients("ec2", region_name).describe_availability_zones()["AvailabilityZones"]
    names = {zone["ZoneId"]: zone["ZoneName"] for zone in zones}
    shifted = {names[zone] for zone, weight in weights.items() if weight == 0}
    (region,) = (region for region in plan.regions if region.name == region_name)
    return frozenset(zone for zone in region.zones if zone not in enabled or zone in shifted)


def read_instances(clients: Clients, plan: SeedPlan) -> tuple[Instance, ...]:
    """The instances of the plan's clusters, terminated ones too, ordered by region, zone and id."""
    found = []
    for region in plan.regions:
        mine = [{"Name": f"tag:{CLUSTER_TAG}", "Values": [plan.regional(region.name)]}]
        pages = clients("ec2", region.name).get_paginator("describe_instances").paginate(Filters=mine)
        found += [
            _instance(region, instance)
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        ]
    return tuple(sorted(found, key=lambda instance: (instance.region, instance.zone, instance.id)))


def _instance(region: RegionPlan, described: Mapping[str, Any]) -> Instance:
    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", ())}
    return Instance(
        id=described["InstanceId"],
        region=region.name,
        zone=described["Placement"]["AvailabilityZone"],
        lifecycle=described.get("InstanceLifecycle") or "on-demand",
        state=described["State"]["Name"],
        group=tags.get(_GROUP_TAG, ""),
        node_group=tags.get(NODE_GROUP_TAG, ""),
        private_ip=described.get("PrivateIpAddress", ""),
    )


def read_silent_instances(clients: Clients, region: str) -> frozenset[str]:
    """Ids of the running instances of a region whose kubelet does not run."""
    entities = clients("ssm", region).get_inventory()["Entities"]
    services = ((each["Id"], one) for each in entities for one in each["Data"][SERVICES]["Content"])
    return frozenset(name for name, one in services if (one["Name"], one["State"]) == ("kubelet", "inactive"))


def read_writer_region(clients: Clients, plan: SeedPlan) -> str:
    """The region of the global cluster's writer."""
    answer = clients("rds", plan.standby.name).describe_global_clusters(GlobalClusterIdentifier=plan.global_cluster)
    for member in answer["GlobalClusters"][0]["GlobalClusterMembers"]:
        if member["IsWriter"]:
            return str(member["DBClusterArn"]).split(":")[3]
    raise LabError(f"find the writer of global cluster {plan.global_cluster}", "no member of it is the writer")


def read_cache_primary_region(clients: Clients, plan: SeedPlan) -> str:
    """The region of the global datastore's primary."""
    answer = clients("elasticache", plan.standby.name).describe_global_replication_groups(
        GlobalReplicationGroupId=plan.cache_global_id, ShowMemberInfo=True
    )
    for member in answer["GlobalReplicationGroups"][0]["Members"]:
        if member["Role"] == "PRIMARY":
            return str(member["ReplicationGroupRegion"])
    raise LabError(f"find the primary of global datastore {plan.cache_global_id}", "no member of it is the primary")


def read_node_groups(clients: Clients, plan: SeedPlan) -> dict[tuple[str, str], int]:
    """The wanted size of each node group, by region and name."""
    sizes = {}
    for region in plan.regions:
        eks, cluster = clients("eks", region.name), plan.regional(region.name)
        for name in eks.list_nodegroups(clusterName=cluster)["nodegroups"]:
            described = eks.describe_nodegroup(clusterName=cluster, nodegroupName=name)["nodegroup"]
            sizes[region.name, name] = int(described["scalingConfig"]["desiredSize"])
    return sizes
