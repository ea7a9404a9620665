"""Failing a Route 53 health check without touching what it checks: its answer is inverted.

``Disabled`` would do the opposite: a disabled health check counts as healthy. The version makes an update that crosses
somebody else's fail instead of overwriting theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from blackstart.access import Aws, Need, arn
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.model import Change, new_id
from blackstart.errors import NotYet, Refused
from blackstart.scope import Target

INVERTED, VERSION = "inverted", "version"


@dataclass(frozen=True)
class HealthCheck:
    """One health check, as found."""

    id: str
    account: str
    watches: str
    inverted: bool
    tags: Mapping[str, str]


def find_health_check(clients: Clients, health_check: str) -> HealthCheck:
    """The health check with this id; Refused if there is none. Read-only."""
    route53 = clients.aws("route53")
    try:
        found = route53.get_health_check(HealthCheckId=health_check)["HealthCheck"]
    except route53.exceptions.NoSuchHealthCheck as error:
        raise Refused(f"failing health check {health_check}", "there is no such health check") from error
    config = found["HealthCheckConfig"]
    tags = route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=health_check)["ResourceTagSet"]
    return HealthCheck(
        health_check,
        clients.account(),
        config.get("FullyQualifiedDomainName") or config.get("IPAddress") or config["Type"],
        bool(config.get("Inverted", False)),
        {tag["Key"]: tag["Value"] for tag in tags.get("Tags", [])},
    )


def plan_inversion(found: HealthCheck, new_change: Callable[[], str] = new_id) -> list[Change]:
    """The health check reports the opposite of what it sees. Refused if it does so already. Pure."""
    if found.inverted:
        raise Refused(f"failing health check {found.id}", "it is inverted already, so inverting it would mend it")
    return [
        Change(
            id=new_change(),
            kind=InvertedHealthCheck.name,
            target=Target("health check", found.id, account=found.account, tags=dict(found.tags)),
            before={INVERTED: False},
            after={INVERTED: True},
            summary=f"health check {found.id} of {found.watches}: inverted, so healthy counts as unhealthy",
            undo_summary="setting it right again",
            calls=("route53:UpdateHealthCheck",),
        )
    ]


class InvertedHealthCheck(CompareAndRestore):
    """Whether a health check's answer is inverted."""

    name: ClassVar[str] = "route53.health_check"
    permissions: ClassVar[tuple[str, ...]] = ("route53:GetHealthCheck", "route53:UpdateHealthCheck")

    def needs(self, change: Change) -> Sequence[Need]:
        check = arn("route53", "", "", f"healthcheck/{change.target.id}")
        return [Aws(name, (check,)) for name in self.permissions]

    def read(self, changes: Sequence[Change], clients: Clients) -> Mapping[str, Seen]:
        route53 = clients.aws("route53")
        found: dict[str, Seen] = {}
        for change in changes:
            try:
                check = route53.get_health_check(HealthCheckId=change.target.id)["HealthCheck"]
            except route53.exceptions.NoSuchHealthCheck:
                found[change.id] = None
                continue
            found[change.id] = {
                INVERTED: bool(check["HealthCheckConfig"].get("Inverted", False)),
                VERSION: check["HealthCheckVersion"],
            }
        return found

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        for item in wanted:
            route53 = clients.aws("route53")
            try:
                route53.update_health_check(
                    HealthCheckId=item.change.target.id,
                    HealthCheckVersion=item.seen[VERSION],
                    Inverted=bool(item.fields[INVERTED]),
                )
            except route53.exceptions.HealthCheckVersionMismatch as error:
                # Somebody else's update, or our own that got through before and was made again: look first.
                raise NotYet(str(item.change.target), "seen in a version that it no longer has") from error
