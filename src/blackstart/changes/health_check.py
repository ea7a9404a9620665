"""Falsifying what a Route 53 health check says, without touching what it checks.

Inverted, it fails as long as its endpoint is healthy. Disabled does the opposite: a disabled health check counts as
healthy, whatever happens to its endpoint, so it hides a failure. Both together count as unhealthy. The version makes an
update that crosses somebody else's fail instead of overwriting theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from blackstart.access import Aws, Need, arn
from blackstart.changes.clients import Clients
from blackstart.changes.compare import CompareAndRestore, Seen, Wanted
from blackstart.changes.model import Change, new_id
from blackstart.changes.record_set import Records
from blackstart.errors import NotYet, Refused
from blackstart.scope import Target

INVERTED, DISABLED, VERSION = "inverted", "disabled", "version"
CALLS = ("route53:UpdateHealthCheck",)


@dataclass(frozen=True)
class HealthCheck:
    """One health check, as found."""

    id: str
    account: str
    watches: str
    inverted: bool
    tags: Mapping[str, str]
    disabled: bool = False


def find_health_check(clients: Clients, health_check: str, doing: str = "failing") -> HealthCheck:
    """The health check with this id; Refused (as ``doing`` it) if there is none. Read-only."""
    route53 = clients.aws("route53")
    try:
        found = route53.get_health_check(HealthCheckId=health_check)["HealthCheck"]
    except route53.exceptions.NoSuchHealthCheck as error:
        raise Refused(f"{doing} health check {health_check}", "there is no such health check") from error
    config = found["HealthCheckConfig"]
    tags = route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=health_check)["ResourceTagSet"]
    return HealthCheck(
        health_check,
        clients.account(),
        config.get("FullyQualifiedDomainName") or config.get("IPAddress") or config["Type"],
        bool(config.get("Inverted", False)),
        {tag["Key"]: tag["Value"] for tag in tags.get("Tags", [])},
        bool(config.get("Disabled", False)),
    )


def check_of(found: Records, record: str = "") -> str:
    """The id of the health check that the records of a name go by: of the one with set identifier ``record``, else of
    the only one that has any, or the primary one. Refused if that is none, or not only one. Pure."""
    checked = [each for each in found.sets if each.get("HealthCheckId")]
    named = [each for each in checked if record in ("", each.get("SetIdentifier", ""))]
    if len(named) > 1:
        named = [each for each in named if each.get("Failover") == "PRIMARY"]
    if len(named) == 1:
        return str(named[0]["HealthCheckId"])
    names = ", ".join(sorted(each.get("SetIdentifier", "") for each in checked)) or "none"
    raise Refused(f"falsifying the health check of {found}", f"name one of its records that have one: {names}")


def plan_inversion(found: HealthCheck, new_change: Callable[[], str] = new_id) -> list[Change]:
    """The health check reports the opposite of what it sees. Refused if it does so already. Pure."""
    if found.inverted:
        raise Refused(f"failing health check {found.id}", "it is inverted already, so inverting it would mend it")
    return [
        Change(
            id=new_change(),
            kind=InvertedHealthCheck.name,
            target=_target(found),
            before={INVERTED: False},
            after={INVERTED: True},
            summary=f"health check {found.id} of {found.watches}: inverted, so {_meant(found)} counts as unhealthy",
            undo_summary="setting it right again",
            calls=CALLS,
        )
    ]


def plan_pretence(found: HealthCheck, new_change: Callable[[], str] = new_id) -> list[Change]:
    """The health check is stuck healthy: it no longer looks, so no failure of what it watches is noticed. Pure.

    Refused if it is so already, or if it is inverted: then disabling it would fail it.
    """
    subject = f"pretending health check {found.id} healthy"
    if found.disabled:
        raise Refused(subject, "it is disabled already")
    if found.inverted:
        raise Refused(subject, "it is inverted, and an inverted one that is disabled counts as unhealthy")
    return [
        Change(
            id=new_change(),
            kind=InvertedHealthCheck.name,
            target=_target(found),
            before={DISABLED: False},
            after={DISABLED: True},
            summary=f"health check {found.id} of {found.watches}: disabled, so it counts as healthy whatever happens",
            undo_summary="letting it look again",
            calls=CALLS,
        )
    ]


def _meant(found: HealthCheck) -> str:
    return "disabled, which is healthy," if found.disabled else "healthy"


def _target(found: HealthCheck) -> Target:
    return Target("health check", found.id, account=found.account, tags=dict(found.tags))


class InvertedHealthCheck(CompareAndRestore):
    """Whether a health check's answer is inverted, and whether it is disabled."""

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
                DISABLED: bool(check["HealthCheckConfig"].get("Disabled", False)),
                VERSION: check["HealthCheckVersion"],
            }
        return found

    def write(self, wanted: Sequence[Wanted], clients: Clients) -> None:
        names = {INVERTED: "Inverted", DISABLED: "Disabled"}
        for item in wanted:
            route53 = clients.aws("route53")
            said = {names[field]: bool(value) for field, value in item.fields.items()}
            try:
                route53.update_health_check(
                    HealthCheckId=item.change.target.id, HealthCheckVersion=item.seen[VERSION], **said
                )
            except route53.exceptions.HealthCheckVersionMismatch as error:
                # Somebody else's update, or our own that got through before and was made again: look first.
                raise NotYet(str(item.change.target), "seen in a version that it no longer has") from error
