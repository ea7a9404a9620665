"""Auto Scaling and EKS node groups that keep their promises, over moto's models.

moto keeps the records, but puts every instance into the first subnet, ignores suspended processes and the instances
that fail their health check, leaves instances where they are when the subnets change, and resizes nothing when a node
group is resized. Here a group settles: its instances are made to match what was asked of it, as far as its suspended
processes allow.
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

from moto.autoscaling import models as autoscaling
from moto.autoscaling import urls as autoscaling_urls
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.eks import models as eks
from moto.eks import urls as eks_urls
from moto.eks import utils as eks_utils
from moto.eks.models import EKSBackend, Nodegroup

from blackstart.lab.aws.plan import CLUSTER_TAG, NODE_GROUP_TAG
from blackstart.lab.aws.signature import ACCOUNT

_GONE = ("shutting-down", "terminated")
_UNWELL = ("stopping", "stopped")


class Group(FakeAutoScalingGroup):
    """An Auto Scaling group whose instances follow its desired capacity, subnets and health."""

    def set_desired_capacity(self, new_capacity: int | None) -> None:
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity
        self.settle()

    def settle(self) -> None:
        """Terminate what does not belong, launch what is missing; a suspended process is left undone."""
        self.instance_states = [state for state in self.instance_states if state.instance.state not in _GONE]
        suspended = {process["ProcessName"] for process in self.suspended_processes}
        if "Terminate" not in suspended:
            self._terminate(self._unhealthy(suspended) + self._astray(suspended))
            self._terminate(self._surplus())
        missing = (self.desired_capacity or 0) - len(self.active_instances())
        if missing > 0 and "Launch" not in suspended:
            self._launch(missing)
        if self.name in self.autoscaling_backend.autoscaling_groups:
            self.autoscaling_backend.update_attached_elbs(self.name)
            self.autoscaling_backend.update_attached_target_groups(self.name)

    def replace_autoscaling_group_instances(self, count_needed: int, propagated_tags: dict[str, str]) -> None:
        self.settle()

    def subnets(self) -> list[str]:
        return [subnet.strip() for subnet in (self.vpc_zone_identifier or "").split(",") if subnet.strip()]

    def _unhealthy(self, suspended: set[str]) -> list[InstanceState]:
        if "ReplaceUnhealthy" in suspended:
            return []
        if "HealthCheck" not in suspended:
            for state in self.active_instances():
                if state.instance.state in _UNWELL:
                    state.health_status = "Unhealthy"
        return [state for state in self.active_instances() if state.health_status != "Healthy"]

    def _astray(self, suspended: set[str]) -> list[InstanceState]:
        """Instances outside the subnets, and those that another subnet lacks; their replacements must be allowed."""
        subnets = self.subnets()
        if {"AZRebalance", "Launch"} & suspended or not subnets:
            return []
        outside = [state for state in self.active_instances() if state.instance.subnet_id not in subnets]
        inside = [state for state in self.active_instances() if state not in outside]
        load = Counter(dict.fromkeys(subnets, 0))
        load.update(str(state.instance.subnet_id) for state in inside)
        while max(load.values()) - min(load.values()) > 1:
            fullest, emptiest = max(load, key=lambda name: load[name]), min(load, key=lambda name: load[name])
            moved = next(state for state in inside if state.instance.subnet_id == fullest and state not in outside)
            outside.append(moved)
            load[fullest] -= 1
            load[emptiest] += 1
        return outside

    def _surplus(self) -> list[InstanceState]:
        active = self.active_instances()
        free = [state for state in active if not state.protected_from_scale_in]
        chosen: list[InstanceState] = []
        load = Counter(state.instance.subnet_id for state in active)
        while free and len(active) - len(chosen) > (self.desired_capacity or 0):
            fullest = max(free, key=lambda state: load[state.instance.subnet_id])
            free.remove(fullest)
            load[fullest.instance.subnet_id] -= 1
            chosen.append(fullest)
        return chosen

    def _terminate(self, states: list[InstanceState]) -> None:
        self.instance_states = [state for state in self.instance_states if state not in states]
        for state in states:
            state.instance.terminate()

    def _launch(self, count: int) -> None:
        load = Counter(str(state.instance.subnet_id) for state in self.active_instances())
        for _ in range(count):
            subnet = min(self.subnets() or [""], key=lambda name: load[name])
            load[subnet] += 1
            self.instance_states.append(
                InstanceState(
                    self._instance_in(subnet), protected_from_scale_in=self.new_instances_protected_from_scale_in
                )
            )

    def _instance_in(self, subnet: str) -> Any:
        tags = self.get_propagated_tags() | self.instance_tags | {autoscaling.ASG_NAME_TAG: self.name}
        template = self.ec2_launch_template
        market = template.default_version().data.get("InstanceMarketOptions", {}) if template else {}
        zone = self.ec2_backend.get_subnet(subnet).availability_zone if subnet else self.availability_zones[0]
        reservation = self.ec2_backend.run_instances(
            self.image_id,
            1,
            self.user_data,
            self.security_groups,
            instance_type=self.instance_type,
            tags={"instance": tags},
            placement=zone,
            launch_config=self.launch_config,
            launch_template={"LaunchTemplateId": template.id} if template else None,
            is_instance_type_default=False,
            subnet_id=subnet or None,
            lifecycle="spot" if market.get("MarketType") == "spot" else None,
        )
        instance: Any = reservation.instances[0]
        instance.autoscaling_group = self
        return instance


class Scaling(AutoScalingBackend):
    """Auto Scaling of one region, whose groups settle after whatever concerns them."""

    _url_module = autoscaling_urls  # moto would look for it beside this module

    def settle(self) -> None:
        for group in self.autoscaling_groups.values():
            if isinstance(group, Group):
                group.settle()

    def notify_terminate_instances(self, instance_ids: list[str]) -> None:
        self.settle()

    def update_auto_scaling_group(self, *args: Any, **kwargs: Any) -> FakeAutoScalingGroup:
        group = super().update_auto_scaling_group(*args, **kwargs)
        self.settle()
        return group

    def resume_processes(self, group_name: str, scaling_processes: list[str]) -> None:
        super().resume_processes(group_name, scaling_processes)
        self.settle()

    def groups_of(self, cluster: str, node_group: str) -> list[Group]:
        """The groups that carry EKS's own tags of that node group."""
        wanted = {CLUSTER_TAG: cluster, NODE_GROUP_TAG: node_group}
        found = []
        for group in self.autoscaling_groups.values():
            tags = {tag["Key"]: tag.get("Value", "") for tag in group.tags}
            if isinstance(group, Group) and wanted.items() <= tags.items():
                found.append(group)
        return found


class Clusters(EKSBackend):
    """EKS of one region, whose node groups are backed by the Auto Scaling groups that carry their tags."""

    _url_module = eks_urls

    def create_nodegroup(self, *args: Any, **kwargs: Any) -> Nodegroup:
        node_group = super().create_nodegroup(*args, **kwargs)
        groups = _scaling(self.region_name).groups_of(node_group.cluster_name, node_group.nodegroup_name)
        node_group.resources = {"autoScalingGroups": [{"name": group.name} for group in groups]}
        return node_group

    def update_nodegroup_config(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        update = super().update_nodegroup_config(*args, **kwargs)
        node_group = self.describe_nodegroup(kwargs["cluster_name"], kwargs["nodegroup_name"])
        size = node_group.scaling_config
        for group in _scaling(self.region_name).groups_of(node_group.cluster_name, node_group.nodegroup_name):
            group.min_size, group.max_size = size.get("minSize"), size.get("maxSize")
            group.set_desired_capacity(size.get("desiredSize"))
        return update


def _scaling(region: str) -> Scaling:
    backend = autoscaling.autoscaling_backends[ACCOUNT][region]
    assert isinstance(backend, Scaling)
    return backend


def install() -> None:
    """Make moto use these; before its first call."""
    own: Any = autoscaling
    own.FakeAutoScalingGroup = Group
    # It would read botocore's endpoint data anew for every cluster and node group.
    of_eks: Any = eks_utils
    of_eks.Session = functools.cache(of_eks.Session)
    of_eks.Session().get_available_partitions()
    autoscaling.autoscaling_backends.backend = Scaling
    eks.eks_backends.backend = Clusters


def settle_all(regions: tuple[str, ...]) -> list[str]:
    """One round of health checks over all groups of ``regions``; the regions where instances came or went."""
    changed = []
    for region in regions:
        before = _members(region)
        _scaling(region).settle()
        if _members(region) != before:
            changed.append(region)
    return changed


def _members(region: str) -> set[str]:
    groups = _scaling(region).autoscaling_groups.values()
    return {state.instance.id for group in groups for state in group.instance_states}
