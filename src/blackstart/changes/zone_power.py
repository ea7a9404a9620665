"""A zone without power, as one fault: what would heal it is kept still, then all that is in it goes.

What stands for AWS's own part of the outage (load balancer nodes, writers, primaries) moves as AWS would move it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blackstart.changes.auto_scaling_zone import Group, find_groups, plan_zones_away
from blackstart.changes.cache_failover import Shard, find_shards, plan_cache_failovers
from blackstart.changes.clients import Clients
from blackstart.changes.database_failover import Cluster, find_clusters, plan_failovers
from blackstart.changes.instances import Instance, find_instances, plan_power_off
from blackstart.changes.load_balancer_finding import Balancer, find_balancers
from blackstart.changes.load_balancers import left_alone, plan_subnets_away
from blackstart.changes.model import Change
from blackstart.changes.network import Vpc

HEALERS, ENTRANCES, DATA, POWER = range(4)
"""The steps, in this order: nothing replaces what goes later, and nobody is sent there."""


@dataclass(frozen=True)
class Wanted:
    """What goes beside instances. ``databases`` and ``caches`` are names of clusters and replication groups;
    ``fail_back``: undo moves the writers back."""

    load_balancers: bool = False
    databases: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()
    fail_back: bool = False


@dataclass(frozen=True)
class Found:
    """What ``zone`` of ``vpc`` may take along, as found."""

    vpc: Vpc
    zone: str
    groups: Sequence[Group]
    instances: Sequence[Instance]
    balancers: Sequence[Balancer] = ()
    clusters: Sequence[Cluster] = ()
    shards: Sequence[Shard] = ()

    @property
    def left(self) -> list[str]:
        """What stays although it is in the zone, and why; sentences."""
        return left_alone(self.balancers, [self.zone])


def find_all(clients: Clients, vpc: Vpc, zone: str, wanted: Wanted) -> Found:
    """Read-only. Refused if something that is named is not there."""
    return Found(
        vpc,
        zone,
        find_groups(clients, vpc),
        find_instances(clients, vpc, [zone]),
        find_balancers(clients, vpc) if wanted.load_balancers else (),
        find_clusters(clients, vpc.region, wanted.databases),
        find_shards(clients, vpc.region, wanted.caches),
    )


def plan_power_loss(found: Found, pods: Sequence[Change] = (), *, fail_back: bool = False) -> list[Change]:
    """All of it; empty if nothing in the zone would go. ``pods``: changes that take the zone's pods. Pure."""
    zones, vpc = [found.zone], found.vpc
    going = [
        *plan_subnets_away(found.balancers, vpc, zones, step=ENTRANCES),
        *plan_failovers(found.clusters, vpc, zones, fail_back=fail_back, step=DATA),
        *plan_cache_failovers(found.shards, vpc, zones, step=DATA),
        *plan_power_off(found.instances, vpc, found.groups, step=POWER),
        *(replace(change, step=POWER) for change in pods),
    ]
    return [*plan_zones_away(found.groups, vpc, zones), *going] if going else []
