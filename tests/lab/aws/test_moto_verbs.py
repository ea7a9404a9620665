"""Verbs that are added to moto or corrected, seen through the API."""

import uuid

import pytest
from botocore.exceptions import ClientError

HOME, STANDBY = "us-east-1", "us-west-2"


@pytest.fixture
def ec2(api):
    return api.clients("ec2", HOME)


@pytest.fixture
def network(ec2):
    """A VPC with one subnet: (vpc, subnet, association, network ACL)."""
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24")["Subnet"]["SubnetId"]
    return (vpc, subnet, *association(ec2, subnet))


def association(ec2, subnet):
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    (acl,) = ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    (found,) = [each for each in acl["Associations"] if each["SubnetId"] == subnet]
    return found["NetworkAclAssociationId"], acl["NetworkAclId"]


def acls(ec2, vpc):
    found = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
    return {acl["NetworkAclId"] for acl in found}


def test_a_dry_run_of_a_network_acl_changes_nothing(ec2, network):
    vpc, subnet, link, acl = network
    before = acls(ec2, vpc)
    for call in (
        lambda: ec2.create_network_acl(VpcId=vpc, DryRun=True),
        lambda: ec2.delete_network_acl(NetworkAclId=acl, DryRun=True),
        lambda: ec2.replace_network_acl_association(AssociationId=link, NetworkAclId=acl, DryRun=True),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "DryRunOperation"
    assert acls(ec2, vpc) == before
    assert association(ec2, subnet) == (link, acl)


def test_the_same_client_token_makes_the_same_network_acl(ec2, network):
    vpc = network[0]
    token = str(uuid.uuid4())
    first, again = (ec2.create_network_acl(VpcId=vpc, ClientToken=token)["NetworkAcl"] for _ in range(2))
    other = ec2.create_network_acl(VpcId=vpc, ClientToken=str(uuid.uuid4()))["NetworkAcl"]
    assert first["NetworkAclId"] == again["NetworkAclId"] != other["NetworkAclId"]
    plain = {ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"] for _ in range(2)}
    assert len(plain) == 2


def test_a_stale_association_is_refused_by_name(ec2, network):
    _, _, _, acl = network
    with pytest.raises(ClientError) as caught:
        ec2.replace_network_acl_association(AssociationId="aclassoc-0", NetworkAclId=acl)
    assert caught.value.response["Error"]["Code"] == "InvalidAssociationID.NotFound"


def test_an_unknown_network_acl_leaves_the_association_as_it_was(ec2, network):
    _, subnet, link, acl = network
    with pytest.raises(ClientError) as caught:
        ec2.replace_network_acl_association(AssociationId=link, NetworkAclId="acl-0")
    assert caught.value.response["Error"]["Code"] == "InvalidNetworkAclID.NotFound"
    assert association(ec2, subnet) == (link, acl)


def test_a_network_acl_swap_and_its_undo(ec2, network):
    vpc, subnet, link, before = network
    closed = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    ec2.replace_network_acl_association(AssociationId=link, NetworkAclId=closed)
    now, acl = association(ec2, subnet)
    assert (acl, now != link) == (closed, True)
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_network_acl(NetworkAclId=closed)
    ec2.replace_network_acl_association(AssociationId=now, NetworkAclId=before)
    ec2.delete_network_acl(NetworkAclId=closed)
    assert association(ec2, subnet)[1] == before


@pytest.fixture
def check(api):
    """A health check: reads it, and updates it."""
    route53 = api.clients("route53", HOME)
    config = {"Type": "HTTP", "IPAddress": "127.0.0.1", "Port": 80, "RequestInterval": 10, "FailureThreshold": 3}
    made = route53.create_health_check(CallerReference=str(uuid.uuid4()), HealthCheckConfig=config)["HealthCheck"]

    class Check:
        def read(self):
            return route53.get_health_check(HealthCheckId=made["Id"])["HealthCheck"]

        def update(self, **more):
            return route53.update_health_check(HealthCheckId=made["Id"], **more)["HealthCheck"]

    return Check()


def test_a_health_check_is_inverted_and_back_and_counts_its_versions(check):
    before = check.read()
    assert (before["HealthCheckVersion"], before["HealthCheckConfig"]["Inverted"]) == (1, False)
    check.update(Inverted=True, HealthCheckVersion=1)
    inverted = check.read()
    assert (inverted["HealthCheckVersion"], inverted["HealthCheckConfig"]["Inverted"]) == (2, True)
    check.update(Inverted=False)
    after = check.read()
    assert after["HealthCheckVersion"] == 3
    assert after["HealthCheckConfig"] == before["HealthCheckConfig"]


def test_an_update_of_another_version_of_a_health_check_is_refused(check):
    check.update(Disabled=True)
    with pytest.raises(ClientError) as caught:
        check.update(Inverted=True, HealthCheckVersion=1)
    assert caught.value.response["Error"]["Code"] == "HealthCheckVersionMismatch"
    assert check.read()["HealthCheckConfig"]["Inverted"] is False


@pytest.fixture
def datastore(api, own, own_plan):
    """Calls about the global datastore of this module's account; its primary is back home afterwards."""
    cache = api.clients("elasticache", STANDBY)

    class Datastore:
        def roles(self):
            described = cache.describe_global_replication_groups(
                GlobalReplicationGroupId=own.cache_global_id, ShowMemberInfo=True
            )["GlobalReplicationGroups"][0]
            return {member["ReplicationGroupRegion"]: member["Role"] for member in described["Members"]}

        def fail_over(self, region, name=None):
            return cache.failover_global_replication_group(
                GlobalReplicationGroupId=own.cache_global_id,
                PrimaryRegion=region,
                PrimaryReplicationGroupId=name or own_plan.regional(region),
            )["GlobalReplicationGroup"]

    yield Datastore()
    Datastore().fail_over(HOME)


def test_a_global_datastore_fails_over_and_back(datastore, api, own_plan):
    assert datastore.roles() == {HOME: "PRIMARY", STANDBY: "SECONDARY"}
    assert datastore.fail_over(STANDBY)["Status"] == "modifying"
    assert datastore.roles() == {HOME: "SECONDARY", STANDBY: "PRIMARY"}
    described = api.clients("elasticache", HOME).describe_replication_groups(
        ReplicationGroupId=own_plan.regional(HOME)
    )["ReplicationGroups"][0]
    assert described["GlobalReplicationGroupInfo"]["GlobalReplicationGroupMemberRole"] == "SECONDARY"
    datastore.fail_over(HOME)
    assert datastore.roles() == {HOME: "PRIMARY", STANDBY: "SECONDARY"}


def test_a_fail_over_to_a_stranger_is_refused_and_changes_nothing(datastore):
    with pytest.raises(ClientError) as caught:
        datastore.fail_over(STANDBY, "stranger")
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert datastore.roles() == {HOME: "PRIMARY", STANDBY: "SECONDARY"}


def test_members_are_told_only_to_those_who_ask(api, own):
    cache = api.clients("elasticache", HOME)
    plain = cache.describe_global_replication_groups(GlobalReplicationGroupId=own.cache_global_id)
    assert "Members" not in plain["GlobalReplicationGroups"][0]
    assert plain["GlobalReplicationGroups"][0]["Status"] == "available"


def test_an_unknown_global_datastore_is_not_found(api):
    cache = api.clients("elasticache", HOME)
    for call in (
        lambda: cache.describe_global_replication_groups(GlobalReplicationGroupId="ldgnf-none"),
        lambda: cache.delete_global_replication_group(
            GlobalReplicationGroupId="ldgnf-none", RetainPrimaryReplicationGroup=True
        ),
        lambda: cache.create_replication_group(
            ReplicationGroupId="lonely", ReplicationGroupDescription="-", GlobalReplicationGroupId="ldgnf-none"
        ),
    ):
        with pytest.raises(ClientError, match="ldgnf-none") as caught:
            call()
        assert caught.value.response["Error"]["Code"].startswith("GlobalReplicationGroupNotFound")


def test_a_global_datastore_is_taken_apart_member_by_member(api):
    home, standby = api.clients("elasticache", HOME), api.clients("elasticache", STANDBY)
    home.create_replication_group(ReplicationGroupId="first", ReplicationGroupDescription="-")
    made = home.create_global_replication_group(
        GlobalReplicationGroupIdSuffix="brief", PrimaryReplicationGroupId="first"
    )
    name = made["GlobalReplicationGroup"]["GlobalReplicationGroupId"]
    assert name == "ldgnf-brief"
    with pytest.raises(ClientError, match="exists already"):
        home.create_global_replication_group(GlobalReplicationGroupIdSuffix="other", PrimaryReplicationGroupId="first")
    standby.create_replication_group(
        ReplicationGroupId="second", ReplicationGroupDescription="-", GlobalReplicationGroupId=name
    )
    with pytest.raises(ClientError, match="secondary members"):
        home.delete_global_replication_group(GlobalReplicationGroupId=name, RetainPrimaryReplicationGroup=True)
    with pytest.raises(ClientError, match="primary cannot be disassociated"):
        home.disassociate_global_replication_group(
            GlobalReplicationGroupId=name, ReplicationGroupId="first", ReplicationGroupRegion=HOME
        )
    home.disassociate_global_replication_group(
        GlobalReplicationGroupId=name, ReplicationGroupId="second", ReplicationGroupRegion=STANDBY
    )
    home.delete_global_replication_group(GlobalReplicationGroupId=name, RetainPrimaryReplicationGroup=True)
    known = home.describe_global_replication_groups()["GlobalReplicationGroups"]
    assert name not in {group["GlobalReplicationGroupId"] for group in known}
