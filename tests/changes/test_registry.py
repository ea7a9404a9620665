import pytest

from blackstart.changes.instances import InstancePower
from blackstart.changes.registry import Kinds, lookup, names
from blackstart.errors import ConfigInvalid


@pytest.mark.parametrize("name", names())
def test_every_installed_kind_is_found_by_its_name_and_says_what_it_needs(name):
    kind = lookup(name)
    assert kind.name == name
    assert kind.permissions
    assert all(":" in permission for permission in kind.permissions)
    assert kind.batch_size >= 1


def test_the_kinds_of_this_package_are_installed():
    assert {
        "autoscaling.group_zones",
        "ec2.deny_all_acl",
        "ec2.instance_power",
        "ec2.instance_termination",
        "ec2.subnet_acl",
        "eks.node_group_sizes",
        "kubernetes.pod_deletion",
        "route53.health_check",
    } <= set(names())


def test_kinds_are_loaded_once():
    kinds = Kinds()
    assert kinds.lookup("ec2.instance_power") is kinds.lookup("ec2.instance_power")


def test_given_kinds_stand_in_for_installed_ones():
    mine = InstancePower()
    assert Kinds([mine]).lookup("ec2.instance_power") is mine


def test_a_kind_that_nothing_brings_is_one_sentence():
    with pytest.raises(ConfigInvalid, match=r"no such kind: no installed package brings this .*ec2\.subnet_acl"):
        lookup("no such kind")
