"""What each change kind says that it calls, against the calls that it makes: none more, none less.

Every path of a kind is walked while a recorder listens: applied, applied again, undone, undone again, undone without
having been applied, and read again in between.
"""

from dataclasses import replace

import kube_server
import pytest

from blackstart.access import Aws
from blackstart.changes.auto_scaling_zone import find_groups, plan_zones_away
from blackstart.changes.clients import Clients
from blackstart.changes.health_check import find_health_check, plan_inversion
from blackstart.changes.instances import find_instances, plan_power_off
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import find_acls, plan_black_hole
from blackstart.changes.node_group import find_node_group, plan_resize
from blackstart.changes.pod_deletion import plan_deletion
from blackstart.changes.pods import Pod, Pods, find_pods
from blackstart.changes.rates import counted
from blackstart.changes.registry import Kinds, names

REGION = "us-east-1"
WITHOUT_AN_API = {
    "lab.control_plane",
    "lab.data_stores",
    "postgres.connections",
    "postgres.replication",
    "redis.emptied",
}
ELSEWHERE = {
    "arc.routing_control",
    "arc.zonal_shift",
    "autoscaling.processes",
    "ec2.spot_notice",
    "elasticache.failover",
    "elasticache.global_failover",
    "elasticache.global_primary",
    "elasticache.node_reboot",
    "elbv2.subnets",
    "fis.spot_interruption",
    "karpenter.node",
    "kubernetes.autoscaler_ceiling",
    "kubernetes.config_value",
    "kubernetes.container_kill",
    "kubernetes.cordon",
    "kubernetes.image",
    "kubernetes.karpenter_limits",
    "kubernetes.pod_deletion",
    "kubernetes.pod_eviction",
    "kubernetes.replicas",
    "rds.capacity_ceiling",
    "rds.cluster_failover",
    "rds.cluster_writer",
    "rds.global_failover",
    "rds.global_switchover",
    "rds.global_writer",
    "rds.restored_cluster",
    "rds.writer_reboot",
    "route53.record_set",
    "ssm.kubelet",
    "velero.restore",
}
"""Kinds whose calls are compared in the tests of their families."""
KINDS = Kinds()


def furnish(clients, vpc):
    """An instance, an Auto Scaling group, a node group and a health check; the id of the last."""
    found = find_vpc(clients, REGION, vpc)
    subnets = [subnet.id for subnet in found.subnets]
    ec2, autoscaling, eks = (clients.aws(service, REGION) for service in ("ec2", "autoscaling", "eks"))
    ec2.run_instances(ImageId="ami-1", MinCount=2, MaxCount=2, SubnetId=subnets[0])
    autoscaling.create_launch_configuration(LaunchConfigurationName="spot", ImageId="ami-1", InstanceType="m5.large")
    sizes = {"MinSize": 0, "MaxSize": 4, "DesiredCapacity": 1}
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="spot", LaunchConfigurationName="spot", VPCZoneIdentifier=",".join(subnets), **sizes
    )
    role, sizes = "arn:aws:iam::123456789012:role/eks", {"minSize": 1, "maxSize": 4, "desiredSize": 3}
    eks.create_cluster(name="shop", roleArn=role, resourcesVpcConfig={})
    eks.create_nodegroup(clusterName="shop", nodegroupName="spot", scalingConfig=sizes, subnets=[], nodeRole=role)
    config = {"Type": "HTTP", "FullyQualifiedDomainName": "orders.shop.test", "Port": 80, "ResourcePath": "/"}
    made = clients.aws("route53").create_health_check(CallerReference="1", HealthCheckConfig=config)
    return made["HealthCheck"]["Id"]


def planned(clients, vpc, check):
    """Changes of every kind of AWS, in the order in which they can be applied."""
    found, zone = find_vpc(clients, REGION, vpc), ["us-east-1a"]
    groups, instances = find_groups(clients, found), find_instances(clients, found, zone)
    mortal = [replace(each, spot=True, group="spot") for each in instances[:1]]
    return [
        *plan_black_hole(found, zone, find_acls(clients, found)),
        *plan_power_off(mortal, found, groups),
        *plan_power_off(instances[1:], found, groups),
        *plan_zones_away(groups, found, zone),
        *plan_resize(find_node_group(clients, REGION, "shop", "spot"), 0),
        *plan_inversion(find_health_check(clients, check)),
    ]


def by_kind(changes):
    names = dict.fromkeys(each.kind for each in changes)
    return {name: [change for change in changes if change.kind == name] for name in names}


@pytest.fixture
def calls():
    return []


@pytest.fixture
def heard(calls):
    """Clients to whom a recorder listens."""
    found = Clients(record=calls.append)
    yield found
    found.close()


@pytest.fixture
def changes(clients, vpc):
    return planned(clients, vpc, furnish(clients, vpc))


def walk(changes, clients, calls):
    """Walk every path; the names of the calls that each kind made."""
    made = {}

    def each(method, ordered):
        for change in ordered:
            calls.clear()
            getattr(KINDS.lookup(change.kind), method)([change], clients)
            made.setdefault(change.kind, set()).update(map(str, calls))

    backwards = list(reversed(changes))
    each("undo", backwards)
    for method, ordered in (("apply", changes), ("apply", changes), ("verify", changes)):
        each(method, ordered)
    for method in ("undo", "undo", "verify"):
        each(method, backwards)
    return made


def differences(changes, made):
    """By kind: what was called and not declared, and what was declared and not called."""
    found = {}
    for name, same in by_kind(changes).items():
        kind = KINDS.lookup(name)
        needs = [need for change in same for need in kind.needs(change)]
        implied = {need.action for need in needs if isinstance(need, Aws) and need.implied_by in made[name]}
        declared = {need.action for need in needs}
        if declared != made[name] | (implied & declared):
            found[name] = declared ^ made[name]
        if declared - set(kind.permissions):
            found[name] = declared - set(kind.permissions)
    return found


def test_every_kind_of_aws_calls_just_what_it_declares(changes, heard, calls):
    made = walk(changes, heard, calls)
    assert differences(changes, made) == {}
    for name in made:
        assert set(KINDS.lookup(name).permissions) >= made[name]


def test_a_call_that_is_not_declared_and_one_that_is_not_made_are_found(changes, heard, calls):
    made = walk(changes, heard, calls)
    made["ec2.subnet_acl"].add("ec2:DescribeVpcs")
    made["route53.health_check"].remove("route53:UpdateHealthCheck")
    assert differences(changes, made) == {
        "ec2.subnet_acl": {"ec2:DescribeVpcs"},
        "route53.health_check": {"route53:UpdateHealthCheck"},
    }


def test_applying_makes_as_many_calls_as_the_plan_says(changes, heard, calls):
    for name, same in by_kind(changes).items():
        calls.clear()
        KINDS.lookup(name).apply(same, heard)
        said = {each.call: each.requests for each in counted(same, KINDS)}
        written = [str(call) for call in calls if not call.reads]
        assert said == {action: written.count(action) for action in set(written)}, name


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with kube_server.running(tmp_path_factory.mktemp("kube")) as environ:
        yield environ


def test_deleting_pods_calls_just_what_it_declares(cluster, calls):
    clients = Clients(environ=cluster, record=calls.append)
    kube = clients.kube("shop")
    kube_server.furnish(kube)
    with kube_server.orders(kube) as heal:
        found = find_pods(clients, "shop", "shop", "app=orders")
        changes = plan_deletion(found, found.pods[:1])
        made = walk(changes, clients, calls)
        heal(4)
        calls.clear()
        KINDS.lookup("kubernetes.pod_deletion").verify(changes, clients)
        made["kubernetes.pod_deletion"] |= set(map(str, calls))
        assert differences(changes, made) == {}
    clients.close()


@pytest.mark.parametrize(("owner", "plural"), [("StatefulSet", "statefulsets"), ("DaemonSet", "daemonsets")])
def test_pods_of_other_controllers_call_just_what_they_declare(cluster, calls, owner, plural):
    clients = Clients(environ=cluster, record=calls.append)
    labels = {"app": "cache"}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}
    spec["template"]["spec"] = {"containers": [{"name": "c", "image": "i"}]}
    body = {"metadata": {"name": "cache"}, "spec": spec if owner == "StatefulSet" else {**spec, "replicas": None}}
    clients.kube("shop").post(f"/apis/apps/v1/namespaces/default/{plural}", body)
    pod = Pod("cache-0", "1", {}, (owner, "cache"), "", "", "default")
    changes = plan_deletion(Pods("shop", "shop", "default", "app=cache", (pod,)), [pod])
    assert differences(changes, walk(changes, clients, calls)) == {}
    clients.close()


def test_no_kind_is_left_out(changes):
    assert {change.kind for change in changes} | ELSEWHERE | WITHOUT_AN_API == set(names())
