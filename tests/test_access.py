import pytest

from blackstart.access import Aws, Call, Kubernetes, arn, everything, kubernetes_call


@pytest.mark.parametrize(
    ("method", "path", "action", "namespace", "name"),
    [
        ("GET", "/api/v1/nodes", "list nodes", "", ""),
        ("GET", "/api/v1/namespaces/kube-system", "get namespaces", "", "kube-system"),
        ("GET", "/api/v1/namespaces/shop/pods", "list pods", "shop", ""),
        ("GET", "/api/v1/namespaces/shop/pods/a", "get pods", "shop", "a"),
        ("DELETE", "/api/v1/namespaces/shop/pods/a", "delete pods", "shop", "a"),
        ("DELETE", "/api/v1/namespaces/shop/pods", "deletecollection pods", "shop", ""),
        ("POST", "/api/v1/namespaces/shop/pods/a/eviction", "create pods/eviction", "shop", "a"),
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/a/scale", "patch deployments/scale", "shop", "a"),
        ("GET", "/apis/apps/v1/deployments", "list deployments", "", ""),
        ("GET", "/apis/apps/v1/namespaces/shop/deployments/a/scale", "get deployments/scale", "shop", "a"),
        ("PUT", "/apis/apps/v1/namespaces/shop/deployments/a/scale", "update deployments/scale", "shop", "a"),
        ("POST", "/api/v1/namespaces/shop/pods/a/exec", "create pods/exec", "shop", "a"),
        ("PUT", "/api/v1/namespaces/shop/finalize", "update namespaces/finalize", "", "shop"),
        ("PATCH", "/api/v1/namespaces/shop/status", "patch namespaces/status", "", "shop"),
        ("POST", "/api/v1/namespaces", "create namespaces", "", ""),
        ("PATCH", "/apis/karpenter.sh/v1/nodepools/spot", "patch nodepools", "", "spot"),
        ("GET", "/readyz", "get /readyz", "", ""),
        ("GET", "/version/", "get /version", "", ""),
    ],
)
def test_a_request_to_kubernetes_is_named_as_its_permission(method, path, action, namespace, name):
    call = kubernetes_call("shop", method, path)
    assert (call.action, call.namespace, call.name) == (f"kubernetes:{action}", namespace, name)


def test_a_watch_is_not_a_list():
    assert str(kubernetes_call("shop", "GET", "/api/v1/nodes", watch=True)) == "kubernetes:watch nodes"


@pytest.mark.parametrize(
    "action", ["ec2:DescribeSubnets", "sts:GetCallerIdentity", "kubernetes:list pods", "kubernetes:get pods/log"]
)
def test_reads_are_known_as_such(action):
    assert Call(action).reads


@pytest.mark.parametrize(
    "action",
    [
        "ec2:CreateTags",
        "ec2:ReplaceNetworkAclAssociation",
        "kubernetes:delete pods",
        "kubernetes:create pods",
        "kubernetes:get pods/exec",
    ],
)
def test_everything_else_is_no_read(action):
    assert not Call(action).reads


def test_an_arn_is_in_the_partition_of_its_region():
    assert arn("ec2", "us-east-1", "1", "subnet/a") == "arn:aws:ec2:us-east-1:1:subnet/a"
    assert arn("ec2", "cn-north-1", "1", "subnet/a") == "arn:aws-cn:ec2:cn-north-1:1:subnet/a"


def test_what_is_not_narrowed_is_needed_on_everything_in_the_region():
    narrowed = Aws("ec2:StopInstances", ("arn",))
    needs = everything(("ec2:StopInstances", "ec2:DescribeInstances"), "us-east-1", [narrowed])
    in_region = ("StringEquals", "aws:RequestedRegion", "us-east-1")
    assert needs == (narrowed, Aws("ec2:DescribeInstances", ("*",), in_region))


def test_a_kubernetes_permission_knows_its_api_group():
    need = Kubernetes("kubernetes:get deployments/scale", "shop", "shop")
    assert (need.verb, need.group, need.resource) == ("get", "apps", "deployments/scale")
    assert Kubernetes("kubernetes:list pods", "shop").group == ""
