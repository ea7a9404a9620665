"""Spot instances in moto, the nodes that they are, and Karpenter's objects, for tests that play AWS and Karpenter."""

from blackstart.kube.client import KubeRefused

REGION, SERVED_BY = "us-east-1", "karpenter.sh"
OPT_IN = {"blackstart": "allowed"}
TAG = {"Key": "blackstart", "Value": "allowed"}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
POOLS, CLAIMS = f"/apis/{SERVED_BY}/v1/nodepools", f"/apis/{SERVED_BY}/v1/nodeclaims"


def run_spot(clients, vpc, count, zone="us-east-1a", spot=True):
    """So many running instances; their ids."""
    ec2 = clients.aws("ec2", REGION)
    inside = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "availability-zone", "Values": [zone]}]
    subnet = ec2.describe_subnets(Filters=inside)["Subnets"][0]["SubnetId"]
    market = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
    tags = [{"ResourceType": "instance", "Tags": [TAG]}]
    made = ec2.run_instances(
        ImageId="ami-1", MinCount=count, MaxCount=count, SubnetId=subnet, TagSpecifications=tags, **market
    )
    return [instance["InstanceId"] for instance in made["Instances"]]


def group_of(clients, vpc, name, instances=()):
    """An Auto Scaling group of these instances."""
    ec2, autoscaling = clients.aws("ec2", REGION), clients.aws("autoscaling", REGION)
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    autoscaling.create_launch_configuration(LaunchConfigurationName=name, ImageId="ami-1", InstanceType="m5.large")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        MinSize=0,
        MaxSize=9,
        DesiredCapacity=0,
        VPCZoneIdentifier=",".join(subnet["SubnetId"] for subnet in subnets),
        Tags=[{**TAG, "PropagateAtLaunch": True, "ResourceId": name, "ResourceType": "auto-scaling-group"}],
    )
    if instances:
        autoscaling.attach_instances(AutoScalingGroupName=name, InstanceIds=list(instances))


def add_node(kube, name, instance="", zone="us-east-1a"):
    """A ready node, which says that it is ``instance``."""
    labels = {"topology.kubernetes.io/zone": zone, "topology.kubernetes.io/region": REGION} | OPT_IN
    spec = {"providerID": f"aws:///{zone}/{instance}"} if instance else {}
    kube.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "spec": spec})
    kube.patch(f"/api/v1/nodes/{name}/status", {"status": READY})


def install_karpenter(kube):
    """Its resources, served."""
    for plural, kind in (("nodepools", "NodePool"), ("nodeclaims", "NodeClaim")):
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {
                "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
            "subresources": {"status": {}},
        }
        spec = {
            "group": SERVED_BY,
            "names": {"plural": plural, "kind": kind, "singular": kind.lower()},
            "scope": "Cluster",
            "versions": [version],
        }
        body = {"metadata": {"name": f"{plural}.{SERVED_BY}"}, "spec": spec}
        kube.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)


def add_pool(kube, name, limits=None):
    spec = {"template": {"spec": {}}} | ({} if limits is None else {"limits": limits})
    metadata = {"name": name, "labels": OPT_IN}
    kube.post(POOLS, {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": metadata, "spec": spec})


def add_claim(kube, name, pool, instance, ready=True):
    """What Karpenter keeps of a node that it launched, which has the name of the claim."""
    metadata = {"name": name, "labels": {"karpenter.sh/nodepool": pool}}
    kube.post(CLAIMS, {"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "metadata": metadata, "spec": {}})
    status = {"providerID": f"aws:///us-east-1a/{instance}", "nodeName": name}
    kube.patch(f"{CLAIMS}/{name}/status", {"status": status | (READY if ready else {})})


def clear(kube):
    """No nodes and nothing of Karpenter's."""
    for path in (CLAIMS, POOLS, "/api/v1/nodes"):
        try:
            for item in list(kube.items(path)):
                kube.delete(f"{path}/{item['metadata']['name']}")
        except KubeRefused:
            continue
