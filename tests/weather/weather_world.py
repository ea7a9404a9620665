"""What the drills of these tests change: a platform on moto, and a deployment on the lab's Kubernetes API."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import boto3

from blackstart.changes.auto_scaling_zone import find_groups, plan_zones_away
from blackstart.changes.clients import Clients
from blackstart.changes.gate import Gate, inject
from blackstart.changes.health_check import find_health_check, plan_inversion
from blackstart.changes.instances import find_instances, plan_power_off
from blackstart.changes.log import Drill
from blackstart.changes.mirror import Mirror
from blackstart.changes.network import find_vpc
from blackstart.changes.network_acl import find_acls, plan_black_hole
from blackstart.changes.owner import here
from blackstart.changes.pod_deletion import plan_deletion
from blackstart.changes.pods import find_pods
from blackstart.changes.reach import Reach
from blackstart.changes.registry import Kinds
from blackstart.changes.sqlite_log import SqliteLog
from blackstart.clock import SystemClock
from blackstart.kube.client import KubeRefused
from blackstart.scope import Scope

DRILL, REGION, ZONES = "drill-1", "us-east-1", ("us-east-1a", "us-east-1b")
SCOPE = Scope(
    environment="test",
    accounts=("123456789012",),
    regions=(REGION,),
    clusters=("shop",),
    namespaces=("shop",),
    required_tag="blackstart",
    largest_share=1.0,
)
ALLOWED = {"Key": "blackstart", "Value": "allowed"}


class Attended:
    """Stands where the reverter would."""

    def start(self) -> None:
        pass

    def ensure(self, subject: str) -> None:
        pass

    def release(self) -> None:
        pass


class World:
    """A drill's gate and log. Its clients give up soon, so that the layers above them have something to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = SqliteLog(folder / "log" / "undo.sqlite")
        self.clients = Clients(attempts=3, timeouts=(1.0, 0.5))
        self.scope = SCOPE

    def reach(self, clock=None, **more) -> Reach:
        clock = clock or SystemClock()
        more = {"settle_seconds": 2.0} | more
        return Reach(self.log, Kinds(), self.clients, clock, Mirror(self.folder, "drill", clock), **more)

    def gate(self, reach: Reach | None = None) -> Gate:
        drill = Drill(DRILL, "a test", here(), "2026-01-01T00:00:00Z", str(self.folder))
        self.log.begin(drill)
        return Gate(self.scope, drill, reach or self.reach(), Attended())

    def run(self, gate: Gate, faults) -> None:
        """Inject one fault after the other."""
        for subject, changes in faults:
            inject(changes, gate, subject)

    def open(self) -> list[str]:
        """What the undo log has of changes that may still be in place."""
        return [entry.change.id for entry in self.log.entries(DRILL) if entry.open]

    def close(self) -> None:
        self.clients.close()
        self.log.close()


class AwsWorld(World):
    """A VPC of three zones with two subnets and an instance each, an Auto Scaling group, a health check."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(folder)
        session = boto3.session.Session("test", "test", region_name=REGION)
        self._ec2, self._autoscaling, self._route53 = (
            session.client(name, endpoint_url=url) for name in ("ec2", "autoscaling", "route53")
        )
        self.vpc = self._ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=_tags("vpc"))["Vpc"]["VpcId"]
        subnets = [self._subnet(number, zone) for number, zone in enumerate("aabbcc")]
        for subnet in subnets[::2]:
            self._ec2.run_instances(
                ImageId="ami-1", MinCount=1, MaxCount=1, SubnetId=subnet, TagSpecifications=_tags("instance")
            )
        self._group(subnets)
        config = {"Type": "HTTP", "FullyQualifiedDomainName": "orders.shop.test", "Port": 80}
        made = self._route53.create_health_check(CallerReference="1", HealthCheckConfig=config)
        self.check = made["HealthCheck"]["Id"]
        self._route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=self.check, AddTags=[ALLOWED])
        self.before = self.dump()

    def close(self) -> None:
        super().close()
        for client in (self._ec2, self._autoscaling, self._route53):
            client.close()

    def dump(self):
        """All that the drill can change; association ids left out, for each swap makes a new one."""
        acls = self._ec2.describe_network_acls()["NetworkAcls"]
        reservations = self._ec2.describe_instances()["Reservations"]
        (group,) = self._autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        return {
            "acls": {acl["NetworkAclId"]: sorted(each["SubnetId"] for each in acl["Associations"]) for acl in acls},
            "power": {each["InstanceId"]: each["State"]["Name"] for one in reservations for each in one["Instances"]},
            "subnets": sorted(group["VPCZoneIdentifier"].split(",")),
            "suspended": sorted(process["ProcessName"] for process in group["SuspendedProcesses"]),
            "check": self._route53.get_health_check(HealthCheckId=self.check)["HealthCheck"]["HealthCheckConfig"],
        }

    def plans(self):
        """The faults of the drill, with their subjects, in order."""
        vpc = find_vpc(self.clients, REGION, self.vpc)
        groups = find_groups(self.clients, vpc)
        power = plan_power_off(find_instances(self.clients, vpc, ZONES), vpc, groups)
        network = plan_black_hole(vpc, ZONES, find_acls(self.clients, vpc))
        check = plan_inversion(find_health_check(self.clients, self.check))
        return [
            ("powering off two zones", [*plan_zones_away(groups, vpc, ZONES), *power]),
            ("cutting off two zones", [*network, *check]),
        ]

    def _subnet(self, number: int, zone: str) -> str:
        made = self._ec2.create_subnet(
            VpcId=self.vpc,
            CidrBlock=f"10.0.{number}.0/24",
            AvailabilityZone=f"{REGION}{zone}",
            TagSpecifications=_tags("subnet"),
        )
        return made["Subnet"]["SubnetId"]

    def _group(self, subnets: list[str]) -> None:
        self._autoscaling.create_launch_configuration(
            LaunchConfigurationName="spot", ImageId="ami-1", InstanceType="m5.large"
        )
        self._autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="spot",
            LaunchConfigurationName="spot",
            MinSize=0,
            MaxSize=3,
            DesiredCapacity=0,
            VPCZoneIdentifier=",".join(subnets),
            Tags=[ALLOWED | {"PropagateAtLaunch": True, "ResourceId": "spot"}],
        )
        self._autoscaling.suspend_processes(AutoScalingGroupName="spot", ScalingProcesses=["AZRebalance"])


def _tags(kind: str) -> list:
    return [{"ResourceType": kind, "Tags": [ALLOWED]}]


class KubeWorld(World):
    """A deployment ``orders`` of four pods; a thread plays the kubelet and makes pods ready."""

    PODS = "/api/v1/namespaces/shop/pods"
    DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"

    def __enter__(self) -> KubeWorld:
        self._direct = Clients()
        self._kube = self._direct.kube("direct")
        self._over, self._works = threading.Event(), threading.Event()
        self._works.set()
        self._kubelet = threading.Thread(target=self._play_kubelet)
        with contextlib.suppress(KubeRefused):
            self._kube.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
            for zone in "ab":
                labels = {"topology.kubernetes.io/zone": f"{REGION}{zone}", "topology.kubernetes.io/region": REGION}
                self._kube.post("/api/v1/nodes", {"metadata": {"name": f"node-{zone}", "labels": labels}, "spec": {}})
                ready = {"conditions": [{"type": "Ready", "status": "True"}]}
                self._kube.patch(f"/api/v1/nodes/node-{zone}/status", {"status": ready})
        uid = self._kube.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
        self.scope = SCOPE.model_copy(update={"cluster_ids": {"shop": uid}})
        self._kubelet.start()
        labels = {"app": "orders", "blackstart": "allowed"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "orders", "image": "orders:1"}]}}
        spec = {"replicas": 4, "selector": {"matchLabels": {"app": "orders"}}, "template": template}
        self._kube.post(self.DEPLOYMENTS, {"metadata": {"name": "orders"}, "spec": spec})
        self.wait(lambda: len(self.ready()) == 4)
        return self

    def __exit__(self, *_) -> None:
        self._kube.delete(f"{self.DEPLOYMENTS}/orders", {"propagationPolicy": "Background"})
        self.wait(lambda: not self._kube.get(self.PODS)["items"])
        self._over.set()
        self._kubelet.join()
        self._direct.close()
        self.close()

    def plan(self, count: int):
        found = find_pods(self.clients, "shop", "shop", "app=orders")
        return plan_deletion(found, found.pods[:count])

    @contextlib.contextmanager
    def frozen(self):
        """Nothing gets ready meanwhile."""
        self._works.clear()
        yield
        self._works.set()

    def ready(self) -> set[str]:
        return {pod["metadata"]["name"] for pod in self._kube.get(self.PODS)["items"] if _ready(pod)}

    def wait(self, condition) -> None:
        for _ in range(600):
            if condition():
                return
            SystemClock().sleep(0.05)
        raise AssertionError("it did not come to pass")

    def _play_kubelet(self) -> None:
        """Makes pods ready, and lets go of those that are deleted."""
        status = {"status": {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}}
        while not self._over.wait(0.05):
            self._works.wait()
            for pod in self._kube.get(self.PODS)["items"]:
                path = f"{self.PODS}/{pod['metadata']['name']}"
                with contextlib.suppress(KubeRefused):
                    if "deletionTimestamp" in pod["metadata"]:
                        self._kube.delete(path, {"gracePeriodSeconds": 0})
                    elif not _ready(pod):
                        self._kube.patch(f"{path}/status", status)


def _ready(pod) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
