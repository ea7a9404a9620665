"""Data stores: database clusters, caches, buckets, queues."""

from __future__ import annotations

from blackstart.lab.aws.clients import Clients
from blackstart.lab.aws.plan import OPT_IN_TAG, OPT_IN_VALUE, SeedPlan
from blackstart.lab.aws.seed_nodes import tags
from blackstart.lab.aws.signature import ACCOUNT

_ENGINE = "aurora-postgresql"
_RETRY_SECONDS = "30"


def seed_databases(clients: Clients, plan: SeedPlan) -> dict[str, str]:
    """The global cluster, the home cluster as its writer, the standby cluster, and their instances. ARNs by region."""
    for region in plan.regions:
        member = {} if region is plan.home else {"GlobalClusterIdentifier": plan.global_cluster}
        account = {"MasterUsername": plan.name, "MasterUserPassword": "not-a-secret"} if not member else {}
        rds = clients("rds", region.name)
        name = plan.regional(region.name)
        rds.create_db_cluster(
            DBClusterIdentifier=name, Engine=_ENGINE, DatabaseName=plan.name, Tags=tags(), **member, **account
        )
        for number, zone in enumerate(region.databases, 1):
            rds.create_db_instance(
                DBInstanceIdentifier=f"{name}-{number}",
                DBClusterIdentifier=name,
                Engine=_ENGINE,
                DBInstanceClass="db.serverless",
                AvailabilityZone=zone,
                PromotionTier=1,
                Tags=tags(),
            )
        if not member:
            rds.create_global_cluster(
                GlobalClusterIdentifier=plan.global_cluster,
                SourceDBClusterIdentifier=plan.database_arn(region.name),
            )
    return {region.name: plan.database_arn(region.name) for region in plan.regions}


def seed_caches(clients: Clients, plan: SeedPlan) -> str:
    """A replication group in each region, joined in a global datastore; its id."""
    global_id = ""
    for region in plan.regions:
        cache = clients("elasticache", region.name)
        home = region is plan.home
        cache.create_replication_group(
            ReplicationGroupId=plan.regional(region.name),
            ReplicationGroupDescription=f"{plan.name} in {region.name}",
            ReplicasPerNodeGroup=len(region.caches) - 1,
            PreferredCacheClusterAZs=region.caches,
            AutomaticFailoverEnabled=len(region.caches) > 1,
            MultiAZEnabled=len(set(region.caches)) > 1,
            CacheNodeType="cache.r7g.large",
            Engine="redis",
            Tags=tags(),
            **({} if home else {"GlobalReplicationGroupId": global_id}),
        )
        if home:
            made = cache.create_global_replication_group(
                GlobalReplicationGroupIdSuffix=plan.name, PrimaryReplicationGroupId=plan.regional(region.name)
            )
            global_id = made["GlobalReplicationGroup"]["GlobalReplicationGroupId"]
    return global_id


def seed_buckets(clients: Clients, plan: SeedPlan) -> dict[str, str]:
    """A versioned bucket in each region, the home one replicated to the standby's. Names by region."""
    for region in plan.regions:
        s3 = clients("s3", region.name)
        name = plan.bucket(region.name)
        # us-east-1 is the one region that must not be named.
        place = {} if region.name == "us-east-1" else {"LocationConstraint": region.name}
        s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": place} if place else {}))
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags()})
    clients("s3", plan.home.name).put_bucket_replication(
        Bucket=plan.bucket(plan.home.name),
        ReplicationConfiguration={
            "Role": f"arn:aws:iam::{ACCOUNT}:role/{plan.name}-replication",
            "Rules": [
                {
                    "ID": "standby",
                    "Status": "Enabled",
                    "Priority": 1,
                    "Filter": {"Prefix": ""},
                    "DeleteMarkerReplication": {"Status": "Disabled"},
                    "Destination": {"Bucket": f"arn:aws:s3:::{plan.bucket(plan.standby.name)}"},
                }
            ],
        },
    )
    return {region.name: plan.bucket(region.name) for region in plan.regions}


def seed_queues(clients: Clients, plan: SeedPlan) -> dict[str, str]:
    """In each region the order queue, and the one that tells of Spot interruptions; URLs of the former by region."""
    found = {}
    for region in plan.regions:
        sqs = clients("sqs", region.name)
        orders, _ = (
            sqs.create_queue(
                QueueName=name, Attributes={"VisibilityTimeout": _RETRY_SECONDS}, tags={OPT_IN_TAG: OPT_IN_VALUE}
            )["QueueUrl"]
            for name in (plan.service, plan.interruption_queue)
        )
        found[region.name] = orders
    return found
