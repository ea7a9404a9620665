"""Shell commands on instances through AWS Systems Manager, found again by their comment.

An answer may get lost after the command was sent, so whether one was is asked of Systems Manager, never remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from blackstart.access import Aws, Need, arn, within
from blackstart.changes.clients import Clients
from blackstart.changes.instance_states import chunks

DOCUMENT = "AWS-RunShellScript"
SEND, LOOK = "ssm:SendCommand", "ssm:ListCommandInvocations"
DELIVERY_SECONDS = 30
"""How long a command waits for its instance; the least that is possible. A later one must not overtake it."""
SHELL_SECONDS = 60
INSTANCES = 50
"""The most instances that a filter takes."""


class Stage(StrEnum):
    """How far a command got."""

    NONE = "none"
    """It was never sent."""
    UNDER_WAY = "under way"
    DONE = "done"
    FAILED = "failed"


_STAGES = {
    "Pending": Stage.UNDER_WAY,
    "InProgress": Stage.UNDER_WAY,
    "Delayed": Stage.UNDER_WAY,
    "Cancelling": Stage.UNDER_WAY,
    "Success": Stage.DONE,
}


@dataclass(frozen=True)
class Command:
    """The newest command with some comment. ``said``: its output, shortened by Systems Manager. ``code``: its shell's
    exit code, -1 while there is none."""

    stage: Stage
    said: str = ""
    code: int = -1


@dataclass(frozen=True)
class Managed:
    """What Systems Manager knows of an instance. ``platform``: "Amazon Linux"; ``system``: ``Linux`` or ``Windows``."""

    online: bool
    system: str
    platform: str


def managed(clients: Clients, region: str, ids: Collection[str]) -> dict[str, Managed]:
    """Those of ``ids`` that Systems Manager knows."""
    found = {}
    for some in chunks(sorted(ids), INSTANCES):
        pages = (
            clients.aws("ssm", region)
            .get_paginator("describe_instance_information")
            .paginate(Filters=[{"Key": "InstanceIds", "Values": some}])
        )
        for item in (each for page in pages for each in page["InstanceInformationList"]):
            found[item["InstanceId"]] = Managed(
                item["PingStatus"] == "Online", item.get("PlatformType", ""), item.get("PlatformName", "")
            )
    return found


def commands(clients: Clients, region: str, instance: str, comments: Collection[str]) -> dict[str, Command]:
    """The newest command with each of ``comments``."""
    found: dict[str, Mapping[str, Any]] = {}
    pages = (
        clients.aws("ssm", region).get_paginator("list_command_invocations").paginate(InstanceId=instance, Details=True)
    )
    for item in (each for page in pages for each in page["CommandInvocations"]):
        comment = item.get("Comment", "")
        if comment in comments:
            found[comment] = max(found.get(comment, item), item, key=_requested)
    return {comment: _command(found.get(comment)) for comment in comments}


def _requested(item: Mapping[str, Any]) -> Any:
    return item["RequestedDateTime"]


def _command(item: Mapping[str, Any] | None) -> Command:
    if item is None:
        return Command(Stage.NONE)
    plugins = item.get("CommandPlugins", [])
    said = ": ".join(
        filter(None, (item.get("StatusDetails", ""), *(each.get("Output", "").strip() for each in plugins)))
    )
    code = next((each["ResponseCode"] for each in plugins if "ResponseCode" in each), -1)
    return Command(_STAGES.get(item["Status"], Stage.FAILED), said, code)


def send(clients: Clients, region: str, instance: str, lines: Sequence[str], comment: str) -> None:
    """Have ``lines`` run by the shell of ``instance``, as root. Returns before they have."""
    clients.aws("ssm", region).send_command(
        InstanceIds=[instance],
        DocumentName=DOCUMENT,
        Comment=comment,
        TimeoutSeconds=DELIVERY_SECONDS,
        Parameters={"commands": list(lines), "executionTimeout": [str(SHELL_SECONDS)]},
    )


def needs(region: str, account: str, instance: str) -> tuple[Need, ...]:
    """What ``send`` and ``commands`` need for one instance."""
    places = (arn("ec2", region, account, f"instance/{instance}"), arn("ssm", region, "", f"document/{DOCUMENT}"))
    return Aws(SEND, places), Aws(LOOK, when=within(region))
