"""The state of the AWS API in the lab's own terms."""

from __future__ import annotations

from blackstart.lab.aws import state, store_state
from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.plan import NodeGroupPlan, RegionPlan, SeedPlan
from blackstart.lab.aws.state import Instance
from blackstart.lab.config import RegionSize
from blackstart.lab.manifests import NodeFacts
from blackstart.lab.stores import Led
from blackstart.lab.topology import EDGE, PLATFORM, SERVICE, ZONE, RegionParts, Topology

GONE = ("shutting-down", "terminated")


class AwsReader:
    """Reads through ``clients``, which should reach an endpoint that no fault of ours makes silent."""

    def __init__(self, clients: Clients, plan: SeedPlan) -> None:
        self._clients = clients
        self._plan = plan
        self._vpcs: dict[str, tuple[str, ...]] = {}

    def cut_zones(self, region: str) -> frozenset[str]:
        """VPCs stay, so they are looked up but once."""
        vpcs = self._vpcs.get(region) or state.read_vpcs(self._clients, self._plan, region)
        self._vpcs[region] = vpcs
        return state.read_cut_zones_in(self._clients, region, vpcs)

    def closed_zones(self, region: str) -> frozenset[str]:
        return state.read_closed_zones(self._clients, self._plan, region)

    def nodes(self) -> dict[str, dict[str, NodeFacts]]:
        """By region and name; instances that are on their way out are none."""
        found: dict[str, dict[str, NodeFacts]] = {region.name: {} for region in self._plan.regions}
        for instance in state.read_instances(self._clients, self._plan):
            if instance.state not in GONE and instance.node_group:
                node = facts(instance)
                found[instance.region][node.name] = node
        return found

    def silent_instances(self, region: str) -> frozenset[str]:
        return state.read_silent_instances(self._clients, region)

    def databases(self) -> Led:
        clients, plan = self._clients, self._plan
        return Led(
            state.read_writer_region(clients, plan),
            {region.name: store_state.read_writer(clients, plan, region.name) for region in plan.regions},
            store_state.read_restarts(clients, plan, "rds"),
        )

    def caches(self) -> Led:
        clients, plan = self._clients, self._plan
        return Led(
            state.read_cache_primary_region(clients, plan),
            {region.name: store_state.read_primary_node(clients, plan, region.name) for region in plan.regions},
            store_state.read_restarts(clients, plan, "elasticache"),
        )


def facts(instance: Instance) -> NodeFacts:
    """The node of ``instance``, named by its private address as EKS does. Pure."""
    domain = "ec2.internal" if instance.region == "us-east-1" else f"{instance.region}.compute.internal"
    return NodeFacts(
        name=f"ip-{instance.private_ip.replace('.', '-')}.{domain}",
        instance=instance.id,
        region=instance.region,
        zone=instance.zone,
        lifecycle=instance.lifecycle,
        group=instance.node_group,
        running=instance.state == "running",
    )


def seed_plan(laid: Topology) -> SeedPlan:
    """What the AWS account of this lab holds. Pure."""
    return SeedPlan(
        home=_region(laid.home),
        standby=_region(laid.standby),
        gateway_port=laid.home.gateway[1],
        edge_ip=EDGE,
        name=PLATFORM,
        service=SERVICE,
        dns_zone=ZONE,
    )


def _region(parts: RegionParts) -> RegionPlan:
    databases, caches = (tuple(store.zone for store in stores) for stores in (parts.databases, parts.caches))
    at, groups = parts.gateway[0], _groups(parts.size)
    return RegionPlan(parts.region, parts.zones, at, groups, databases, caches, parts.addresses)


def _groups(size: RegionSize) -> tuple[NodeGroupPlan, ...]:
    zones = size.zone_names()
    return (
        NodeGroupPlan("on-demand", spot=False, zones=zones, desired=size.on_demand),
        NodeGroupPlan("spot", spot=True, zones=zones[:2], desired=size.spot),
    )
