"""What the lab's AWS account holds, as a plan: names, sizes and addresses. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from blackstart.lab.aws.signature import ACCOUNT

OPT_IN_TAG = "blackstart"
OPT_IN_VALUE = "allowed"

# Tags that EKS puts on the Auto Scaling groups and instances of its node groups.
CLUSTER_TAG = "eks:cluster-name"
NODE_GROUP_TAG = "eks:nodegroup-name"


@dataclass(frozen=True)
class NodeGroupPlan:
    """Instances of one capacity type; they are spread over ``zones`` in order."""

    name: str  # of the EKS node group
    spot: bool
    zones: tuple[str, ...]
    desired: int
    largest: int = 8


@dataclass(frozen=True)
class RegionPlan:
    """One region: its zones (full names), the address of its gateway, its node groups.

    ``databases`` and ``caches`` are the zones of the servers of its database cluster and of its replication group.
    """

    name: str
    zones: tuple[str, ...]
    gateway_ip: str
    node_groups: tuple[NodeGroupPlan, ...]
    databases: tuple[str, ...]
    caches: tuple[str, ...]
    entrances: tuple[str, ...] = ()  # addresses that the service's name has, if not that of the gateway alone


def region(name: str, gateway_ip: str, on_demand: int, spot: int, letters: str = "abc") -> RegionPlan:
    """A region with zones ``letters``; spot capacity only in the first two."""
    zones = tuple(name + letter for letter in letters)
    groups = (
        NodeGroupPlan("on-demand", spot=False, zones=zones, desired=on_demand),
        NodeGroupPlan("spot", spot=True, zones=zones[:2], desired=spot),
    )
    return RegionPlan(name, zones, gateway_ip, groups, databases=zones[:1], caches=zones[:1])


def _home() -> RegionPlan:
    plan = region("us-east-1", "127.0.0.11", on_demand=3, spot=2)
    return replace(plan, databases=plan.zones[:2], caches=plan.zones)


@dataclass(frozen=True)
class SeedPlan:
    """The whole account. Times in seconds."""

    home: RegionPlan = field(default_factory=_home)
    standby: RegionPlan = field(default_factory=lambda: region("us-west-2", "127.0.0.12", on_demand=2, spot=0))
    gateway_port: int = 8080
    edge_ip: str = "127.0.0.10"
    name: str = "shop"
    service: str = "orders"
    dns_zone: str = "shop.test"
    ttl_seconds: int = 2
    check_interval_seconds: int = 10
    check_failures: int = 3

    @property
    def regions(self) -> tuple[RegionPlan, RegionPlan]:
        return (self.home, self.standby)

    @property
    def service_host(self) -> str:
        return f"{self.service}.{self.dns_zone}"

    @property
    def global_cluster(self) -> str:
        """The RDS global cluster; the clusters in it are called as ``regional`` says."""
        return self.name

    @property
    def cache_global_id(self) -> str:
        """The ElastiCache global datastore; AWS puts the prefix before the suffix that was asked for."""
        return f"ldgnf-{self.name}"

    @property
    def interruption_queue(self) -> str:
        """The queue, in each region, that tells its node termination handler of Spot interruptions."""
        return f"{self.name}-interruptions"

    def regional(self, region_name: str) -> str:
        """The name of the EKS cluster, database cluster and replication group of a region."""
        return f"{self.name}-{region_name}"

    def database_arn(self, region_name: str) -> str:
        return f"arn:aws:rds:{region_name}:{ACCOUNT}:cluster:{self.regional(region_name)}"

    def auto_scaling_group(self, region_name: str, node_group: str) -> str:
        return f"{self.regional(region_name)}-{node_group}"

    def bucket(self, region_name: str) -> str:
        return f"{self.name}-receipts-{region_name}"
