"""Route 53: the hosted zone, the health check of the home region, and who answers for the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.plan import OPT_IN_TAG, OPT_IN_VALUE, SeedPlan
from blackstart.lab.aws.traffic import GLOBAL_REGION


@dataclass(frozen=True)
class SeededNames:
    hosted_zone: str
    health_check: str


def seed_names(clients: Clients, plan: SeedPlan) -> SeededNames:
    route53 = clients("route53", GLOBAL_REGION)
    made = route53.create_hosted_zone(Name=plan.dns_zone, CallerReference=plan.dns_zone)
    zone = made["HostedZone"]["Id"].rpartition("/")[2]
    check = route53.create_health_check(
        CallerReference=plan.service_host,
        HealthCheckConfig={
            "Type": "HTTP",
            "IPAddress": plan.home.gateway_ip,
            "Port": plan.gateway_port,
            "ResourcePath": "/healthz",
            "RequestInterval": plan.check_interval_seconds,
            "FailureThreshold": plan.check_failures,
        },
    )["HealthCheck"]["Id"]
    for kind, resource in (("hostedzone", zone), ("healthcheck", check)):
        route53.change_tags_for_resource(
            ResourceType=kind, ResourceId=resource, AddTags=[{"Key": OPT_IN_TAG, "Value": OPT_IN_VALUE}]
        )
    records = (
        _failover(plan, plan.home.gateway_ip, "PRIMARY", {"HealthCheckId": check}),
        _failover(plan, plan.standby.gateway_ip, "SECONDARY", {}),
        _address(f"www.{plan.dns_zone}", plan.edge_ip, plan.ttl_seconds),
    )
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record} for record in records]},
    )
    return SeededNames(zone, check)


def _address(name: str, address: str, ttl_seconds: int) -> dict[str, Any]:
    return {"Name": name, "Type": "A", "TTL": ttl_seconds, "ResourceRecords": [{"Value": address}]}


def _failover(plan: SeedPlan, address: str, role: str, check: dict[str, str]) -> dict[str, Any]:
    plain = _address(plan.service_host, address, plan.ttl_seconds)
    return plain | {"SetIdentifier": role.lower(), "Failover": role} | check
