"""The account that the lab begins with."""

import time

import pytest

from blackstart.errors import LabError
from blackstart.lab.aws.plan import NodeGroupPlan, RegionPlan, SeedPlan, region
from blackstart.lab.aws.seed import seed

HOME, STANDBY = "us-east-1", "us-west-2"
OPT_IN = {"blackstart": "allowed"}


def tags(described):
    return {tag["Key"]: tag["Value"] for tag in described}


def test_a_plan_names_everything():
    plan = SeedPlan()
    assert plan.service_host == "orders.shop.test"
    assert plan.regional(HOME) == "shop-us-east-1"
    assert plan.auto_scaling_group(STANDBY, "spot") == "shop-us-west-2-spot"
    assert plan.bucket(STANDBY) == "shop-receipts-us-west-2"
    assert plan.cache_global_id == "ldgnf-shop"
    assert plan.database_arn(HOME) == "arn:aws:rds:us-east-1:123456789012:cluster:shop-us-east-1"


def test_a_region_has_spot_capacity_in_its_first_two_zones_only():
    zones = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
    assert region("eu-west-1", "127.0.0.13", on_demand=4, spot=1) == RegionPlan(
        "eu-west-1",
        zones,
        "127.0.0.13",
        (NodeGroupPlan("on-demand", False, zones, 4), NodeGroupPlan("spot", True, zones[:2], 1)),
        databases=zones[:1],
        caches=zones[:1],
    )


@pytest.mark.parametrize("place", [HOME, STANDBY])
def test_every_network_has_a_subnet_in_each_zone_and_has_opted_in(api, seeded, plan, place):
    ec2 = api.clients("ec2", place)
    (vpc,) = ec2.describe_vpcs(VpcIds=[seeded.vpc[place]])["Vpcs"]
    assert (vpc["CidrBlock"], tags(vpc["Tags"])) == ("10.0.0.0/16", OPT_IN | {"Name": "shop"})
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert {found["AvailabilityZone"]: found["SubnetId"] for found in subnets} == {
        zone: seeded.subnets[zone] for zone in (place + letter for letter in "abc")
    }
    assert all(OPT_IN.items() <= tags(found["Tags"]).items() for found in subnets)


def test_the_nodes_carry_the_tags_of_their_cluster_and_have_opted_in(api, seeded, plan):
    cluster = api.clients("eks", HOME).describe_cluster(name="shop-us-east-1")["cluster"]
    assert cluster["tags"] == OPT_IN
    filters = [{"Name": "tag:eks:cluster-name", "Values": ["shop-us-east-1"]}]
    found = api.clients("ec2", HOME).describe_instances(Filters=filters)["Reservations"]
    instances = [instance for reservation in found for instance in reservation["Instances"]]
    assert len(instances) == 5
    assert all(OPT_IN.items() <= tags(instance["Tags"]).items() for instance in instances)
    assert {instance["VpcId"] for instance in instances} == {seeded.vpc[HOME]}


def test_node_groups_know_their_auto_scaling_groups(api, seeded):
    assert seeded.auto_scaling_groups[HOME] == ("shop-us-east-1-on-demand", "shop-us-east-1-spot")
    for name, capacity in (("on-demand", "ON_DEMAND"), ("spot", "SPOT")):
        described = api.clients("eks", HOME).describe_nodegroup(clusterName="shop-us-east-1", nodegroupName=name)
        assert described["nodegroup"]["resources"]["autoScalingGroups"] == [{"name": f"shop-us-east-1-{name}"}]
        assert described["nodegroup"]["capacityType"] == capacity


def test_the_service_fails_over_by_name(api, seeded, plan):
    route53 = api.clients("route53", HOME)
    sets = route53.list_resource_record_sets(HostedZoneId=seeded.hosted_zone)["ResourceRecordSets"]
    orders = {found["Failover"]: found for found in sets if found["Name"] == "orders.shop.test."}
    assert orders["PRIMARY"]["ResourceRecords"] == [{"Value": "127.0.0.11"}]
    assert orders["PRIMARY"]["HealthCheckId"] == seeded.health_check
    assert orders["SECONDARY"]["ResourceRecords"] == [{"Value": "127.0.0.12"}]
    assert "HealthCheckId" not in orders["SECONDARY"]
    assert {found["TTL"] for found in orders.values()} == {2}
    (www,) = [found for found in sets if found["Name"] == "www.shop.test."]
    assert www["ResourceRecords"] == [{"Value": "127.0.0.10"}]
    config = route53.get_health_check(HealthCheckId=seeded.health_check)["HealthCheck"]["HealthCheckConfig"]
    assert (config["IPAddress"], config["Port"], config["ResourcePath"]) == ("127.0.0.11", 8080, "/healthz")
    assert (config["RequestInterval"], config["FailureThreshold"]) == (10, 3)
    for kind, resource in (("hostedzone", seeded.hosted_zone), ("healthcheck", seeded.health_check)):
        listed = route53.list_tags_for_resource(ResourceType=kind, ResourceId=resource)["ResourceTagSet"]["Tags"]
        assert tags(listed) == OPT_IN


def test_other_names_are_weighted_located_and_routed(api, seeded):
    route53 = api.clients("route53", HOME)
    sets = route53.list_resource_record_sets(HostedZoneId=seeded.hosted_zone)["ResourceRecordSets"]

    def of(name):
        return {each["SetIdentifier"]: each for each in sets if each["Name"] == f"{name}.shop.test."}

    assert {name: each["Weight"] for name, each in of("weighted").items()} == {HOME: 90, STANDBY: 10}
    assert of("geo")[HOME]["GeoLocation"] == {"CountryCode": "*"}
    assert of("geo")[STANDBY]["GeoLocation"] == {"ContinentCode": "EU"}
    data = api.clients("route53-recovery-cluster", STANDBY)
    for role, place, state in (("primary", HOME, "On"), ("secondary", STANDBY, "Off")):
        check = route53.get_health_check(HealthCheckId=of("routed")[role]["HealthCheckId"])["HealthCheck"]
        control = data.get_routing_control_state(RoutingControlArn=check["HealthCheckConfig"]["RoutingControlArn"])
        assert (control["RoutingControlName"], control["RoutingControlState"]) == (place, state)


def test_the_database_is_global_and_written_at_home(api, seeded, plan):
    described = api.clients("rds", STANDBY).describe_global_clusters(GlobalClusterIdentifier="shop")
    members = described["GlobalClusters"][0]["GlobalClusterMembers"]
    assert {member["DBClusterArn"]: member["IsWriter"] for member in members} == {
        plan.database_arn(HOME): True,
        plan.database_arn(STANDBY): False,
    }
    for place in (HOME, STANDBY):
        (cluster,) = api.clients("rds", place).describe_db_clusters(DBClusterIdentifier=f"shop-{place}")["DBClusters"]
        writers = [member["IsClusterWriter"] for member in cluster["DBClusterMembers"]]
        assert writers == ([True, False] if place == HOME else [True])
        assert OPT_IN.items() <= tags(cluster["TagList"]).items()


def test_the_servers_of_a_store_are_spread_over_zones(api, seeded):
    rds, cache = api.clients("rds", HOME), api.clients("elasticache", HOME)
    of_ours = [{"Name": "db-cluster-id", "Values": ["shop-us-east-1"]}]
    instances = rds.describe_db_instances(Filters=of_ours)["DBInstances"]
    assert {found["DBInstanceIdentifier"]: found["AvailabilityZone"] for found in instances} == {
        "shop-us-east-1-1": "us-east-1a",
        "shop-us-east-1-2": "us-east-1b",
    }
    (group,) = cache.describe_replication_groups(ReplicationGroupId="shop-us-east-1")["ReplicationGroups"]
    nodes = group["NodeGroups"][0]["NodeGroupMembers"]
    assert {node["CacheClusterId"]: node["PreferredAvailabilityZone"] for node in nodes} == {
        "shop-us-east-1-001": "us-east-1a",
        "shop-us-east-1-002": "us-east-1b",
        "shop-us-east-1-003": "us-east-1c",
    }
    assert [node["CurrentRole"] for node in nodes] == ["primary", "replica", "replica"]


def test_an_object_at_home_arrives_in_the_standby_region(api, seeded):
    api.clients("s3", HOME).put_object(Bucket=seeded.buckets[HOME], Key="receipts/1", Body=b"paid")
    standby, deadline = api.clients("s3", STANDBY), time.monotonic() + 5
    while not standby.list_objects_v2(Bucket=seeded.buckets[STANDBY]).get("Contents"):
        assert time.monotonic() < deadline, "it was not replicated"
        time.sleep(0.05)
    assert standby.get_object(Bucket=seeded.buckets[STANDBY], Key="receipts/1")["Body"].read() == b"paid"


def test_each_region_has_a_queue_of_its_own(api, seeded):
    for place in (HOME, STANDBY):
        api.clients("sqs", place).send_message(QueueUrl=seeded.queue_urls[place], MessageBody=place)
    for place in (HOME, STANDBY):
        sqs = api.clients("sqs", place)
        (message,) = sqs.receive_message(QueueUrl=seeded.queue_urls[place], MaxNumberOfMessages=10)["Messages"]
        assert message["Body"] == place
        assert sqs.list_queue_tags(QueueUrl=seeded.queue_urls[place])["Tags"] == OPT_IN


def test_seeding_nobody_gives_up_with_a_sentence(free_port):
    with pytest.raises(LabError, match="fill the AWS account: ministack did not answer"):
        seed(f"http://127.0.0.1:{free_port()}", SeedPlan(), patience_seconds=0.2)
