"""What the AWS API of one region holds, and what of it moves by itself (see ``world``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from blackstart.changes.model import TAG

Row = dict[str, Any]
ERRORS = (BotoCoreError, ClientError)
LEFT_OUT = {
    # 1. times, versions, numbers that count traffic
    "AttachTime", "LaunchTime", "UsageOperationUpdateTime", "EarliestRestorableTime", "LatestRestorableTime",
    "HealthCheckVersion", "modifiedAt", "createdAt", "ModifiedTime", "LastModifiedTimestamp", "CreatedTimestamp",
    "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
    "AvailableIpAddressCount",
    # 2. association ids of network ACLs
    "NetworkAclAssociationId",
    # 3. addresses and reasons of a stopped instance
    "StateReason", "StateTransitionReason", "PublicIpAddress", "PublicDnsName", "Association", "PublicIp",
    # 4. the instances of a group: they are listed by themselves
    "Instances",
    # told with every answer, and nothing that anybody holds
    "ResponseMetadata", "SuspensionReason",
}  # fmt: skip
LEADS = {"IsClusterWriter", "CurrentRole"}  # 10. who leads, after a fail-over inside the region
ASKED = {
    "acls": ("ec2", "describe_network_acls", "NetworkAcls", "NetworkAclId"),
    "subnets": ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    "route tables": ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    "security groups": ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    "groups": ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
    "global databases": ("rds", "describe_global_clusters", "GlobalClusters", "GlobalClusterIdentifier"),
    "databases": ("rds", "describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
    "database instances": ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    "caches": ("elasticache", "describe_replication_groups", "ReplicationGroups", "ReplicationGroupId"),
    "health checks": ("route53", "list_health_checks", "HealthChecks", "Id"),
}


def dump(environ: Mapping[str, str], region: str) -> dict[str, dict[str, Any]]:
    """By kind and name. The only thing that no list has an entry for is added: what carries a change's tag."""
    clients = _Clients(environ, region)
    found = {name: clients.rows(*asked) for name, asked in ASKED.items()}
    found["guards"] = {
        each["SubnetId"]: name for name, acl in found["acls"].items() for each in acl.get("Associations", [])
    }
    found["instances"] = _instances(clients)
    found["global caches"] = _global_caches(clients)
    found["node groups"] = _node_groups(clients)
    found["queues"] = _queues(clients)
    found["buckets"] = _buckets(clients)
    found["names"] = _names(clients)
    found["routing controls"] = _routing_controls(clients)
    tagged = clients("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": TAG}])["ResourceTagMappingList"]
    found["tagged"] = {each["ResourceARN"]: each["Tags"] for each in tagged}
    return found


class _Clients:
    def __init__(self, environ: Mapping[str, str], region: str) -> None:
        self._reach = (environ["AWS_ENDPOINT_URL"], environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"])
        self.region = region

    def __call__(self, service: str) -> Any:
        return _client(service, self.region, *self._reach)

    def rows(self, service: str, method: str, key: str, name: str) -> dict[str, Row]:
        return {row[name]: settled(row) for row in getattr(self(service), method)()[key]}


@lru_cache
def _client(service: str, region: str, endpoint: str, key: str, secret: str) -> Any:
    """Making a client takes longer than asking it."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2}),
    )


def settled(value: Any) -> Any:
    """Without what moves by itself; lists, also of subnets in one string, in an order of their own."""
    if isinstance(value, dict):
        return {key: settled(each) for key, each in value.items() if key not in LEFT_OUT}
    if isinstance(value, list):
        return sorted((settled(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True, default=str))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return ",".join(sorted(str(value).split(","))) if str(value).startswith("subnet-") else str(value)


def _instances(clients: _Clients) -> dict[str, Any]:
    """On-demand instances by id; of spot instances, how many of each group are in which state."""
    found: dict[str, Any] = {}
    answer = clients("ec2").describe_instances()
    for instance in (each for one in answer["Reservations"] for each in one["Instances"]):
        state = instance["State"]["Name"]
        if instance.get("InstanceLifecycle") != "spot":
            found[instance["InstanceId"]] = settled(instance)
        elif state not in ("shutting-down", "terminated"):
            group = next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "aws:autoscaling:groupName")
            found[f"spot of {group}: {state}"] = found.get(f"spot of {group}: {state}", 0) + 1
    return found


def counted(instances: Mapping[str, Any]) -> dict[str, int]:
    """How many of the instances that run, of any kind, each group has."""
    found: dict[str, int] = {}
    for name, row in instances.items():
        if isinstance(row, int):  # spot instances, counted already
            group, state, count = name.removeprefix("spot of ").partition(":")[0], name.rpartition(" ")[2], row
        else:
            group = next((tag["Value"] for tag in row["Tags"] if tag["Key"] == "aws:autoscaling:groupName"), name)
            state, count = row["State"]["Name"], 1
        if state not in ("shutting-down", "terminated"):
            found[f"{group}: {state}"] = found.get(f"{group}: {state}", 0) + count
    return found


def leaders(found: Any) -> list[int]:
    """Numbers, as their names end with, of the servers that lead in database clusters or caches."""
    if isinstance(found, list):
        return [number for each in found for number in leaders(each)]
    if not isinstance(found, dict):
        return []
    if found.get("IsClusterWriter") is True or found.get("CurrentRole") == "primary":
        return [int(found.get("CacheClusterId", found.get("DBInstanceIdentifier")).rpartition("-")[2])]
    return leaders(list(found.values()))


def led_by_anybody(found: Any) -> Any:
    """Database clusters or caches without who leads them."""
    if isinstance(found, dict):
        return {key: led_by_anybody(each) for key, each in found.items() if key not in LEADS}
    return settled(list(map(led_by_anybody, found))) if isinstance(found, list) else found


def _global_caches(clients: _Clients) -> dict[str, Any]:
    asked = clients("elasticache").describe_global_replication_groups(ShowMemberInfo=True)
    return {row["GlobalReplicationGroupId"]: settled(row) for row in asked["GlobalReplicationGroups"]}


def _node_groups(clients: _Clients) -> dict[str, Any]:
    eks, found = clients("eks"), {}
    for cluster in eks.list_clusters()["clusters"]:
        for name in eks.list_nodegroups(clusterName=cluster)["nodegroups"]:
            found[name] = settled(eks.describe_nodegroup(clusterName=cluster, nodegroupName=name)["nodegroup"])
    return found


def _queues(clients: _Clients) -> dict[str, Any]:
    sqs = clients("sqs")
    return {
        url: settled(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
        for url in sqs.list_queues().get("QueueUrls", [])
    }


def _buckets(clients: _Clients) -> dict[str, Any]:
    """Their versioning, replication and policy; a setting that is not there is None."""
    s3, found = clients("s3"), {}
    for bucket in (each["Name"] for each in s3.list_buckets()["Buckets"]):
        for setting in ("bucket_versioning", "bucket_replication", "bucket_policy"):
            try:
                found[f"{bucket} {setting}"] = settled(getattr(s3, f"get_{setting}")(Bucket=bucket))
            except ClientError:
                found[f"{bucket} {setting}"] = None
    return found


def _routing_controls(clients: _Clients) -> dict[str, Any]:
    found = clients("route53-recovery-cluster").list_routing_controls()["RoutingControls"]
    return {each["RoutingControlArn"]: each["RoutingControlState"] for each in found}


def _names(clients: _Clients) -> dict[str, Any]:
    route53, found = clients("route53"), {}
    for zone in route53.list_hosted_zones()["HostedZones"]:
        for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            found[f"{record['Name']} {record['Type']} {record.get('SetIdentifier', '')}"] = settled(record)
    return found
