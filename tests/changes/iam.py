"""IAM as far as the generated policies use it, and moto's own check of actions, switched on.

moto refuses users whose policies do not allow an action, but knows neither resources nor conditions for most services;
these are checked here, before a call leaves the process, against what the call names.
"""

import fnmatch
import json
import urllib.request

import moto_server

EC2 = "arn:aws:ec2:us-east-1:123456789012"
MOTO = (
    "import runpy; from moto.iam.access_control import IAMRequestBase\n"
    "IAMRequestBase.check_signature = lambda self: None\n"
    f"runpy.run_path({moto_server.ONE_CALL_AT_A_TIME[0]!r}, run_name='__main__')"
)
"""A moto that takes any signature: of REST calls such as Route 53's it computes another one than AWS."""
GROUP = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1-2-3:autoScalingGroupName"


class Denied(Exception):
    """IAM would refuse this call."""


class Enforcer:
    """Told of every call; refuses what ``policies`` do not allow. ``admin`` are clients that may look anything up."""

    def __init__(self, policies, admin):
        self._statements = [statement for policy in policies for statement in policy["Statement"]]
        self._ec2 = admin.aws("ec2", "us-east-1")

    def __call__(self, call):
        if call.action.startswith("kubernetes:"):
            return
        context = {"aws:RequestedRegion": call.region}
        for resource in self._resources(call.action, call.arguments):
            self._require(call.action, resource, context)
        if "TagSpecifications" in call.arguments:
            self._require("ec2:CreateTags", f"{EC2}:network-acl/new", {"ec2:CreateAction": call.action.split(":")[1]})

    def _require(self, action, resource, context):
        if ":network-acl/acl-" in resource:
            context = context | {f"aws:ResourceTag/{key}": value for key, value in self._tags(resource).items()}
        for statement in self._statements:
            named = any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["Resource"])
            if action in statement["Action"] and named and _holds(statement.get("Condition", {}), context):
                return
        raise Denied(f"{action} on {resource}")

    def _tags(self, arn):
        (acl,) = self._ec2.describe_network_acls(NetworkAclIds=[arn.rpartition("/")[2]])["NetworkAcls"]
        return {tag["Key"]: tag["Value"] for tag in acl["Tags"]}

    def _resources(self, action, asked):
        match action:
            case "ec2:CreateNetworkAcl":
                return [f"{EC2}:vpc/{asked['VpcId']}", f"{EC2}:network-acl/new"]
            case "ec2:DeleteNetworkAcl":
                return [f"{EC2}:network-acl/{asked['NetworkAclId']}"]
            case "ec2:ReplaceNetworkAclAssociation":
                acls = self._ec2.describe_network_acls()["NetworkAcls"]
                links = [link for acl in acls for link in acl["Associations"]]
                (link,) = [each for each in links if each["NetworkAclAssociationId"] == asked["AssociationId"]]
                return [f"{EC2}:subnet/{link['SubnetId']}", f"{EC2}:network-acl/{asked['NetworkAclId']}"]
            case "ec2:StopInstances" | "ec2:StartInstances" | "ec2:TerminateInstances":
                return [f"{EC2}:instance/{each}" for each in asked["InstanceIds"]]
            case "route53:GetHealthCheck" | "route53:UpdateHealthCheck":
                return [f"arn:aws:route53:::healthcheck/{asked['HealthCheckId']}"]
            case "route53:ListTagsForResource":
                return [f"arn:aws:route53:::{asked['ResourceType']}/{asked['ResourceId']}"]
            case "eks:DescribeNodegroup" | "eks:UpdateNodegroupConfig":
                group = f"{asked['clusterName']}/{asked['nodegroupName']}"
                return [f"arn:aws:eks:us-east-1:123456789012:nodegroup/{group}/1-2-3"]
        if action.startswith("autoscaling:") and ":Describe" not in action:
            return [f"{GROUP}/{asked['AutoScalingGroupName']}"]
        return ["*"]


def _holds(conditions, context):
    for operator, wanted in conditions.items():
        for key, value in wanted.items():
            if operator == "StringEquals" and context.get(key) != value:
                return False
            if operator == "Null" and (key not in context) != (value == "true"):
                return False
    return True


def actions_of(policies):
    """The same actions on everything, as one policy: what moto can check."""
    actions = sorted({action for policy in policies for each in policy["Statement"] for action in each["Action"]})
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}


def user(clients, name, policy):
    """A user who may do what ``policy`` says; what its credentials are in the environment."""
    iam = clients.aws("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def enforce(url, wanted):
    """Whether moto refuses calls of those who may not make them."""
    after_calls = b"0" if wanted else b"inf"
    plain = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{url}/moto-api/reset-auth", after_calls, plain, method="POST")
    urllib.request.urlopen(request, timeout=10).close()
