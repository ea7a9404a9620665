"""Networks, instances and EKS clusters of one region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.plan import (
    CLUSTER_TAG,
    NODE_GROUP_TAG,
    OPT_IN_TAG,
    OPT_IN_VALUE,
    NodeGroupPlan,
    RegionPlan,
    SeedPlan,
)
from blackstart.lab.aws.signature import ACCOUNT

_ROLE = f"arn:aws:iam::{ACCOUNT}:role/shop-eks"
_IMAGE = "ami-0b1ac5747a27b0de5"


@dataclass(frozen=True)
class SeededRegion:
    """What one region got; ``subnets`` by zone."""

    vpc: str
    subnets: dict[str, str]
    auto_scaling_groups: tuple[str, ...]


def tags(**more: str) -> list[dict[str, str]]:
    """The opt-in tag and ``more``, as most services take them."""
    return [{"Key": key, "Value": value} for key, value in {OPT_IN_TAG: OPT_IN_VALUE, **more}.items()]


def specification(kind: str, name: str) -> list[dict[str, Any]]:
    """Tags as EC2 takes them in the call that creates ``kind``."""
    return [{"ResourceType": kind, "Tags": tags(Name=name)}]


def seed_region(clients: Clients, plan: SeedPlan, region: RegionPlan) -> SeededRegion:
    ec2 = clients("ec2", region.name)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification("vpc", plan.name))["Vpc"]["VpcId"]
    subnets = {}
    for number, zone in enumerate(region.zones):
        made = ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.0.{number}.0/24",
            AvailabilityZone=zone,
            TagSpecifications=specification("subnet", f"{plan.name}-{zone}"),
        )
        subnets[zone] = made["Subnet"]["SubnetId"]
    _seed_balancer(clients, plan, region, subnets)
    cluster = plan.regional(region.name)
    clients("eks", region.name).create_cluster(
        name=cluster,
        roleArn=_ROLE,
        resourcesVpcConfig={"subnetIds": list(subnets.values())},
        tags={OPT_IN_TAG: OPT_IN_VALUE},
    )
    groups = tuple(_seed_node_group(clients, plan, region, group, subnets) for group in region.node_groups)
    return SeededRegion(vpc, subnets, groups)


def _seed_balancer(clients: Clients, plan: SeedPlan, region: RegionPlan, subnets: dict[str, str]) -> None:
    """The load balancer that the region's gateway stands for, over all zones and opted in to zonal shifts."""
    elbv2 = clients("elbv2", region.name)
    made = elbv2.create_load_balancer(Name=plan.regional(region.name), Subnets=list(subnets.values()), Tags=tags())
    elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
        Attributes=[{"Key": "zonal_shift.config.enabled", "Value": "true"}],
    )


def _seed_node_group(
    clients: Clients, plan: SeedPlan, region: RegionPlan, group: NodeGroupPlan, subnets: dict[str, str]
) -> str:
    name = plan.auto_scaling_group(region.name, group.name)
    cluster = plan.regional(region.name)
    data: dict[str, Any] = {"ImageId": _IMAGE, "InstanceType": "m5.large"}
    if group.spot:
        data["InstanceMarketOptions"] = {"MarketType": "spot"}
    clients("ec2", region.name).create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    labels = {CLUSTER_TAG: cluster, NODE_GROUP_TAG: group.name}
    own = [subnets[zone] for zone in group.zones]
    clients("autoscaling", region.name).create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name},
        MinSize=0,
        MaxSize=group.largest,
        DesiredCapacity=group.desired,
        VPCZoneIdentifier=",".join(own),
        CapacityRebalance=group.spot,
        Tags=[tag | {"PropagateAtLaunch": True} for tag in tags(Name=name, **labels)],
    )
    clients("eks", region.name).create_nodegroup(
        clusterName=cluster,
        nodegroupName=group.name,
        subnets=own,
        nodeRole=_ROLE,
        capacityType="SPOT" if group.spot else "ON_DEMAND",
        scalingConfig={"minSize": 0, "maxSize": group.largest, "desiredSize": group.desired},
        tags={OPT_IN_TAG: OPT_IN_VALUE},
    )
    return name
