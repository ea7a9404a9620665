import json

import yaml

from blackstart.access import Aws, Kubernetes, arn, within
from blackstart.reports.policies import POLICY_CHARACTERS, iam_policies, kubernetes_manifests

READ, SWAP = "ec2:DescribeSubnets", "ec2:ReplaceNetworkAclAssociation"
HERE = within("us-east-1")


def subnet(number):
    return arn("ec2", "us-east-1", "123456789012", f"subnet/subnet-{number:017d}")


def statements(*needs):
    return [statement for policy in iam_policies(needs) for statement in policy["Statement"]]


def test_actions_on_the_same_resources_are_one_statement():
    found = statements(Aws(READ, when=HERE), Aws("ec2:DescribeVpcs", when=HERE), Aws(READ, when=HERE))
    assert found == [
        {
            "Effect": "Allow",
            "Action": [READ, "ec2:DescribeVpcs"],
            "Resource": ["*"],
            "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
        }
    ]


def test_resources_of_the_same_action_are_joined():
    (found,) = statements(Aws(SWAP, (subnet(2),)), Aws(SWAP, (subnet(1),)))
    assert found["Resource"] == [subnet(1), subnet(2)]
    assert "Condition" not in found


def test_what_is_needed_on_everything_is_not_listed():
    (found,) = statements(Aws(READ, (subnet(1),)), Aws(READ))
    assert found["Resource"] == ["*"]


def test_another_condition_is_another_statement():
    assert len(statements(Aws(READ, when=HERE), Aws(READ, when=within("us-west-2")))) == 2


def test_what_is_too_long_for_one_policy_becomes_several():
    policies = iam_policies([Aws(SWAP, (subnet(number),)) for number in range(200)])
    assert len(policies) > 1
    assert all(len(json.dumps(policy, separators=(",", ":"))) <= POLICY_CHARACTERS for policy in policies)
    named = [arn for policy in policies for statement in policy["Statement"] for arn in statement["Resource"]]
    assert sorted(named) == [subnet(number) for number in range(200)]


def test_without_needs_there_is_no_policy():
    assert iam_policies([]) == []
    assert kubernetes_manifests([Aws(READ)]) == {}


def test_each_namespace_gets_a_role_and_the_cluster_a_cluster_role_all_bound_to_the_group():
    found = kubernetes_manifests(
        [Kubernetes("kubernetes:list pods", "east", "shop"), Kubernetes("kubernetes:list nodes", "east")]
    )
    kinds = [(each["kind"], each["metadata"].get("namespace")) for each in found["east"]]
    assert kinds == [("ClusterRole", None), ("ClusterRoleBinding", None), ("Role", "shop"), ("RoleBinding", "shop")]
    for binding in found["east"][1::2]:
        assert binding["subjects"][0]["name"] == "blackstart"
        assert binding["roleRef"]["kind"] == binding["kind"].removesuffix("Binding")
    assert list(yaml.safe_load_all(yaml.safe_dump_all(found["east"]))) == found["east"]


def rules(*needs):
    return kubernetes_manifests(needs)["east"][0]["rules"]


def test_resources_of_the_same_verbs_and_group_are_one_rule():
    found = rules(
        Kubernetes("kubernetes:get deployments", "east", "shop"),
        Kubernetes("kubernetes:get replicasets", "east", "shop"),
        Kubernetes("kubernetes:get pods", "east", "shop"),
        Kubernetes("kubernetes:delete pods", "east", "shop"),
    )
    assert found == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete", "get"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get"]},
    ]


def test_a_verb_on_some_objects_is_left_out_if_it_is_allowed_on_all():
    one = Kubernetes("kubernetes:get deployments", "east", "shop", ("orders",))
    assert rules(one)[0]["resourceNames"] == ["orders"]
    (found,) = rules(one, Kubernetes("kubernetes:get deployments", "east", "shop"))
    assert "resourceNames" not in found
