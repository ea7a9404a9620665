"""Verbs that moto lacks or gets wrong: network ACLs, health-check versions, ElastiCache global datastores.

moto itself parses the requests and writes the answers, from botocore's service models.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2 import urls as ec2_urls
from moto.ec2.exceptions import DryRunClientError, InvalidAssociationIdError
from moto.ec2.responses import EC2Response
from moto.elasticache import urls as elasticache_urls
from moto.elasticache.exceptions import ElastiCacheException, ReplicationGroupNotFound
from moto.elasticache.models import ReplicationGroup, elasticache_backends
from moto.route53 import urls as route53_urls
from moto.route53.exceptions import Route53ClientError
from moto.route53.responses import Route53

from blackstart.lab.aws.moto_cache_nodes import CacheNodes
from blackstart.lab.aws.moto_failover import Failovers
from blackstart.lab.aws.moto_routing import following
from blackstart.lab.aws.signature import ACCOUNT

# AWS puts a prefix that depends on the home region before the suffix that was asked for.
_GLOBAL_PREFIX = "ldgnf-"


class Networks(EC2Response):
    """EC2 whose network ACL calls honour DryRun and ClientToken, and refuse unknown ids before they change anything."""

    def create_network_acl(self) -> ActionResult:
        self._refuse_dry_run()
        token = self._get_param("ClientToken")
        if token:
            for acl in self.ec2_backend.network_acls.values():
                if getattr(acl, "client_token", None) == token:
                    return ActionResult({"NetworkAcl": acl, "ClientToken": token})
        result = super().create_network_acl()
        made: Any = result.result
        made["NetworkAcl"].client_token = token
        return ActionResult(made | {"ClientToken": token})

    def replace_network_acl_association(self) -> ActionResult:
        self._refuse_dry_run()
        backend = self.ec2_backend
        backend.get_network_acl(self._get_param("NetworkAclId"))
        association = self._get_param("AssociationId")
        if not any(association in acl._associations for acl in backend.network_acls.values()):
            raise InvalidAssociationIdError(association)
        return super().replace_network_acl_association()

    def delete_network_acl(self) -> ActionResult:
        self._refuse_dry_run()
        return super().delete_network_acl()

    def create_network_acl_entry(self) -> ActionResult:
        self._refuse_dry_run()
        return super().create_network_acl_entry()

    def _refuse_dry_run(self) -> None:
        if self._get_param("DryRun", False):
            raise DryRunClientError()


class HealthChecks(Route53):
    """Route 53 whose health checks count their versions and refuse an update of another version, and may follow a
    routing control."""

    def create_health_check(self) -> ActionResult:
        result = super().create_health_check()
        made: Any = result.result
        control = self._get_param("HealthCheckConfig").get("RoutingControlArn")
        if control:
            made["HealthCheck"] = following(made["HealthCheck"], control)
            self.backend.health_checks[made["HealthCheck"].id] = made["HealthCheck"]
        return result

    def update_health_check(self) -> ActionResult:
        check = self.backend.get_health_check(self._get_param("HealthCheckId"))
        version = self._get_param("HealthCheckVersion")
        if version is not None and int(version) != check.health_check_version:
            raise Route53ClientError(
                "HealthCheckVersionMismatch",
                f"The health check is at version {check.health_check_version}, not {version}.",
            )
        result = super().update_health_check()
        check.health_check_version += 1
        return result


class GlobalDatastores(CacheNodes, Failovers):
    """ElastiCache with global datastores: replication groups of several regions, one of them the primary."""

    def create_replication_group(self) -> ActionResult:
        global_id = self._get_param("GlobalReplicationGroupId")
        if global_id and not _members(global_id):
            raise _not_found(global_id)
        return super().create_replication_group()

    def create_global_replication_group(self) -> ActionResult:
        group = self._group(self.region, self._get_param("PrimaryReplicationGroupId"))
        global_id = _GLOBAL_PREFIX + self._get_param("GlobalReplicationGroupIdSuffix")
        if _members(global_id) or group.global_replication_group_id:
            raise ElastiCacheException(
                "GlobalReplicationGroupAlreadyExistsFault", f"{global_id} or a datastore of its primary exists already."
            )
        group.global_replication_group_id = global_id
        group.global_replication_group_member_role = "PRIMARY"
        return ActionResult({"GlobalReplicationGroup": _described(global_id, "creating")})

    def describe_global_replication_groups(self) -> ActionResult:
        wanted = self._get_param("GlobalReplicationGroupId")
        known = {group.global_replication_group_id for _, group in _all_groups()} - {""}
        if wanted and wanted not in known:
            raise _not_found(wanted)
        found = [_described(global_id) for global_id in sorted(known) if wanted in (None, "", global_id)]
        if not self._get_bool_param("ShowMemberInfo"):
            for datastore in found:
                del datastore["Members"]
        return ActionResult({"GlobalReplicationGroups": found})

    def failover_global_replication_group(self) -> ActionResult:
        global_id = self._get_param("GlobalReplicationGroupId")
        region, name = self._get_param("PrimaryRegion"), self._get_param("PrimaryReplicationGroupId")
        members = _members(global_id)
        if not members:
            raise _not_found(global_id)
        if not any(place == region and group.replication_group_id == name for place, group in members):
            raise ElastiCacheException("InvalidParameterValue", f"{name} in {region} is not a member of {global_id}.")
        for place, group in members:
            group.global_replication_group_member_role = "PRIMARY" if place == region else "SECONDARY"
        return ActionResult({"GlobalReplicationGroup": _described(global_id, "modifying")})

    def disassociate_global_replication_group(self) -> ActionResult:
        global_id = self._get_param("GlobalReplicationGroupId")
        group = self._group(self._get_param("ReplicationGroupRegion"), self._get_param("ReplicationGroupId"))
        if group.global_replication_group_id != global_id:
            raise _not_found(global_id)
        if group.global_replication_group_member_role == "PRIMARY":
            raise ElastiCacheException("InvalidParameterValue", "The primary cannot be disassociated.")
        described = _described(global_id, "modifying")
        _leave(group)
        return ActionResult({"GlobalReplicationGroup": described})

    def delete_global_replication_group(self) -> ActionResult:
        global_id = self._get_param("GlobalReplicationGroupId")
        members = _members(global_id)
        if not members:
            raise _not_found(global_id)
        if len(members) > 1:
            raise ElastiCacheException(
                "InvalidGlobalReplicationGroupState", f"{global_id} still has secondary members."
            )
        described = _described(global_id, "deleting")
        _leave(members[0][1])
        return ActionResult({"GlobalReplicationGroup": described})

    def _group(self, region: str, name: str) -> ReplicationGroup:
        groups = elasticache_backends[ACCOUNT][region].replication_groups
        if name not in groups:
            raise ReplicationGroupNotFound(name)
        return groups[name]


def _all_groups() -> list[tuple[str, ReplicationGroup]]:
    backends = elasticache_backends[ACCOUNT]
    return [(region, group) for region in sorted(backends) for group in backends[region].replication_groups.values()]


def _members(global_id: str) -> list[tuple[str, ReplicationGroup]]:
    return [(region, group) for region, group in _all_groups() if group.global_replication_group_id == global_id]


def _leave(group: ReplicationGroup) -> None:
    group.global_replication_group_id = ""
    group.global_replication_group_member_role = ""


def _described(global_id: str, status: str = "available") -> dict[str, Any]:
    members = _members(global_id)
    primary = next(group for _, group in members if group.global_replication_group_member_role == "PRIMARY")
    return {
        "GlobalReplicationGroupId": global_id,
        "Status": status if len(members) > 1 or status != "available" else "primary-only",
        "CacheNodeType": primary.cache_node_type,
        "Engine": primary.engine,
        "ARN": f"arn:aws:elasticache::{ACCOUNT}:globalreplicationgroup:{global_id}",
        "Members": [
            {
                "ReplicationGroupId": group.replication_group_id,
                "ReplicationGroupRegion": region,
                "Role": group.global_replication_group_member_role,
                "Status": "associated",
            }
            for region, group in members
        ],
    }


def _not_found(global_id: str) -> ElastiCacheException:
    return ElastiCacheException("GlobalReplicationGroupNotFoundFault", f"{global_id} does not exist.")


def install() -> None:
    """Make moto answer with these; before its first call."""
    own: tuple[tuple[ModuleType, Any], ...] = (
        (ec2_urls, Networks),
        (elasticache_urls, GlobalDatastores),
        (route53_urls, HealthChecks),
    )
    for urls, responses in own:
        paths: Any = urls
        paths.url_paths = dict.fromkeys(paths.url_paths, responses.dispatch)
