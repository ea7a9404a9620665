"""Route 53 and ARC: the hosted zone, health checks, routing controls, and who answers for which name.

The service's own name fails over by the health of the home region. Beside it are names that nothing of the platform
uses, for the other ways to steer traffic: ``weighted``, ``geo`` (Europe apart from the rest of the world), and
``routed``, which follows ARC's routing controls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.plan import OPT_IN_TAG, OPT_IN_VALUE, RegionPlan, SeedPlan
from blackstart.lab.aws.traffic import GLOBAL_REGION

ROUTING_REGION = "us-west-2"  # of ARC's control plane
HEAVY, LIGHT = 90, 10

_OPT_IN = [{"Key": OPT_IN_TAG, "Value": OPT_IN_VALUE}]


@dataclass(frozen=True)
class SeededNames:
    hosted_zone: str
    health_check: str


def seed_names(clients: Clients, plan: SeedPlan) -> SeededNames:
    route53 = clients("route53", GLOBAL_REGION)
    made = route53.create_hosted_zone(Name=plan.dns_zone, CallerReference=plan.dns_zone)
    zone = made["HostedZone"]["Id"].rpartition("/")[2]
    check = _health_check(
        route53,
        plan.service_host,
        Type="HTTP",
        IPAddress=plan.home.gateway_ip,
        Port=plan.gateway_port,
        ResourcePath="/healthz",
        RequestInterval=plan.check_interval_seconds,
        FailureThreshold=plan.check_failures,
    )
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone, AddTags=_OPT_IN)
    routed = [_following(route53, arn) for arn in _routing_controls(clients, plan)]
    host = plan.service_host
    records = (
        _failover(plan, host, plan.home, "PRIMARY", check),
        _failover(plan, host, plan.standby, "SECONDARY"),
        _address(f"www.{plan.dns_zone}", plan.edge_ip, plan.ttl_seconds),
        _weighted(plan, plan.home, HEAVY) | {"HealthCheckId": check},
        _weighted(plan, plan.standby, LIGHT),
        _located(plan, plan.home, {"CountryCode": "*"}),
        _located(plan, plan.standby, {"ContinentCode": "EU"}),
        _failover(plan, f"routed.{plan.dns_zone}", plan.home, "PRIMARY", routed[0]),
        _failover(plan, f"routed.{plan.dns_zone}", plan.standby, "SECONDARY", routed[1]),
    )
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record} for record in records]},
    )
    return SeededNames(zone, check)


def _health_check(route53: Any, reference: str, **config: Any) -> str:
    made = route53.create_health_check(CallerReference=reference, HealthCheckConfig=config)["HealthCheck"]["Id"]
    route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=made, AddTags=_OPT_IN)
    return str(made)


def _following(route53: Any, control: str) -> str:
    return _health_check(route53, control, Type="RECOVERY_CONTROL", RoutingControlArn=control)


def _routing_controls(clients: Clients, plan: SeedPlan) -> list[str]:
    """A routing control for each region, of the region's name; On for home. One of them always stays On."""
    config = clients("route53-recovery-control-config", ROUTING_REGION)
    tags = {OPT_IN_TAG: OPT_IN_VALUE}
    cluster = config.create_cluster(ClusterName=plan.name, Tags=tags)["Cluster"]
    of = {"ClusterArn": cluster["ClusterArn"]}
    panel = config.create_control_panel(ControlPanelName=plan.name, Tags=tags, **of)["ControlPanel"]["ControlPanelArn"]
    arns = [
        config.create_routing_control(RoutingControlName=region.name, ControlPanelArn=panel, **of)["RoutingControl"]
        for region in plan.regions
    ]
    controls = [str(each["RoutingControlArn"]) for each in arns]
    data = clients("route53-recovery-cluster", ROUTING_REGION)
    data.update_routing_control_state(RoutingControlArn=controls[0], RoutingControlState="On")
    config.create_safety_rule(
        AssertionRule={
            "Name": "one-region-is-on",
            "ControlPanelArn": panel,
            "AssertedControls": controls,
            "RuleConfig": {"Type": "ATLEAST", "Threshold": 1, "Inverted": False},
            "WaitPeriodMs": 0,
        }
    )
    return controls


def _address(name: str, address: str, ttl_seconds: int) -> dict[str, Any]:
    return {"Name": name, "Type": "A", "TTL": ttl_seconds, "ResourceRecords": [{"Value": address}]}


def _failover(plan: SeedPlan, name: str, region: RegionPlan, role: str, check: str = "") -> dict[str, Any]:
    plain = _address(name, region.gateway_ip, plan.ttl_seconds)
    if region.entrances:
        plain |= {"ResourceRecords": [{"Value": address} for address in region.entrances]}
    return plain | {"SetIdentifier": role.lower(), "Failover": role} | ({"HealthCheckId": check} if check else {})


def _weighted(plan: SeedPlan, region: RegionPlan, weight: int) -> dict[str, Any]:
    plain = _address(f"weighted.{plan.dns_zone}", region.gateway_ip, plan.ttl_seconds)
    return plain | {"SetIdentifier": region.name, "Weight": weight}


def _located(plan: SeedPlan, region: RegionPlan, place: dict[str, str]) -> dict[str, Any]:
    plain = _address(f"geo.{plan.dns_zone}", region.gateway_ip, plan.ttl_seconds)
    return plain | {"SetIdentifier": region.name, "GeoLocation": place}
